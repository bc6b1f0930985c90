# SPDX-License-Identifier: GPL-3.0-or-later
"""What echovalue_token does for one token, wherever it runs: as a module, or on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol

from .core.client import DEFAULT_CONNECTIONS, EchoValueClient
from .core.errors import EchoValueError, InvalidInputError
from .core.models import token_hash
from .core.provision import REGENERATE, Outcome, Store, provision, remove
from .failure import failure

_ATTRIBUTES: dict[str, Any] = {"owner": {"type": "str"}, "group": {"type": "str"}, "mode": {"type": "raw"}}

# The options that name a place, and what is in each. A default is filled in by `wanted`, since those of
# an item of `tokens` would hide what stands beside `tokens`.
_PLACES: dict[str, dict[str, Any]] = {
    "path": {"type": "path"},
    "vault_file": {"type": "path"},
    "sops": {"type": "dict", "options": {"file": {"type": "path"}, "key": {"type": "str", "no_log": False}}},
    "hashi_vault": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "mount": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "connection": {"type": "dict"},
        },
    },
    "kubernetes": {
        "type": "dict",
        "options": {
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "connection": {"type": "dict"},
        },
    },
    "aws_secretsmanager": {
        "type": "dict",
        "no_log": False,  # its name alone looks like a secret
        "options": {
            "name": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "connection": {"type": "dict"},
        },
    },
    "command": {
        "type": "dict",
        "options": {
            "argv": {"type": "list", "elements": "str"},
            "timeout": {"type": "float"},
            "id": {"type": "str"},
        },
    },
}
_ITEM: dict[str, Any] = {
    **_PLACES,
    **_ATTRIBUTES,
    "variable": {"type": "str"},
    "vault_id": {"type": "str"},
    "token": {"type": "str", "no_log": True},
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "sops": {"key": "echovalue_token"},
    "hashi_vault": {"mount": "secret", "key": "token", "connection": {}},
    "kubernetes": {"namespace": "default", "key": "token", "connection": {}},
    "aws_secretsmanager": {"key": "token", "connection": {}},
    "command": {"timeout": 30.0, "id": None},
}
_REQUIRED = {
    "sops": "file",
    "hashi_vault": "path",
    "kubernetes": "name",
    "aws_secretsmanager": "name",
    "command": "argv",
}

CONTROLLER_PLACES = tuple(name for name in _PLACES if name != "path")

ARGUMENT_SPEC: dict[str, Any] = {
    **_ITEM,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "verify": {"type": "bool", "default": True},
    "regenerate": {"type": "str", "choices": list(REGENERATE), "default": "never"},
    "backup": {"type": "bool", "default": True},
    "spool": {"type": "path", "default": "~/.echovalue/spool"},
    # What is secret in it says so itself.
    "tokens": {"type": "list", "elements": "dict", "no_log": False, "options": _ITEM},
    "concurrency": {"type": "int", "default": DEFAULT_CONNECTIONS},
}
CONSTRAINTS: dict[str, Any] = {
    "mutually_exclusive": [
        tuple(_PLACES),
        *((place, name) for place in CONTROLLER_PLACES for name in _ATTRIBUTES),
        ("tokens", "path"),
        ("tokens", "token"),
    ],
    "required_if": [("state", "absent", (*_PLACES, "tokens"), True)],
}


@dataclass(frozen=True)
class Wanted:
    """What a task asks for one token: `place` names the option that says where, None says nowhere.

    `options` are the place's own: of a file `path`, `owner`, `group`, `mode`; of a vaulted file
    `vault_file`, `variable`, `vault_id`; of the others what their dict holds.
    """

    place: str | None
    options: Mapping[str, Any] = field(repr=False)
    token: str | None = field(repr=False)
    state: str
    verify: bool
    regenerate: str
    backup: bool


def wanted(params: Mapping[str, Any]) -> list[Wanted]:
    """Return what validated options ask for, one for each token.

    Raises InvalidInputError where a token does not name its place.
    """
    if params["tokens"] is None:
        return [_wanted(params, params, "The task")]
    found = [
        _wanted(_with_defaults(item, params), params, f"Item {number} of tokens")
        for number, item in enumerate(params["tokens"], 1)
    ]
    if any(one.place is None for one in found):
        raise InvalidInputError("Each item of tokens must name its place.")
    if len({one.place == "path" for one in found}) > 1:
        raise InvalidInputError(
            "Items of tokens with path are of the target, all others of the controller: they exclude "
            "each other in one task."
        )
    return found


def is_for_controller(arguments: Mapping[str, Any]) -> bool:
    """Tell whether the task is one for the controller, by what it was given, not validated yet."""
    items = arguments.get("tokens")
    asked = [arguments, *(items if isinstance(items, list) else [])]
    return any(
        isinstance(one, Mapping) and one.get(name) is not None for one in asked for name in CONTROLLER_PLACES
    )


def _with_defaults(item: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item with what stands beside `tokens` where it says nothing itself."""
    merged = dict(item)
    named = [name for name in _PLACES if item[name] is not None]
    for name, value in item.items():
        beside = params[name]
        if isinstance(value, dict) and isinstance(beside, dict):
            merged[name] = _merged(beside, value)
        elif value is None and name != "token" and (name not in _PLACES or not named):
            merged[name] = beside
    return merged


