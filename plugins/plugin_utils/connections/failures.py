# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Why a place cannot be opened: what is not installed or too old, and a connection that leads nowhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from ...module_utils.core.errors import NOTHING_MINTED, EchoValueError, StoreError, is_not_installed

# Options of a connection, and fields of a kubeconfig, whose value is never reported; a path may be.
_SECRET = re.compile("token(?!_)|secret|password|jwt|api_key|access_key|key-data|basic_auth|cred|role_id")
_PIP = f"{sys.executable} -m pip"
_GALAXY = "ansible-galaxy collection"
_USER_INFO = re.compile(r"//[^/@\s]+@")  # of a URL


def check_library(name: str, oldest: str, error: Exception | None) -> None:
    """Raise StoreError for a Python library that is too old, or whose import failed with an error."""
    if error is not None:
        raise _unusable_library(name, error)
    with suppress(PackageNotFoundError):  # installed in another way: it is not known
        _check_version(
            f"the Python library {name}", version(name), oldest, f"{_PIP} install --upgrade {name}"
        )


def check_collection(name: str, oldest: str) -> None:
    """Raise StoreError for a collection that is not installed, or too old."""
    try:
        manifest = files(f"ansible_collections.{name}").joinpath("MANIFEST.json")
        found = json.loads(manifest.read_text("utf-8"))["collection_info"]["version"]
    except ModuleNotFoundError:
        raise StoreError(
            f"This place needs the collection {name} on the controller.",
            f"{NOTHING_MINTED} Install it: {_GALAXY} install {name}",
        ) from None
    except OSError:  # a checkout of its sources
        return
    _check_version(f"the collection {name}", found, oldest, f"{_GALAXY} install --upgrade {name}")


def _check_version(what: str, found: str, oldest: str, upgrade: str) -> None:
    if _numbers(found) < _numbers(oldest):
        raise StoreError(
            f"This place needs {what}, {oldest} or newer, on the controller: {found} is installed.",
            f"{NOTHING_MINTED} Upgrade it: {upgrade}",
        )


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)[:3]]


def _unusable_library(name: str, error: Exception) -> StoreError:
    """Return the error for a Python library that is not installed, or that is broken."""
    if is_not_installed(name, error):
        return StoreError(
            f"This place needs the Python library {name} for {sys.executable} on the controller.",
            f"{NOTHING_MINTED} Install it: {_PIP} install {name}",
        )
    why = str(error).rstrip(".") or type(error).__name__
    return StoreError(
        f"The Python library {name} of {sys.executable} on the controller is broken: {why}.",
        f"{NOTHING_MINTED} Repair it: {_PIP} install --force-reinstall {name}",
    )


def not_connected(manager: str, why: str, kind: type[EchoValueError] = StoreError) -> EchoValueError:
    """Return the error for a secret manager to which the options of a connection do not lead."""
    return kind(f"No connection to {manager} could be made: {why.rstrip('.')}.", NOTHING_MINTED)


def without_secrets(text: object, connection: Mapping[str, Any]) -> str:
    """Return a library's text without what is secret in a connection."""
    cleaned = _USER_INFO.sub("//********@", " ".join(str(text).split()))
    for secret in _secrets(connection):
        cleaned = cleaned.replace(secret, "********")
    return cleaned


def _secrets(connection: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret texts of a connection, at any depth."""
    for name, value in connection.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield from _secrets(one)
            elif isinstance(one, str) and one and _SECRET.search(str(name)):
                yield one
