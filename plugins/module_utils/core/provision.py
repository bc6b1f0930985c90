# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The decision: keep, adopt, mint, replace or refuse a token, over a client and a place to keep it.

EchoValue returns a token once and keeps no list. So only the place where it is stored shows whether
there is one: find it, prove it with the free probe, mint only where there is none, and store a new
one in its place before anything else can happen.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Callable, Literal

from .client import EchoValueClient
from .errors import ConflictError, InvalidInputError, StoredTokenUnknownError, StoreError, UnauthorizedError
from .models import check_token, fingerprint, token_hash
from .rotation import Rotation, Verdict, check_goes_with
from .signals import run_uninterrupted
from .store import Slot, Store

REGENERATE = ("never", "if_invalid", "always")
_ATTEMPTS = 3  # to write where another writer is at work

Status = Literal["minted", "kept", "adopted", "replaced", "removed", "absent"]


@dataclass(frozen=True)
class Outcome:
    """What was done, or in a dry run would be.

    `token` is None where there is none, or where a dry run would mint it; `previous` is what was stored
    before; `balance` counts credits where they were read; `changed` says that what is stored changed,
    or a token was minted.

    With a rotation by age, `created` is when the service says that `token` was created, and `rotation_due`
    whether it is older than it may be; both are None where that was not read. `held_back` says to people
    why such a token was not rotated, "" where nothing held that back.
    """

    status: Status
    token: str | None = field(default=None, repr=False)
    previous: str | None = field(default=None, repr=False)
    balance: int | None = None
    changed: bool = False
    created: str | None = None
    rotation_due: bool | None = None
    held_back: str = ""

    @property
    def hash(self) -> str | None:
        """The sha256 of `token` in hex, or None."""
        return None if self.token is None else token_hash(self.token)


