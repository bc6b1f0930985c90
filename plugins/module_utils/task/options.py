# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""The options of echovalue_token."""

from __future__ import annotations

from typing import Any

from ..core.client import DEFAULT_CONNECTIONS
from ..core.provision import REGENERATE
from ..core.rotation import DEFAULT_MAX_LOSS
from ..places.registry import COPIES, PLACES

CONTROLLER_PLACES = tuple(place.name for place in PLACES.values() if place.on_controller)

_ATTRIBUTES = PLACES["path"].beside
_COPY: dict[str, Any] = {
    **{place.name: place.spec for place in COPIES.values()},
    **PLACES["vault_file"].beside,
}
_ITEM: dict[str, Any] = {
    **{place.name: place.spec for place in PLACES.values()},
    **{name: option for place in PLACES.values() for name, option in place.beside.items()},
    "token": {"type": "str", "no_log": True},
    "copies": {"type": "list", "elements": "dict", "options": _COPY},
}

# Of the modules that take a token: a place is only read, so the attributes of a file have no use.
TOKEN_SPEC: dict[str, Any] = {
    "token": {"type": "str", "no_log": True},
    **{place.name: place.spec for place in PLACES.values()},
    **PLACES["vault_file"].beside,
}
TOKEN_CONSTRAINTS: dict[str, Any] = {"mutually_exclusive": [("token", *PLACES)]}
# Of echovalue_wallet_info: what is secret in it says so itself.
WALLETS_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "no_log": False,
    "options": {"name": {"type": "str", "required": True}, **TOKEN_SPEC},
    **TOKEN_CONSTRAINTS,
}

ARGUMENT_SPEC: dict[str, Any] = {
    **_ITEM,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "verify": {"type": "bool", "default": True},
    "regenerate": {"type": "str", "choices": list(REGENERATE), "default": "never"},
    "max_age": {"type": "str"},
    "max_loss": {"type": "int", "default": DEFAULT_MAX_LOSS},
    "backup": {"type": "bool", "default": True},
    "spool": {"type": "path", "default": "~/.echovalue/spool"},
    # What is secret in it says so itself.
    "tokens": {"type": "list", "elements": "dict", "no_log": False, "options": _ITEM},
    "concurrency": {"type": "int", "default": DEFAULT_CONNECTIONS},
}
CONSTRAINTS: dict[str, Any] = {
    "mutually_exclusive": [
        tuple(PLACES),
        *((place, name) for place in CONTROLLER_PLACES for name in _ATTRIBUTES),
        ("tokens", "path"),
        ("tokens", "token"),
        ("tokens", "copies"),
    ],
    "required_if": [("state", "absent", (*PLACES, "tokens"), True)],
}