def _merged(beside: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**_given(beside), **_given(own)}
    if beside.get("connection") and own.get("connection"):
        merged["connection"] = {**beside["connection"], **own["connection"]}
    return merged


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _wanted(given: Mapping[str, Any], params: Mapping[str, Any], who: str) -> Wanted:
    places = [name for name in _PLACES if given[name] is not None]
    if len(places) > 1:
        raise InvalidInputError(f"{who} names two places: {' and '.join(places)}.")
    place = places[0] if places else None
    strangers: list[str] = [] if place == "vault_file" else ["variable", "vault_id"]
    strangers += _ATTRIBUTES if place in CONTROLLER_PLACES else []
    for name in strangers:
        if given[name] is not None:
            raise InvalidInputError(f"{who} has {name}, which does not go with {place}.")
    if place in _REQUIRED:
        options = {**_DEFAULTS[place], **_given(given[place])}
        if not options.get(_REQUIRED[place]):
            raise InvalidInputError(f"{who} must say {place}.{_REQUIRED[place]}.")
    elif place == "vault_file":
        variable = given["variable"] or "echovalue_token"
        options = {"vault_file": given[place], "variable": variable, "vault_id": given["vault_id"]}
    else:
        options = {name: given[name] for name in ("path", *_ATTRIBUTES)}
    if place in ("path", "vault_file") and not given[place]:
        raise InvalidInputError(f"{who} must say {place}: it is empty.")
    for name in ("path", "vault_file", "file"):
        if str(options.get(name)).startswith("~"):  # else it would be a folder of that name
            raise InvalidInputError(
                f"{who} names {options[name]}, and that home directory is unknown: give an absolute path."
            )
    return Wanted(
        place,
        options,
        given["token"],
        params["state"],
        params["verify"],
        params["regenerate"],
        params["backup"],
    )


class KeptStore(Store, Protocol):
    """A `Store` that tells where it keeps what was replaced."""

    @property
    def backup_file(self) -> str | None:
        """The file with the former token, None where there is none."""


@dataclass(frozen=True)
class Place:
    """Where one token is kept, and what the task's result tells of it."""

    store: KeptStore
    kind: str
    words: str
    path: str | None = None
    variable: str | None = None
    settle_attributes: Callable[[], bool] = lambda: False  # returns whether that changes something


def perform(
    asked: Wanted,
    client: EchoValueClient,
    place: Place | None,
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Do what is asked for one token, and return the task's result, the token in it.

    Raises the errors of core/errors.py.
    """
    settled = False
    if asked.state == "absent" and place is not None:
        outcome = remove(place.store, dry_run=check_mode)
        if outcome.status == "removed":
            warn(
                "EchoValue cannot revoke a token: the one that was removed here stays valid, and "
                "its credits can be spent by whoever has it."
            )
    else:
        outcome = provision(
            client,
            None if place is None else place.store,
            token=asked.token,
            verify=asked.verify,
            regenerate=asked.regenerate,
            dry_run=check_mode,
        )
        settled = place is not None and place.settle_attributes()
    return _entry(
        place,
        changed=outcome.changed or settled,
        token=outcome.token,
        hash=outcome.hash,
        status=outcome.status,
        balance=outcome.balance,
        backup_file=None if place is None else place.store.backup_file,
        diff=_diff(outcome, place),
    )


def failed_entry(place: Place | None, error: EchoValueError) -> dict[str, Any]:
    """Return the entry of `tokens` for one that failed: the same keys as that of a good one."""
    nothing = dict.fromkeys(("token", "hash", "status", "balance", "backup_file"))
    return _entry(place, changed=False, **nothing, failed=True, **failure(error))


def _entry(place: Place | None, **told: Any) -> dict[str, Any]:
    return {
        **told,
        "store": place and place.kind,
        "place": place and place.words,
        "path": place and place.path,
        "variable": place and place.variable,
    }


def _diff(outcome: Outcome, place: Place | None) -> dict[str, str]:
    """Return the difference in hashes: a new token's is not known before it is minted."""

    def line(token: str | None) -> str:
        return "" if token is None else f"sha256 {token_hash(token)}\n"

    after = line(outcome.token)
    if outcome.token is None and outcome.status in ("minted", "replaced"):
        after = "a new token\n"
    header = "token" if place is None else place.words
    return {
        "before_header": header,
        "before": line(outcome.previous),
        "after_header": header,
        "after": after,
    }
