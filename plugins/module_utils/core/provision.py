# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The decision: keep, adopt, mint, replace or refuse a token, over a client and a place to keep it.

EchoValue gives a token once and keeps no list. So the place where it is kept alone tells whether
one is there: find it, prove it with the free probe, mint only where there is none, and put a new
one in its place before anything else can happen.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Callable, Literal, Protocol

from .client import EchoValueClient
from .errors import ConflictError, InvalidInputError, StoredTokenUnknownError, StoreError, UnauthorizedError
from .models import check_token, fingerprint, token_hash
from .signals import run_uninterrupted

REGENERATE = ("never", "if_invalid", "always")
_ATTEMPTS = 3  # to write where somebody else writes too


@dataclass(frozen=True)
class PendingToken:
    """A token that an interrupted run minted and could not put in its place.

    `replaces` is the fingerprint of the token that it was minted to replace.
    """

    token: str = field(repr=False)
    replaces: str


class Store(Protocol):
    """A place that keeps one token. All but `lock` are called with the lock held.

    Failures are StoreError; ConflictError where somebody else changed the place after `read`.
    """

    def lock(self) -> AbstractContextManager[object]:
        """Keep others out, as far as the place has a lock, until the context ends."""

    def read(self) -> str | None:
        """Return the token kept, or None; raise where something that is no token stands there."""

    def pending(self) -> PendingToken | None:
        """Return the token of an interrupted run that waits for this place."""

    def check_writable(self) -> None:
        """Make sure, as far as can be, that `write` will succeed; raise while nothing is lost.

        A dry run calls it too, so a store made for one changes nothing here.
        """

    def write(self, token: str) -> None:
        """Keep `token` in place of what `read` found; when it returns, the token is durable.

        A token that cannot be put in place waits for the next run, and the error says where.
        """

    def drop_pending(self) -> None:
        """Delete the token that waits: it was never handed on, and holds free credits alone."""

    def remove(self) -> None:
        """Keep no token any longer."""


Status = Literal["minted", "kept", "adopted", "replaced", "removed", "absent"]


@dataclass(frozen=True)
class Outcome:
    """What was done, or in a dry run would be.

    `token` is None where there is none, or where a dry run would mint it; `previous` is what was stored
    before; `balance` counts credits where a probe reported them; `changed` says that what is stored changed,
    or a token was minted.
    """

    status: Status
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
    store: Store | None,
    *,
    token: str | None = None,
    verify: bool = True,
    regenerate: str = "never",
    dry_run: bool = False,
) -> Outcome:
    """Make sure that `store` keeps a token, and return what was done.

    `store` None keeps nothing: a token is only handed on. `token` is one to adopt: it is proven,
    then stored; without it a stored token is kept, and one is minted where none is. `verify` proves
    a stored token by the free probe. `regenerate` says when a stored token gives way to a new one:
    never, if_invalid (a 401), always. `dry_run` decides and proves, but mints and writes nothing.

    Where somebody else writes at the same time, what they put there is read and kept.

    Raises errors of errors.py; until the write, whatever fails leaves the store as it was.
    """
    if regenerate not in REGENERATE:
        raise InvalidInputError(f"regenerate must be one of {', '.join(REGENERATE)}.")
    if token is not None:
        token = check_token(token)
        if regenerate == "always":
            raise InvalidInputError(
                "A token to adopt is the one to keep, and regenerate asks for a new one: they exclude "
                "each other."
            )
    if store is None:
        if token is not None:
            return Outcome("adopted", token, None, _prove(client, token))
        return Outcome("minted", None if dry_run else client.create_token(), changed=True)
    return _retry_on_conflict(_Run(client, store, token, verify, regenerate, dry_run).attempt)


def remove(store: Store, *, dry_run: bool = False) -> Outcome:
    """Make sure that `store` keeps no token, and return what was done; no request is sent."""
    return _retry_on_conflict(lambda: _remove(store, dry_run))


def _retry_on_conflict(attempt: Callable[[], Outcome]) -> Outcome:
    """Return what an attempt returns; one that somebody else overtook is made again."""
    for _attempt in range(_ATTEMPTS - 1):
        with suppress(ConflictError):
            return attempt()
    return attempt()