def provision(
    client: EchoValueClient,
    store: Store | None,
    *,
    token: str | None = None,
    overwrite: bool = True,
    verify: bool = True,
    regenerate: str = "never",
    rotation: Rotation | None = None,
    rotates: str | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Make sure that `store` keeps a token, and return what was done.

    `store` None keeps nothing: a token is only handed on. `token` is one to adopt: it is proven,
    then stored, in place of another one only with `overwrite`; without it a stored token is kept, and one
    is minted where none is. `verify` proves a stored token by the free probe. `regenerate` says when a
    stored token gives way to a new one: never, if_invalid (a 401), always; `rotation` replaces one for its
    age, which takes a credit to read, in a dry run too. `rotates` is the hash of the only valid token that
    gives way: another one is the rotation, of another writer or of a run that died, and is kept.
    `dry_run` decides and proves, but mints and writes nothing.

    Where another writer is at work at the same time, what it stored is read and kept.

    Raises errors of errors.py; until the write, whatever fails leaves the store as it was.
    """
    if regenerate not in REGENERATE:
        raise InvalidInputError(f"regenerate must be one of {', '.join(REGENERATE)}.")
    if token is not None:
        token = check_token(token)
        if regenerate == "always":
            raise InvalidInputError(
                "A token to adopt is the one to keep, and regenerate requests a new one: they exclude "
                "each other."
            )
    if rotation is not None:
        check_goes_with(stored=store is not None, token=token, verify=verify, regenerate=regenerate)
    if store is None:
        if token is not None:
            return Outcome("adopted", token, None, _prove(client, token))
        return Outcome("minted", None if dry_run else client.create_token(), changed=True)
    request = _Request(token, overwrite, verify, regenerate, rotation, rotates, dry_run)
    return _retry_on_conflict(_Run(client, store, request).attempt)


def remove(store: Store, *, dry_run: bool = False) -> Outcome:
    """Make sure that `store` keeps no token, and return what was done; no request is sent."""
    return _retry_on_conflict(lambda: _remove(store, dry_run))


def copy_token(store: Store, token: str, *, dry_run: bool = False) -> Outcome:
    """Make sure that `store` keeps the token of another place, where it was proven; no request is sent.

    What was pending for this place is dropped: the other one decides. The status is kept or adopted.
    """
    return _retry_on_conflict(lambda: _copy(store, token, dry_run))


def _copy(store: Store, token: str, dry_run: bool) -> Outcome:
    with store.lock():
        stored = store.read()
        if store.pending() is not None and not dry_run:
            store.drop_pending()
        if stored == token:
            return Outcome("kept", token, stored)
        with store.prepare() as slot:
            if slot is not None:
                slot.commit(token)
        return Outcome("adopted", token, stored, changed=True)


def _retry_on_conflict(attempt: Callable[[], Outcome]) -> Outcome:
    """Return what an attempt returns; it is retried where another writer changed the place meanwhile."""
    for _attempt in range(_ATTEMPTS - 1):
        with suppress(ConflictError):
            return attempt()
    return attempt()


def _remove(store: Store, dry_run: bool) -> Outcome:
    with store.lock():
        stored = store.read()
        pending = store.pending()
        if not dry_run:
            if stored is not None:
                store.remove()
            if pending is not None:
                store.drop_pending()
        if stored is None:
            return Outcome("absent", changed=pending is not None)
        return Outcome("removed", previous=stored, changed=True)


def _prove(client: EchoValueClient, token: str) -> int | None:
    """Return the balance of a passed token, or raise UnauthorizedError."""
    probe = client.probe(token)
    if not probe.valid:
        raise UnauthorizedError("The service does not know the token that was passed (HTTP 401).", status=401)
    return probe.balance


@dataclass(frozen=True)
class _Request:
    """The arguments of one call of `provision`."""

    token: str | None = field(repr=False)
    overwrite: bool
    verify: bool
    regenerate: str
    rotation: Rotation | None
    rotates: str | None
    dry_run: bool


class _Run:
    """One call of `provision`: its attempts share what the first of them found."""

    def __init__(self, client: EchoValueClient, store: Store, request: _Request) -> None:
        self._client = client
        self._store = store
        self._request = request
        self._verdict: Verdict | None = None  # on the token that was found at first
        self._found: list[str | None] = []  # what each attempt read
        self._minted: str | None = None
        self._blocked: StoreError | None = None  # why the pending token cannot be stored

    def attempt(self) -> Outcome:
        """Read what is stored now, decide, and do it."""
        with self._store.lock():
            stored = self._store.read()
            self._found.append(stored)
            self._blocked = None
            if self._request.token is not None:
                return self._adopt(self._request.token, stored)
            usable = self._usable_pending(stored)
            if usable is not None:
                taken_up = self._take_up(*usable, stored)
                if taken_up is not None:
                    return taken_up
            if stored is None or (self._request.regenerate == "always" and self._may_rotate(stored)):
                return self._mint(stored)
            return self._keep(stored)

    def _may_rotate(self, stored: str) -> bool:
        """Whether a stored token is the one to rotate, not what another writer put there."""
        requested = self._request.rotates in (None, token_hash(stored))
        return requested and stored == self._found[0]

    def _usable_pending(self, stored: str | None) -> tuple[str, int | None] | None:
        """Return the pending token and its balance; drop one that is superseded or not valid."""
        pending = self._store.pending()
        if pending is None:
            return None
        balance = None
        usable = stored is None or pending.replaces == fingerprint(stored)
        if usable and self._request.verify and pending.token != self._minted:
            probe = self._client.probe(pending.token)
            usable, balance = probe.valid, probe.balance
        if usable:
            return pending.token, balance
        if not self._request.dry_run:
            self._store.drop_pending()
        return None

    def _take_up(self, token: str, balance: int | None, stored: str | None) -> Outcome | None:
        """Put a pending token in its place; None where that is not possible, and another one is stored."""
        with ExitStack() as until_done:
            try:
                slot = until_done.enter_context(self._store.prepare())
            except ConflictError:
                raise
            except StoreError as error:
                if stored is None:
                    raise
                self._blocked = error
                return None  # the stored token may be good, whatever is pending
            if slot is not None:
                slot.commit(token)
        is_own = token == self._minted
        status: Status = "replaced" if is_own and stored is not None else "minted"
        due = self._due_when_new if is_own else None
        return Outcome(status, token, stored, balance, changed=True, rotation_due=due)

    def _keep(self, stored: str) -> Outcome:
        if not self._request.verify:
            return Outcome("kept", stored, stored)
        probe = self._client.probe(stored)
        if probe.valid:
            if self._request.rotation is None or not self._may_rotate(stored):
                return Outcome("kept", stored, stored, probe.balance)
            return self._keep_unless_due(self._request.rotation, stored, probe.balance)
        if self._request.regenerate == "if_invalid" and self._request.token is None:
            return self._mint(stored)
        raise StoredTokenUnknownError("The service does not know the stored token (HTTP 401).", status=401)

    def _keep_unless_due(self, rotation: Rotation, stored: str, balance: int | None) -> Outcome:
        if self._verdict is None:
            self._verdict = rotation.judge(self._client, stored, balance)
        verdict = self._verdict
        if verdict.due and not verdict.held_back:
            return self._mint(stored)
        return Outcome(
            "kept",
            stored,
            stored,
            balance,
            created=verdict.created,
            rotation_due=verdict.due,
            held_back=verdict.held_back,
        )

    def _adopt(self, token: str, stored: str | None) -> Outcome:
        if token == stored:
            kept = self._keep(token)
            self._drop_pending()
            return kept
        if stored is not None and not self._request.overwrite:
            raise ConflictError(f"Another token is stored there: the one with hash {token_hash(stored)}.")
        balance = _prove(self._client, token)
        self._drop_pending(but=token)  # else the next run would put it in place instead
        with self._store.prepare() as slot:
            if slot is not None:
                slot.commit(token)
        return Outcome("adopted", token, stored, balance, changed=True)

    def _drop_pending(self, but: str | None = None) -> None:
        """Drop what an interrupted run left, unless it is the token `but`: another one was requested."""
        pending = self._store.pending()
        if pending is not None and pending.token != but and not self._request.dry_run:
            self._store.drop_pending()

    def _mint(self, stored: str | None) -> Outcome:
        if self._blocked is not None:
            raise self._blocked
        status: Status = "minted" if stored is None else "replaced"
        with self._store.prepare() as slot:
            token = None if slot is None else run_uninterrupted(lambda: self._mint_into(slot))
        return Outcome(status, token, stored, changed=True, rotation_due=self._due_when_new)

    @property
    def _due_when_new(self) -> bool | None:
        """Whether a token that this run minted has to be rotated: no, where that is a question at all."""
        return None if self._request.rotation is None else False

    def _mint_into(self, slot: Slot) -> str:
        token = self._minted = self._client.create_token()
        slot.commit(token)  # nothing that can fail comes between the mint and this
        return token
