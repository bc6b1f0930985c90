# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A `Store` over one secret of a secret manager, and its files in the spool.

A new token is in the spool before it goes to the secret manager, and until that has it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Callable

from ...module_utils.core.errors import ConflictError, StoreError
from ...module_utils.core.models import fingerprint, read_token
from ...module_utils.core.store import PendingToken, Slot
from ...module_utils.files.directory_lock import reason_of
from ...module_utils.files.pending import PendingTokens, StagedFile
from .driver import Driver, conflict, refused, stored_token
from .spool import Spool, SpoolFiles


@dataclass(frozen=True)
class _Secret:
    """A secret that this process works on: one at a time writes it, and these are its keys."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    keys: set[str] = field(default_factory=set)


_guard = threading.Lock()
_secrets: dict[tuple[str, ...], _Secret] = {}


class SpooledStore:
    """Stores a token where a `Driver` says.

    `service` is the base URL that mints it; `advise` returns what a person does about the token that is
    pending in the file at a path.
    """

    def __init__(
        self,
        driver: Driver,
        spool: Spool,
        service: str,
        advise: Callable[[str], str],
        *,
        backup: bool,
        dry_run: bool,
    ) -> None:
        self._driver = driver
        self._advise = advise
        self._spool = spool
        identity = json.dumps([*driver.secret, driver.key, service])
        self._name = hashlib.sha256(identity.encode()).hexdigest()
        files = SpoolFiles(spool, self._name, driver.words)
        self._pending = PendingTokens(files, files.claim)
        self._backup = backup
        self._dry_run = dry_run
        self._stored: str | None = None
        self._former: str | None = None  # the file with what was replaced
        with _guard:
            self._secret = _secrets.setdefault(driver.secret, _Secret())
            self._secret.keys.add(driver.key)

    @property
    def backup_file(self) -> str | None:
        """Where the former token is kept, if it is kept in a file."""
        return self._former or self._driver.backup_file

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the secret for one thread; the file in the spool is the lock against other processes."""
        try:
            with self._secret.lock:
                yield
        except OSError as error:  # of read-only calls: all after a mint handles its own errors
            raise refused(self._driver, "used", reason_of(error)) from None

    def read(self) -> str | None:
        """Return the token under the key; an empty value is a place to fill."""
        self._former = None  # what was kept before a conflict is not what is replaced now
        self._stored = stored_token(self._driver)
        return self._stored

    def pending(self) -> PendingToken | None:
        """Return the token that is pending in the spool for this place."""
        return self._pending.find()

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        """Make the file in the spool, or lock that of the pending token; rehearse the write."""
        was_pending = self._pending.path
        with ExitStack() as until_done:
            slot = None
            if not self._dry_run:
                slot = until_done.enter_context(self._pending.slot(self._stored, self._put))
                before = self._stored
                if self.read() != before:
                    raise conflict(self._driver)
            try:
                self._driver.check_writable()
            except ConflictError:
                raise
            except StoreError as error:
                if was_pending is None:
                    raise
                raise StoreError(error.args[0], self._advise(was_pending)) from None
            yield slot

    def drop_pending(self) -> None:
        """Delete the pending token, once no other process is at it."""
        self._pending.drop()

    def remove(self) -> None:
        """Take the token away where it is kept."""
        self._driver.check_writable()
        self._keep_former()
        self._driver.remove()
        self._drop_former()

    def _put(self, staged: StagedFile, token: str) -> None:
        """Take the token from the spool to where it belongs."""
        try:
            self._keep_former()
            self._driver.write(token)
        except (StoreError, OSError) as error:
            kind = ConflictError if isinstance(error, ConflictError) else StoreError
            why = f"{reason_of(error)}." if isinstance(error, OSError) else error.args[0]
            raise kind(
                f"The new token could not be put into {self._driver.words}: {why}",
                f"It is not lost. {self._advise(staged.path)}",
            ) from None
        staged.discard()
        self._drop_former()

    def _keep_former(self) -> None:
        """Keep a copy of the token that is replaced or removed, before that."""
        if self._backup and self._stored is not None:
            name = f"{self._name}.{fingerprint(self._stored)}.replaced"
            self._former = self._spool.keep(name, self._stored)

    def _drop_former(self) -> None:
        """Delete the copy of the former token where the place is seen to keep that itself."""
        if self._former is not None:
            with suppress(Exception):  # of a look: the write is done, and the copy stays
                if self._place_keeps_former():
                    os.unlink(self._former)
                    self._former = None

    def _place_keeps_former(self) -> bool:
        if self._driver.backup_file is not None:
            return True
        if len(self._secret.keys) > 1:  # each write to another of its keys pushes out an older version
            return False
        return read_token(self._driver.read_former()) == self._stored
