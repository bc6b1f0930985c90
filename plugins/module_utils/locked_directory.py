# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that is locked and synced once for all files in it that one process works on."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from .core.errors import StoreError

LOCK_PATIENCE = 300.0  # seconds; far longer than a mint with all its further tries
NOTHING_MINTED = "No token was minted, and nothing was changed."
_LOCK_PAUSE = 0.05  # seconds


class LockedDirectory:
    """A directory for the files of one process; its threads share the lock and the syncs.

    `exists` tells, while it is held, whether there is such a directory.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._holders = 0
        self._descriptor: int | None = None
        self._syncing = threading.Lock()
        self._wanted = 0
        self._synced = 0

    @property
    def exists(self) -> bool:
        return self._descriptor is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the directory itself: no file is left behind, and a dead process holds nothing.

        A directory that does not exist is not locked. Raises StoreError.
        """
        with self._guard:
            if self._holders == 0:
                self._descriptor = self._open()
            self._holders += 1
        try:
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if self._holders == 0 and self._descriptor is not None:
                    os.close(self._descriptor)
                    self._descriptor = None

    def sync(self) -> None:
        """Make what was created and renamed here durable; callers that wait share one sync."""
        with self._guard:
            self._wanted += 1
            ticket = self._wanted
        with self._syncing:
            if self._synced >= ticket:
                return
            upto = self._wanted
            try:
                os.fsync(cast("int", self._descriptor))
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # the file system has no such thing
                    raise
            self._synced = upto

    def _open(self) -> int | None:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error("cannot be opened", error) from None
        try:
            self._wait_for_lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _wait_for_lock(self, descriptor: int) -> None:
        give_up = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                    raise self._error("cannot be locked", error) from None
                if time.monotonic() > give_up:
                    raise StoreError(
                        f"Another process has held the lock on {self.path} for {LOCK_PATIENCE:g} s.",
                        f"{NOTHING_MINTED} Find it with fuser or lsof; then run again.",
                    ) from None
            time.sleep(_LOCK_PAUSE)

    def _error(self, what: str, error: OSError) -> StoreError:
        return StoreError(
            f"{self.path} {what} ({os.strerror(error.errno or 0)}).",
            f"{NOTHING_MINTED} Correct the path or its permissions, then run again.",
        )
