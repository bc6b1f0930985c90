# SPDX-License-Identifier: GPL-3.0-or-later
"""What echovalue_token does, wherever it runs: as a module on the target, or on the controller."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable, Protocol

from .core.client import DEFAULT_CONNECTIONS, EchoValueClient
from .core.errors import (
    AmbiguousMintError,
    EchoValueError,
    InvalidInputError,
    NetworkError,
    ServiceUnavailableError,
)
from .core.models import token_hash
from .core.provision import REGENERATE, Outcome, Store, provision, remove
from .core.signals import signal_waits, signals_held

_MOST_TOLD = 5  # failures that the message tells one by one
_OUTAGE = 60.0  # seconds of nothing but failures to reach the service, after which the rest is not tried

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path"},
    "vault_file": {"type": "path"},
    "variable": {"type": "str", "default": "echovalue_token"},
    "vault_id": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "verify": {"type": "bool", "default": True},
    "regenerate": {"type": "str", "choices": list(REGENERATE), "default": "never"},
    "backup": {"type": "bool", "default": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0600"},
    "tokens": {
        "type": "list",
        "elements": "dict",
        "no_log": False,  # what is secret in it says so itself
        "options": {
            "path": {"type": "path"},
            "variable": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "raw"},
        },
    },
    "concurrency": {"type": "int", "default": DEFAULT_CONNECTIONS},
}

CONSTRAINTS: dict[str, Any] = {
    "mutually_exclusive": [
        ("path", "vault_file"),
        ("vault_file", "owner"),
        ("vault_file", "group"),
        ("vault_file", "mode"),
        ("tokens", "path"),
        ("tokens", "token"),
    ],
    "required_if": [("state", "absent", ("path", "vault_file", "tokens"), True)],
}


class Nowhere:
    """A `Store` without a place: a token is only handed on."""

    keeps = False
    recovered = False
    backup_file = None
    path = None

    def lock(self) -> AbstractContextManager[None]:
        """Keep nobody out."""
        return nullcontext()

    def read(self) -> None:
        """Return None: no token is kept."""

    def check_writable(self) -> None:
        """Do nothing: there is nothing to write."""

    def write(self, token: str) -> None:
        """Do nothing: the token is in the outcome."""

    def remove(self) -> None:
        """Do nothing: no token is kept."""

    def settle_attributes(self) -> bool:
        """Return False: there is no file."""
        return False


class Place(Store, Protocol):
    """A `Store` that tells what the task's result tells of it."""

    path: str | None
    recovered: bool
    backup_file: str | None

    def settle_attributes(self) -> bool:
        """Give what keeps the token its attributes; return whether that changes something."""


