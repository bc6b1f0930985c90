# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What a connection of the controller needs of Ansible's collections, and what its errors must not show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from ..places.libraries import check_version

# Options of a connection, and fields of a kubeconfig, whose value is never reported; a path may be.
_SECRET = re.compile("token(?!_)|secret|password|jwt|api_key|access_key|key-data|basic_auth|cred|role_id")
_GALAXY = "ansible-galaxy collection"
_USER_INFO = re.compile(r"//[^/@\s]+@")  # of a URL


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
    check_version(f"the collection {name}", found, oldest, f"{_GALAXY} install --upgrade {name}")


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
