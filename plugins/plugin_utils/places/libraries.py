# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Whether a library that a place needs can be used; and the error for a connection that leads nowhere."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from ...module_utils.core.errors import NOTHING_MINTED, EchoValueError, StoreError, is_not_installed


def check_library(
    name: str, oldest: str, error: Exception | None, *, module: str = "", requirement: str = ""
) -> None:
    """Raise StoreError for a Python library that is too old, or whose import failed with an error.

    `module` is what is imported, and `requirement` what pip installs, where that is not its name.
    """
    wanted = requirement or name
    if error is not None:
        raise _unusable_library(name, module or name, error, wanted)
    with suppress(PackageNotFoundError):  # installed in another way: it is not known
        found = version(name)
        check_version(f"the Python library {name}", found, oldest, _installation(f"--upgrade {wanted}"))


def check_version(what: str, found: str, oldest: str, upgrade: str) -> None:
    """Raise StoreError where what was found is too old; `upgrade` is the command against that."""
    if _numbers(found) < _numbers(oldest):
        raise StoreError(
            f"This place needs {what}, {oldest} or newer: {found} is installed.",
            f"{NOTHING_MINTED} Upgrade it: {upgrade}",
        )


def not_connected(manager: str, why: str, kind: type[EchoValueError] = StoreError) -> EchoValueError:
    """Return the error for a secret manager to which a connection does not lead."""
    return kind(f"No connection to {manager} could be made: {why.rstrip('.')}.", NOTHING_MINTED)


def _installation(arguments: str) -> str:
    """Return the command that installs for this Python; uv makes environments without pip."""
    if find_spec("pip"):
        return f"{sys.executable} -m pip install {arguments}"
    return f"uv pip install {arguments} --python {sys.executable}"


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)[:3]]


def _unusable_library(name: str, module: str, error: Exception, requirement: str) -> StoreError:
    """Return the error for a Python library that is not installed, or that is broken."""
    if is_not_installed(module, error):
        return StoreError(
            f"This place needs the Python library {name} for {sys.executable}.",
            f"{NOTHING_MINTED} Install it: {_installation(requirement)}",
        )
    why = str(error).rstrip(".") or type(error).__name__
    return StoreError(
        f"The Python library {name} of {sys.executable} is broken: {why}.",
        f"{NOTHING_MINTED} Repair it: {_installation(f'--force-reinstall {name}')}",
    )
