# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What a place that stores one token offers to the decision in provision.py."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class PendingToken:
    """A token that an interrupted run minted and did not put in its place.

    `replaces` is the fingerprint of the token that it was minted to replace.
    """

    token: str = field(repr=False)
    replaces: str


class Slot(Protocol):
    """Room for one token, made before the mint.

    A slot that is left empty leaves nothing behind. A token that is in it, and not yet in its place,
    is what `Store.pending` returns in the next run.
    """

    def commit(self, token: str) -> None:
        """Store `token`, durably, in place of what `Store.read` found. Called once.

        Raises StoreError, with where the token is pending; ConflictError where another writer was faster.
        """


class Store(Protocol):
    """A place that stores one token. All but `lock` are called with the lock held.

    Failures are StoreError; ConflictError where another writer changed the place after `read`.
    """

    def lock(self) -> AbstractContextManager[object]:
        """Keep others out, as far as the place has a lock, until the context ends."""

    def read(self) -> str | None:
        """Return the stored token, or None; raise where something that is no token is stored."""

    def pending(self) -> PendingToken | None:
        """Return the token of an interrupted run that is pending for this place."""

    def prepare(self) -> AbstractContextManager[Slot | None]:
        """Make the slot for a new token, or for the pending one; what can fail before a mint fails here.

        A store that was made for a dry run makes the same checks, changes nothing, and has no slot: None.
        """

    def drop_pending(self) -> None:
        """Delete the pending token: it was never handed on, and has nothing but its free credits."""

    def remove(self) -> None:
        """Store no token any longer."""