def _remove(store: Store, dry_run: bool) -> Outcome:
    with store.lock():
        stored = store.read()
        waiting = store.pending()
        if not dry_run:
            if stored is not None:
                store.remove()
            if waiting is not None:
                store.drop_pending()
        if stored is None:
            return Outcome("absent", changed=waiting is not None)
        return Outcome("removed", previous=stored, changed=True)


def _prove(client: EchoValueClient, token: str) -> int | None:
    """Return the balance of a token that was given, or raise UnauthorizedError."""
    probe = client.probe(token)
    if not probe.valid:
        raise UnauthorizedError("The service does not know the token that was given (HTTP 401).", status=401)
    return probe.balance


class _Run:
    """One call of `provision`: its attempts share what the first of them found."""

    def __init__(
        self,
        client: EchoValueClient,
        store: Store,
        token: str | None,
        verify: bool,
        regenerate: str,
        dry_run: bool,
    ) -> None:
        self._client = client
        self._store = store
        self._token = token
        self._verify = verify
        self._regenerate = regenerate
        self._dry_run = dry_run
        self._found: list[str | None] = []  # what each attempt read
        self._minted: str | None = None

    def attempt(self) -> Outcome:
        """Read what stands there now, decide, and do it."""
        with self._store.lock():
            stored = self._store.read()
            self._found.append(stored)
            if self._token is not None and self._token != stored:
                return self._adopt(self._token, stored)
            taken_up = self._take_up(stored)
            if taken_up is not None:
                return taken_up
            # Rotated is what was there at first, not what somebody else put there meanwhile.
            if stored is None or (self._regenerate == "always" and stored == self._found[0]):
                return self._mint(stored)
            kept = self._keep(stored)
            if self._token is not None:
                self._drop_waiting()
            return kept

    def _take_up(self, stored: str | None) -> Outcome | None:
        """Put a token that waits in its place; drop one that somebody else overtook, or that is dead."""
        waiting = self._store.pending() if self._token is None else None
        if waiting is None:
            return None
        balance = None
        usable = stored is None or waiting.replaces == fingerprint(stored)
        if usable and self._verify and waiting.token != self._minted:
            probe = self._client.probe(waiting.token)
            usable, balance = probe.valid, probe.balance
        if not usable:
            if not self._dry_run:
                self._store.drop_pending()
            return None
        try:
            self._store.check_writable()
        except ConflictError:
            raise
        except StoreError:
            if stored is None:
                raise
            return None  # a token that stands there is not lost for what waits beside it
        if not self._dry_run:
            self._store.write(waiting.token)
        rotated = stored is not None and waiting.token == self._minted
        return Outcome("replaced" if rotated else "minted", waiting.token, stored, balance, changed=True)

    def _keep(self, stored: str) -> Outcome:
        if not self._verify:
            return Outcome("kept", stored, stored)
        probe = self._client.probe(stored)
        if probe.valid:
            return Outcome("kept", stored, stored, probe.balance)
        if self._regenerate == "if_invalid" and self._token is None:
            return self._mint(stored)
        raise StoredTokenUnknownError("The service does not know the stored token (HTTP 401).", status=401)

    def _adopt(self, token: str, stored: str | None) -> Outcome:
        balance = _prove(self._client, token)
        self._drop_waiting(but=token)  # else it would be put in place instead
        self._store.check_writable()
        if not self._dry_run:
            self._store.write(token)
        return Outcome("adopted", token, stored, balance, changed=True)

    def _drop_waiting(self, but: str | None = None) -> None:
        """Drop what an interrupted run left, unless it is the token `but`: another was given."""
        waiting = self._store.pending()
        if waiting is not None and waiting.token != but and not self._dry_run:
            self._store.drop_pending()

    def _mint(self, stored: str | None) -> Outcome:
        status: Status = "minted" if stored is None else "replaced"
        self._store.check_writable()
        if self._dry_run:
            return Outcome(status, None, stored, changed=True)
        return Outcome(status, run_uninterrupted(self._mint_and_write), stored, changed=True)

    def _mint_and_write(self) -> str:
        token = self._minted = self._client.create_token()
        self._store.write(token)  # nothing that can fail comes between the mint and this
        return token
