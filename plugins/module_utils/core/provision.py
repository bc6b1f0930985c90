# SPDX-License-Identifier: BSD-2-Clause
"""The decision: keep, adopt, mint, replace or refuse a token, over a client and a place to keep it.

EchoValue gives a token once and keeps no list. So the place where it is kept alone tells whether
one is there: find it, prove it with the free probe, mint only where there is none, and put a new
one in its place before anything else can happen.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from .client import EchoValueClient
from .errors import InvalidInputError, UnauthorizedError
from .models import check_token, token_hash
from .signals import signals_held

REGENERATE = ("never", "if_invalid", "always")


class Store(Protocol):
    """A place that keeps one token. All but `lock` are called with the lock held.

    Failures are StoreError, but for what `read` finds: no token is None.
    """

    keeps: bool  # False where there is no place, and a token is only handed on

    def lock(self) -> AbstractContextManager[object]:
        """Keep all others out, on this machine or beyond, until the context ends."""

    def read(self) -> str | None:
        """Return the token kept, or None; raise where something that is no token stands there."""

    def check_writable(self) -> None:
        """Make sure, as far as can be, that `write` will succeed; raise while nothing is lost.

        A dry run calls it too, so a store made for one changes nothing here.
        """

    def write(self, token: str) -> None:
        """Keep `token` in place of what is there; when it returns, the token is durable."""

    def remove(self) -> None:
        """Keep no token any longer."""


@dataclass(frozen=True)
class Outcome:
    """What was done, or in a dry run would be.

    `status` is minted, kept, adopted, replaced, removed or absent; `token` is None where there is
    none, or where a dry run would mint it; `previous` is what was kept before; `balance` counts
    credits where a probe told it; `changed` says that what is kept changed, or a token was minted.
    """

    status: str
    token: str | None = field(default=None, repr=False)
    previous: str | None = field(default=None, repr=False)
    balance: int | None = None
    changed: bool = False

    @property
    def hash(self) -> str | None:
        """The sha256 of `token` in hex, or None."""
        return None if self.token is None else token_hash(self.token)


def provision(
    client: EchoValueClient,
    store: Store,
    *,
    token: str | None = None,
    verify: bool = True,
    regenerate: str = "never",
    dry_run: bool = False,
) -> Outcome:
    """Make sure that `store` keeps a token, and return what was done.

    `token` is one to adopt: it is proven, then stored; without it a stored token is kept, and one
    is minted where none is. `verify` proves a stored token by the free probe. `regenerate` says
    when a stored token gives way to a new one: never, if_invalid (a 401), always. `dry_run` decides
    and proves, but mints and writes nothing.

    Raises errors of errors.py; until the write, whatever fails leaves the store as it was.
    """
    if regenerate not in REGENERATE:
        raise InvalidInputError(f"regenerate must be one of {', '.join(REGENERATE)}.")
    if token is not None:
        check_token(token)
        if regenerate == "always":
            raise InvalidInputError(
                "token names the token to keep, regenerate: always asks for a new one: they "
                "exclude each other."
            )
    with store.lock():
        stored = store.read()
        if token is not None and token != stored:
            return _adopt(client, store, token, stored, dry_run)
        if stored is None or regenerate == "always":
            return _mint(client, store, stored, dry_run)
        if not verify:
            return Outcome("kept", stored, stored)
        probe = client.probe(stored)
        if probe.valid:
            return Outcome("kept", stored, stored, probe.balance)
        if regenerate == "if_invalid" and token is None:
            return _mint(client, store, stored, dry_run)
        raise UnauthorizedError(
            "The service does not know the stored token (HTTP 401).",
            status=401,
            advice="It was left as it is, and none was minted. Check that base_url is the service "
            "that minted it. If the token is truly gone, set regenerate: if_invalid, which keeps "
            "a backup and mints a new one, or put the right token in its place.",
        )


def remove(store: Store, *, dry_run: bool = False) -> Outcome:
    """Make sure that `store` keeps no token, and return what was done; no request is sent."""
    with store.lock():
        stored = store.read()
        if stored is None:
            return Outcome("absent")
        if not dry_run:
            store.remove()
        return Outcome("removed", previous=stored, changed=True)


def _adopt(client: EchoValueClient, store: Store, token: str, stored: str | None, dry_run: bool) -> Outcome:
    probe = client.probe(token)
    if not probe.valid:
        raise UnauthorizedError(
            "The service does not know the token that was given (HTTP 401).",
            status=401,
            advice="Nothing was changed. Check that it is whole and that base_url is the service "
            "that minted it.",
        )
    store.check_writable()
    if not dry_run:
        store.write(token)
    return Outcome("adopted", token, stored, probe.balance, changed=store.keeps)


def _mint(client: EchoValueClient, store: Store, stored: str | None, dry_run: bool) -> Outcome:
    status = "minted" if stored is None else "replaced"
    store.check_writable()
    if dry_run:
        return Outcome(status, None, stored, changed=True)
    with signals_held():
        token = client.create_token()
        store.write(token)  # nothing that can fail stands between the mint and this
    return Outcome(status, token, stored, changed=True)
