# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Further places for the token of a place, which decides: its token goes to a copy, and never back.

A new token is in its place before any copy. So what a run leaves undone the next one repairs, and nothing
more has to be pending for a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Protocol

from ..module_utils.core.errors import ConflictError, EchoValueError, StoreError
from ..module_utils.core.models import token_hash
from ..module_utils.core.provision import copy_token, remove
from ..module_utils.core.store import PendingToken, Slot, Store
from ..module_utils.task.outage import listed, unforeseen
from ..module_utils.task.results import KeptStore

_ATTEMPTS = 3  # to make copies of a token that is replaced meanwhile


class CopyStore(Store, Protocol):
    """A `Store` of a copy."""

    def apply_attributes(self) -> bool:
        """Give what is there the attributes that are requested; return whether that changes something."""


@dataclass(frozen=True)
class Copy:
    """A further place. `open(token, dry_run)` is its store for a token, None where that does not matter."""

    kind: str
    words: str
    open: Callable[[str | None, bool], AbstractContextManager[CopyStore]]

    def rehearse(self) -> None:
        """Make sure, changing nothing, that it can be read and written. Raises StoreError."""
        with self.open(None, True) as store, store.lock():
            store.read()
            with store.prepare():
                pass

    def put(self, token: str, *, dry_run: bool) -> str:
        """Make it hold the token; return `written` or `kept`."""
        with self.open(token, dry_run) as store:
            changed = copy_token(store, token, dry_run=dry_run).changed
            changed = store.apply_attributes() or changed
        return "written" if changed else "kept"

    def remove(self, *, dry_run: bool) -> str:
        """Make it hold no token; return `removed` or `absent`."""
        with self.open(None, dry_run) as store:
            return remove(store, dry_run=dry_run).status


class RehearsedStore:
    """The store of a place with copies: what keeps a copy from being made is found before the mint, too."""

    def __init__(self, store: KeptStore, copies: Sequence[Copy]) -> None:
        self._store = store
        self._copies = copies
        self._is_pending = False

    @property
    def backup_file(self) -> str | None:
        """As the store has it."""
        return self._store.backup_file

    def lock(self) -> AbstractContextManager[object]:
        """As the store has it."""
        return self._store.lock()

    def read(self) -> str | None:
        """As the store has it."""
        return self._store.read()

    def pending(self) -> PendingToken | None:
        """As the store has it."""
        found = self._store.pending()
        self._is_pending = found is not None
        return found

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        """Rehearse the copies, unless the token is there already; then as the store has it."""
        if not self._is_pending:
            for copy in self._copies:
                copy.rehearse()
        with self._store.prepare() as slot:
            yield slot

    def drop_pending(self) -> None:
        """As the store has it."""
        self._store.drop_pending()
        self._is_pending = False

    def remove(self) -> None:
        """As the store has it."""
        self._store.remove()


def make_copies(
    entry: dict[str, Any], copies: Sequence[Copy], read: Callable[[], str | None], *, dry_run: bool
) -> dict[str, Any]:
    """Return the result of a place with that of its copies, once each of them holds its token.

    `read` reads the place again: where another token is there after copies were written, they are of that.
    """
    statuses = ["kept"] * len(copies)
    failures: dict[int, EchoValueError] = {}
    token = entry["token"]
    if token is None:  # of a dry run, and new: each copy was rehearsed, and would be written
        return _with_copies(entry, copies, ["written"] * len(copies), failures)
    for _attempt in range(_ATTEMPTS):
        failures = {}
        written = False
        for number, copy in enumerate(copies):
            try:
                if copy.put(token, dry_run=dry_run) == "written":
                    statuses[number], written = "written", True
            except Exception as error:  # noqa: BLE001 - the others must not be left undone for it
                failures[number] = error if isinstance(error, EchoValueError) else unforeseen(error)
        if dry_run or not (written or failures):
            break
        try:
            now = read()
        except EchoValueError as error:
            failures = {**dict.fromkeys(range(len(copies)), error), **failures}
            break
        if now == token:
            break
        if now is None:
            gone = ConflictError("The token was removed from its place by another writer meanwhile.")
            failures = dict.fromkeys(range(len(copies)), gone)
            break
        token = now
    else:
        again = ConflictError("The token in the place was replaced by another writer again and again.")
        failures = {**dict.fromkeys(range(len(copies)), again), **failures}
    return _with_copies({**entry, "token": token, "hash": token_hash(token)}, copies, statuses, failures)


def remove_copies(copies: Sequence[Copy], *, dry_run: bool) -> dict[str, Any]:
    """Remove the token from copies; return what the result says of them."""
    statuses: list[str] = []
    failures: dict[int, EchoValueError] = {}
    for number, copy in enumerate(copies):
        status = "absent"
        try:
            status = copy.remove(dry_run=dry_run)
        except Exception as error:  # noqa: BLE001 - the others must not be left undone for it
            failures[number] = error if isinstance(error, EchoValueError) else unforeseen(error)
        statuses.append(status)
    return _with_copies({"changed": False}, copies, statuses, failures)


def _with_copies(
    entry: dict[str, Any],
    copies: Sequence[Copy],
    statuses: Sequence[str],
    failures: dict[int, EchoValueError],
) -> dict[str, Any]:
    """Return a result with its copies. Where one failed it fails, and holds no token."""
    made = []
    for number, (copy, status) in enumerate(zip(copies, statuses)):
        error = failures.get(number)
        made.append(
            {
                "place": copy.words,
                "store": copy.kind,
                "status": status if error is None else "failed",
                "reason": error and error.reason,
                "msg": error and str(error.args[0]),  # whose advice is that of a place
            }
        )
    changed = entry["changed"] or any(one in ("written", "removed") for one in statuses)
    result = {**entry, "changed": changed, "copies": made}
    if not failures:
        return result
    texts = [f"{one['place']}: {one['msg']}" for one in made if one["status"] == "failed"]
    msg = (
        f"{len(failures)} of {len(copies)} copies failed; the token is in its place. Correct the cause, then "
    )
    msg += f"run again: that run repairs them. {listed(texts, 'copies')}"
    return {**result, "token": None, "failed": True, "reason": StoreError.reason, "msg": msg}
