# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A directory that is locked and synced once for all files in it that one process works on."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..core.errors import NOTHING_MINTED, StoreError

LOCK_PATIENCE = 300.0  # seconds; far longer than a mint with all its retries
_LOCK_PAUSE = 0.05  # seconds


class DirectoryLock:
    """A directory for the files of one process; its threads share the lock and the syncs.

    One that cannot be opened is not locked: a file in it may still be read, and `check` says why
    nothing can be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._holders = 0
        self._descriptor: int | None = None
        self._failure: OSError | None = None
        self._names: tuple[str, ...] = ()
        self._syncing = threading.Lock()
        self._wanted = 0
        self._synced = 0

    @property
    def exists(self) -> bool:
        """Whether there is such a directory, or something that keeps us from knowing."""
        return not isinstance(self._failure, (FileNotFoundError, NotADirectoryError))

    @property
    def names(self) -> tuple[str, ...]:
        """The hidden names in it at the time it was locked."""
        return self._names

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the directory itself: no file is left behind, and a dead process holds nothing.

        Raises StoreError where another process holds it too long, or the system refuses a look into it.
        """
        with self._guard:
            if self._holders == 0:
                self._open()
            self._holders += 1
        try:
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if self._holders == 0 and self._descriptor is not None:
                    close(self._descriptor)
                    self._descriptor = None

    def check(self) -> None:
        """Raise StoreError where no file can be made here. Called while it is locked."""
        if not self.exists:
            raise StoreError(
                f"The directory {self.path} does not exist.", f"{NOTHING_MINTED} Create it first."
            )
        failure = self._failure
        if failure is None and not os.access(self.path, os.W_OK | os.X_OK):
            failure = PermissionError(errno.EACCES, "")
        if failure is not None:
            raise StoreError(
                f"{self.path} cannot be written to ({reason_of(failure)}).",
                f"{NOTHING_MINTED} Correct the path or its permissions, then run again.",
            )

    def sync(self) -> None:
        """Make what was created and renamed here durable; callers that wait share one sync."""
        with self._guard:
            self._wanted += 1
            ticket = self._wanted
        with self._syncing:
            if self._synced >= ticket:
                return
            upto = self._wanted
            if self._descriptor is not None:
                sync_directory(self._descriptor)
            self._synced = upto

    def _open(self) -> None:
        self._failure, self._names = None, ()
        try:
            self._descriptor = os.open(self.path, os.O_DIRECTORY)
        except OSError as error:
            self._failure = error
            return
        try:
            wait_for_lock(self._descriptor, self.path)
            self._names = tuple(name for name in os.listdir(self._descriptor) if name.startswith("."))
        except BaseException as error:
            close(self._descriptor)
            self._descriptor = None
            if not isinstance(error, OSError):
                raise
            raise StoreError(
                f"{self.path} cannot be used ({reason_of(error)}).",
                f"{NOTHING_MINTED} Correct the path or its permissions, then run again.",
            ) from None


def wait_for_lock(descriptor: int, path: str) -> None:
    """Lock an open file or directory for this process; raise StoreError where that takes too long."""
    give_up = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                raise StoreError(
                    f"{path} cannot be locked ({reason_of(error)}).",
                    f"{NOTHING_MINTED} Use a file system with locks.",
                ) from None
            if time.monotonic() > give_up:
                raise StoreError(
                    f"Another process has held the lock on {path} for {LOCK_PATIENCE:g} s.",
                    f"{NOTHING_MINTED} Find it with fuser or lsof; then run again.",
                ) from None
        time.sleep(_LOCK_PAUSE)


def close(descriptor: int) -> None:
    """Close a descriptor; what must be on the disk was synced before, so no error matters any more."""
    with suppress(OSError):
        os.close(descriptor)


def sync_directory(descriptor: int) -> None:
    """Make the entries of an open directory durable, where its file system has such a thing."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def reason_of(error: OSError) -> str:
    """Return the system's words for an error, without the path that an OSError repeats."""
    return os.strerror(error.errno) if error.errno else "unknown reason"
