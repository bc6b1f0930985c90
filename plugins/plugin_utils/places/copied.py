# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A `Store` over one secret that holds a copy: what is pending for it is the token of the place itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...module_utils.core.store import PendingToken, Slot
from ...module_utils.files.directory_lock import reason_of
from .driver import Driver, refused
from .spool import Spool
from .spooled import SpooledStore


class CopiedStore(SpooledStore):
    """Stores a token that is safe elsewhere, so none is spooled; what it replaces is kept, as in a place.

    A dry run takes no lock, so that it can be made while the place itself is locked.
    """

    def __init__(self, driver: Driver, spool: Spool, *, backup: bool, dry_run: bool) -> None:
        super().__init__(driver, spool, "", str, backup=backup, dry_run=dry_run)  # nothing is pending

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the secret for one thread."""
        if not self._dry_run:
            with super().lock():
                yield
            return
        try:
            yield
        except OSError as error:
            raise refused(self._driver, "used", reason_of(error)) from None

    def pending(self) -> PendingToken | None:
        """Return None."""
        return None

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        """Rehearse the write."""
        self._driver.check_writable()
        yield None if self._dry_run else self

    def commit(self, token: str) -> None:
        """Write the token, in place of the one that was read."""
        self._keep_former()
        self._driver.write(token)
        self._drop_former()

    def apply_attributes(self) -> bool:
        """Give the secret the attributes that were requested; return whether that changes something."""
        return self._driver.apply_attributes(dry_run=self._dry_run)
