# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the `Store`s that keep a token in a file, whatever the file's format.

A new token is first written whole to `.NAME.new` in the file's own directory, 0600 from its first
instant, then renamed into place. That file is made, with room for what will be written, before the
mint: what can fail fails then. A process that dies between the two leaves it behind, and the next
run puts its token in place instead of minting again.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Callable, Generic, TypeVar

from .core.errors import StoreError
from .core.models import MAX_TOKEN_LENGTH
from .locked_directory import NOTHING_MINTED, LockedDirectory

LONGEST = "x" * MAX_TOKEN_LENGTH  # stands for a token that is not minted yet

Value = TypeVar("Value")


class LockedFile(ABC, Generic[Value]):
    """Keeps a `Value`, a token or several, in the file at `path`; symbolic links are followed.

    `set_attributes(path)` gives a file its owner, group and mode, and tells whether that changed
    something. `backup` keeps what is replaced or removed beside it. A `dry_run` writes nothing.

    After use, `backup_file` is where the former file is kept, and `recovered` tells whether the
    token of an interrupted run was put in its place.
    """

    keeps = True
    max_size: int  # bytes that a file of this kind may have

    def __init__(
        self,
        path: str,
        set_attributes: Callable[[str], bool],
        *,
        backup: bool = True,
        dry_run: bool = False,
        directory: LockedDirectory | None = None,
    ) -> None:
        self.path = os.path.realpath(path)
        self.backup_file: str | None = None
        self.recovered = False
        where, name = os.path.split(self.path)
        self._directory = directory or LockedDirectory(where)
        self._pending = os.path.join(where, f".{name}.new")
        self._set_attributes = set_attributes
        self._backup = backup
        self._dry_run = dry_run
        self._pending_file: BinaryIO | None = None

    @abstractmethod
    def parse(self, content: bytes | None) -> Value | None:
        """Return what a file's content keeps (None: there is no file), None where it keeps nothing.

        Raises StoreError where the content is of another kind than this store's.
        """

    @abstractmethod
    def render(self, content: bytes | None, value: Value) -> bytes:
        """Return the content with the value in it (None: there is no file yet)."""

    @abstractmethod
    def longest(self) -> Value:
        """Return a value that takes as much room as any that may be written."""

    def loses(self, old: Value | None, new: Value | None) -> bool:
        """Tell whether a token of `old` would be gone with `new`."""
        return old is not None and old != new

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the file's directory, and finish what an interrupted run could not."""
        with self._directory.held():
            try:
                if self._directory.exists and not self._dry_run:
                    self._recover()
                yield
            finally:
                if self._pending_file is not None:
                    self._pending_file.close()
                    self._discard_pending()

    def read(self) -> Value | None:
        """Return what the file keeps, None where it keeps nothing."""
        return self.parse(self._read_file(self.path))

    def check_writable(self) -> None:
        """Make the file that the new token goes into, with its owner, group and mode."""
        content = self.render(self._read_file(self.path), self.longest())
        if self._dry_run:
            if self._directory.exists and not os.access(self._directory.path, os.W_OK):
                raise self._error("cannot be written to", PermissionError(errno.EACCES, ""))
            return
        if not self._directory.exists:
            raise StoreError(
                f"The directory {self._directory.path} does not exist.",
                f"{NOTHING_MINTED} Create it first, with ansible.builtin.file.",
            )
        try:
            self._prepare(len(content))
        except OSError as error:
            raise self._error("cannot be written to", error) from None

    def write(self, value: Value) -> None:
        """Put `value` in place, durable when this returns; the former file is kept as a backup."""
        assert self._pending_file is not None, "check_writable comes before write"
        try:
            content, edited = self.render(self._read_file(self.path), value), None
        except StoreError as error:  # somebody has edited it since check_writable
            content, edited = self.render(None, value), error
        try:
            _fill(self._pending_file, content)
        except OSError as error:
            raise StoreError(
                f"The new token could not be written to {self._directory.path} ({_reason(error)}).",
                self._rescue(content),
            ) from None
        try:
            if edited:
                raise edited
            self._put_in_place(self._pending, value)
        except (OSError, StoreError) as error:
            raise StoreError(
                f"The new token could not be put at {self.path} ({_reason(error)}).",
                f"It is kept in {self._pending}, and the next run goes on from there; what stood "
                "at the path is untouched.",
            ) from None

    def remove(self) -> None:
        """Take the file away, keeping a backup of what it kept."""
        try:
            self._make_backup(None)
            os.unlink(self.path)
            self._directory.sync()
        except OSError as error:
            raise StoreError(
                f"{self.path} could not be removed ({_reason(error)}).",
                "Correct its directory's permissions, then run again.",
            ) from None

    def settle_attributes(self) -> bool:
        """Give the file its owner, group and mode; return whether that changes something."""
        return os.path.exists(self.path) and self._set_attributes(self.path)

    def _rescue(self, content: bytes) -> str:
        """Keep a token that its own directory could not take; return what to do about it."""
        try:
            descriptor, path = tempfile.mkstemp(prefix="echovalue-token-")
            with open(descriptor, "wb") as file:
                _fill(file, content)
        except OSError:
            return "It could be kept nowhere and is lost, with its free credits alone."
        return f"It is kept in {path}: make room, move it to {self.path}, then run again."

    def _prepare(self, room: int) -> None:
        """Make the file that a new content goes into, with `room` bytes and the right attributes."""
        with suppress(FileNotFoundError):
            os.unlink(self._pending)
        self._pending_file = _create(self._pending)
        _fill(self._pending_file, bytes(room))
        self._set_attributes(self._pending)

    def _recover(self) -> None:
        """Finish what a process that died after its mint could not."""
        value = self._pending_value()
        if not value:
            return
        try:
            if value != self.read():
                # Rendered anew, since the file may have been edited meanwhile, and beside the
                # pending file, so that a death here loses nothing either.
                merged = f"{self._pending}~"
                with suppress(FileNotFoundError):
                    os.unlink(merged)
                with _create(merged) as file:
                    _fill(file, self.render(self._read_file(self.path), value))
                self._set_attributes(merged)
                self._put_in_place(merged, value)
                self.recovered = True
            os.unlink(self._pending)
        except OSError as error:
            raise StoreError(
                f"{self._pending} holds the token of an interrupted run, and it could not be put "
                f"at {self.path} ({_reason(error)}).",
                "No token was minted. Correct what stands in the way, then run again.",
            ) from None

    def _discard_pending(self) -> None:
        """Delete the file of a run that failed before its mint, never one that holds a token."""
        with suppress(OSError):
            if not self._pending_value():
                os.unlink(self._pending)

    def _pending_value(self) -> Value | None:
        """Return what is whole in the pending file; one that somebody else put there is none."""
        with suppress(FileNotFoundError, StoreError):
            found = os.lstat(self._pending)
            # Where everybody may create files, one of that name may be somebody else's.
            shared = os.stat(self._directory.path).st_mode & stat.S_IWOTH
            if stat.S_ISREG(found.st_mode) and not (shared and found.st_uid != os.geteuid()):
                content = self._read_file(self._pending) or b""
                return self.parse(content) if content.endswith(b"\n") else None
        return None

    def _put_in_place(self, source: str, value: Value | None) -> None:
        self._make_backup(value)
        os.replace(source, self.path)
        self._directory.sync()

    def _make_backup(self, value: Value | None) -> None:
        """Copy a file that loses a token to `value` beside itself, 0600, named as Ansible names backups."""
        content = self._read_file(self.path)
        if not self._backup or content is None or not self.loses(self.parse(content), value):
            return
        moment = time.strftime("%Y-%m-%d@%H:%M:%S")
        backup_file = f"{self.path}.{os.getpid()}.{moment}~"
        with _create(backup_file) as file:
            _fill(file, content)
        self.backup_file = backup_file

    def _read_file(self, path: str) -> bytes | None:
        """Return a regular file's content, at most `max_size` bytes and one more; None if missing."""
        try:
            # O_NONBLOCK: a named pipe must not hang the run.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error("cannot be read", error, path) from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StoreError(
                    f"{path} is not a regular file.",
                    f"{NOTHING_MINTED} Name the file that is to keep the token.",
                )
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(self.max_size + 1)
        finally:
            os.close(descriptor)

    def _error(self, what: str, error: OSError, path: str | None = None) -> StoreError:
        return StoreError(
            f"{path or self._directory.path} {what} ({_reason(error)}).",
            f"{NOTHING_MINTED} Correct the path or its permissions, then run again.",
        )


def _create(path: str) -> BinaryIO:
    """Open a new file for writing, 0600 from its first instant."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)  # whatever the umask took away
    return open(descriptor, "wb")


def _fill(file: BinaryIO, content: bytes) -> None:
    """Make `content` all that an open file holds, durably."""
    file.truncate(len(content))  # first: a token once written is whole, with nothing behind it
    file.seek(0)
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _reason(error: OSError | StoreError) -> str:
    if isinstance(error, StoreError):
        return "it was edited meanwhile"
    return os.strerror(error.errno) if error.errno else "unknown reason"