def items(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the options of each of `tokens`, as those of a task of its own.

    Raises InvalidInputError where an item does not name its place, or two name the same.
    """
    place, other = ("variable", "path") if params["vault_file"] else ("path", "variable")
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, item in enumerate(params["tokens"], 1):
        own = {name: value for name, value in item.items() if value is not None}
        if place not in own or other in own:
            raise InvalidInputError(
                f"Item {number} of tokens must have {place}, and no {other}.", "No request was sent."
            )
        name = own[place] if params["vault_file"] else os.path.realpath(own[place])
        if name in seen:
            raise InvalidInputError(f"Two items of tokens name {own[place]}.", "No request was sent.")
        seen.add(name)
        found.append({**params, **own})
    return found


class _Outage:
    """Tells that the service has been away for long."""

    def __init__(self) -> None:
        self._since: float | None = None

    def note(self, error: EchoValueError | None) -> None:
        """Take note of how a token ended."""
        if not isinstance(error, (NetworkError, ServiceUnavailableError, AmbiguousMintError)):
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()

    def check(self) -> None:
        """Raise NetworkError where no token has ended otherwise for `_OUTAGE` seconds."""
        since = self._since
        if since is not None and time.monotonic() - since >= _OUTAGE:
            raise NetworkError(
                f"It was not tried, since the service could not be reached for {_OUTAGE:g} s.", sent=False
            )


def perform_many(
    params: Mapping[str, Any],
    client: EchoValueClient,
    places: Sequence[tuple[Mapping[str, Any], Place]],
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Do for each of `places`, with its options, what `perform` does for one; return the task's result.

    A failure of one stops no other, but where the service is away: then the rest is not tried, since
    the further tries of each would add up to hours. The result is a failure then, and holds no token.
    A signal lets those under way end, and starts no other.
    """
    warnings: set[str] = set()
    outage = _Outage()

    def one(options: Mapping[str, Any], place: Place) -> dict[str, Any]:
        try:
            outage.check()
            result = perform(options, client, place, check_mode=check_mode, warn=warnings.add)
        except EchoValueError as error:
            outage.note(error)
            where = {name: options[name] for name in ("path", "variable")}
            return {"failed": True, "changed": False, "msg": str(error), **where}
        outage.note(None)
        return result

    # Its import takes time that one token need not pay.
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with signals_held(), ThreadPoolExecutor(params["concurrency"]) as pool:
        futures = [pool.submit(one, options, place) for options, place in places]
        for _future in as_completed(futures):
            if signal_waits():
                pool.shutdown(cancel_futures=True)
                break
    done = [future.result() for future in futures if not future.cancelled()]
    for warning in sorted(warnings):
        warn(warning)
    diffs = [result.pop("diff") for result in done if "diff" in result]
    result: dict[str, Any] = {
        "changed": any(entry["changed"] for entry in done),
        "tokens": done,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }
    failures = [entry for entry in done if entry.get("failed")]
    if failures:
        for entry in done:
            entry["token"] = None  # a failure is shown
        told = [f"{entry['path'] or entry['variable']}: {entry['msg']}" for entry in failures[:_MOST_TOLD]]
        more = len(failures) - len(told)
        result["failed"] = True
        result["msg"] = (
            f"{len(failures)} of {len(done)} tokens failed; the others are where they belong. "
            + " | ".join(told)
            + (f" | and {more} more, listed in tokens." if more else "")
        )
    return result


def perform(
    params: Mapping[str, Any],
    client: EchoValueClient,
    store: Place,
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Do what the options ask for, and return the task's result, the token in it.

    Raises the errors of core/errors.py.
    """
    if params["state"] == "absent":
        outcome = remove(store, dry_run=check_mode)
        changed = outcome.changed
        if outcome.changed:
            warn(
                "EchoValue cannot revoke a token: the one that was removed here stays valid, and "
                "its credits can be spent by whoever has it."
            )
    else:
        outcome = provision(
            client,
            store,
            token=params["token"],
            verify=params["verify"],
            regenerate=params["regenerate"],
            dry_run=check_mode,
        )
        attributes_changed = store.settle_attributes()
        changed = outcome.changed or attributes_changed or store.recovered
        if check_mode and store.path and not os.path.isdir(os.path.dirname(store.path)):
            warn(f"The directory of {store.path} does not exist: without it nothing will be minted.")
    path = params["path"] or params["vault_file"]
    variable = params["variable"] if params["vault_file"] else None
    return {
        "changed": changed,
        "token": outcome.token,
        "hash": outcome.hash,
        "status": outcome.status,
        "balance": outcome.balance,
        "path": path,
        "variable": variable,
        "backup_file": store.backup_file,
        "diff": _diff(outcome, variable or path),
    }


def _diff(outcome: Outcome, path: str | None) -> dict[str, str]:
    """Return the difference in hashes: a new token's is not known before it is minted."""

    def line(token: str | None) -> str:
        return "" if token is None else f"sha256 {token_hash(token)}\n"

    after = line(outcome.token)
    if outcome.token is None and outcome.status in ("minted", "replaced"):
        after = "a new token\n"
    header = path or "token"
    return {
        "before_header": header,
        "before": line(outcome.previous),
        "after_header": header,
        "after": after,
    }
