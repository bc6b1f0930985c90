# SPDX-License-Identifier: GPL-3.0-or-later
"""What echovalue_token does, wherever it runs: as a module on the target, or on the controller."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable

from .core.client import EchoValueClient
from .core.models import token_hash
from .core.provision import REGENERATE, Outcome, provision, remove
from .locked_file import LockedFile

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
}

CONSTRAINTS: dict[str, Any] = {
    "mutually_exclusive": [
        ("path", "vault_file"),
        ("vault_file", "owner"),
        ("vault_file", "group"),
        ("vault_file", "mode"),
    ],
    "required_if": [("state", "absent", ("path", "vault_file"), True)],
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


def perform(
    params: Mapping[str, Any],
    client: EchoValueClient,
    store: LockedFile | Nowhere,
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
    return {
        "changed": changed,
        "token": outcome.token,
        "hash": outcome.hash,
        "status": outcome.status,
        "balance": outcome.balance,
        "path": path,
        "backup_file": store.backup_file,
        "diff": _diff(outcome, path),
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
