# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A file that is read, replaced in one step, or removed, under the lock of its directory.

A new content goes into a staged file beside it. That is made with room, and with the attributes of
the file that it replaces, before the mint: what can fail fails then.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Callable

from ..core.errors import NOTHING_MINTED, ConflictError, StoreError
from .directory_lock import DirectoryLock, close, reason_of
from .pending import PendingFile, PendingFiles, StagedFile

_ACL = "system.posix_acl_access"
_MOUNTED = "/proc/self/mountinfo"


class _Backup:
    """Copies the former content of the file at `path` beside it; `file` is where. Raises OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.file: str | None = None

    def make(self, content: bytes) -> None:
        """Copy the content, 0600, under a name much as Ansible's backups have."""
        moment = time.strftime("%Y-%m-%d@%H:%M:%S")
        file = f"{self._path}.{os.getpid()}.{moment}.{secrets.token_hex(4)}~"
        backup = StagedFile.create(file)
        try:
            with suppress(PermissionError):  # only root may give a file away
                found = os.stat(self._path)
                os.chown(file, found.st_uid, found.st_gid)
            backup.fill(content)
        finally:
            backup.close()
        self.file = file

    @contextmanager
    def made(self, content: bytes) -> Iterator[None]:
        """Make it for the context's work; delete it where that fails, else each run would add one."""
        self.make(content)
        try:
            yield
        except OSError:
            if self.file is not None:
                with suppress(OSError):
                    os.unlink(self.file)
                self.file = None
            raise


class AtomicFile:
    """The file at `path`, symbolic links followed; of at most `max_size` bytes.

    `set_attributes(path)` gives a file the requested owner, group and mode, and returns whether that
    changed something, or raises StoreError without advice. `backup` keeps what is replaced or removed
    beside it. A `dry_run` writes nothing. `suffix` names the staged files. Files of one directory may
    share a `directory`.

    All raise StoreError. After use, `backup_file` is where the former file is kept.
    """

    def __init__(
        self,
        path: str,
        max_size: int,
        *,
        set_attributes: Callable[[str], bool] = lambda _path: False,
        backup: bool = True,
        dry_run: bool = False,
        suffix: str = ".new",
        directory: DirectoryLock | None = None,
    ) -> None:
        self.path = os.path.realpath(path)
        self._backup = _Backup(self.path) if backup else None
        where, name = os.path.split(self.path)
        self._directory = directory or DirectoryLock(where)
        self.staged_files = PendingFiles(where, f".{name}", suffix, max_size, lambda: self._directory.names)
        self._max_size = max_size
        self._set_attributes = set_attributes
        self._dry_run = dry_run
        self._found: bytes | None = None  # what the last `read` found

    @property
    def backup_file(self) -> str | None:
        """Where the former file is, if a backup was made."""
        return None if self._backup is None else self._backup.file

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the file's directory."""
        try:
            with self._directory.lock():
                yield
        except OSError as error:  # of read-only calls: all after a mint handles its own errors
            raise self._error(f"or its directory cannot be used ({reason_of(error)})") from None

    def read(self) -> bytes | None:
        """Return the content, at most `max_size` bytes and one more; None where there is no file."""
        self._found = self._read()
        return self._found

    def check_writable(self) -> None:
        """Make sure, writing nothing, that the file can be replaced."""
        if self._dry_run and not self._directory.exists:
            return  # a task before this one would make it
        self._directory.check()
        try:
            found = os.stat(self.path)
            if self.path in _mount_points():
                raise self._error("cannot be replaced: it is a mount point of its own")
            close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EACCES:  # which keeps from writing into it, not from replacing it
                raise self._error(f"cannot be replaced ({reason_of(error)})") from None
        where = os.stat(self._directory.path)
        if where.st_mode & stat.S_ISVTX and os.geteuid() not in (0, found.st_uid, where.st_uid):
            raise self._error("cannot be replaced: it is another user's, in a directory with the sticky bit")

    def stage(self, room: int, replaces: str = "", pending: PendingFile | None = None) -> StagedFile:
        """Make the file for a new content of at most `room` bytes, with its attributes; or open `pending`."""
        self.check_writable()
        try:
            if pending is not None:
                return pending.open()
            staged = self.staged_files.stage(room, replaces)
            try:
                if self._found is not None:
                    _copy_attributes(self.path, staged.path)
                self._set_attributes(staged.path)
            except BaseException:
                staged.discard()
                raise
            return staged
        except OSError as error:
            raise StoreError(
                f"{self._directory.path} cannot be written to ({reason_of(error)}).",
                f"{NOTHING_MINTED} Correct the path or its permissions, then run again.",
            ) from None
        except StoreError as error:  # of the attributes
            raise StoreError(error.args[0], NOTHING_MINTED) from None

    def replace(self, content: bytes, *, keep_former: bool) -> None:
        """Stage a content that is safe elsewhere, and put it in place; a failure leaves nothing staged."""
        self.drop_staged()
        staged = self.stage(len(content))
        try:
            self.put_content(staged, content, keep_former=keep_former)
        finally:
            staged.discard()

    def put_content(self, staged: StagedFile, content: bytes, *, keep_former: bool) -> None:
        """Fill a staged file with a content that is safe elsewhere, and put it in place."""
        try:
            staged.fill(content)
        except OSError as error:
            raise self._error(f"could not be written ({reason_of(error)})") from None
        self.put_in_place(staged.path, keep_former=keep_former)

    def put_in_place(self, source: str, *, keep_former: bool) -> None:
        """Let a filled file take this one's place, durably, unless that was edited after `read`."""
        try:
            if self._read() != self._found:
                raise ConflictError(
                    f"{self.path} was edited while a new token was on its way.",
                    f"The token is pending in {source}, and the file at the path is untouched. Run again: "
                    "that run puts it in place.",
                )
            with self._backed_up() if keep_former else nullcontext():
                os.replace(source, self.path)
        except OSError as error:
            raise _not_put(self.path, source, reason_of(error)) from None
        except ConflictError:
            raise
        except StoreError as error:
            raise _not_put(self.path, source, str(error.args[0]).rstrip(".")) from None
        self._sync(f"The new token is at {self.path}")

    def keep_former(self) -> None:
        """Keep a backup of what was read, unless there is one already."""
        if self._backup is not None and self._found is not None and self._backup.file is None:
            try:
                self._backup.make(self._found)
            except OSError as error:
                raise self._error(f"could not be backed up ({reason_of(error)})") from None

    def remove(self) -> None:
        """Take the file away, keeping a backup."""
        self.check_writable()
        try:
            with self._backed_up():
                os.unlink(self.path)
        except OSError as error:
            raise StoreError(
                f"{self.path} could not be removed ({reason_of(error)}).",
                "It is as it was. Correct its directory's permissions, then run again.",
            ) from None
        self._sync(f"{self.path} is removed")

    def apply_attributes(self) -> bool:
        """Give the file its owner, group and mode; return whether that changes something."""
        try:
            return os.path.exists(self.path) and self._set_attributes(self.path)
        except StoreError as error:
            what = error.args[0]
        except OSError as error:
            what = f"The owner, group or mode of {self.path} could not be set ({reason_of(error)})."
        raise StoreError(what, "The token is there. Correct the cause, then run again.")

    def drop_staged(self) -> None:
        """Delete what earlier runs staged for this file, where that was safe elsewhere."""
        for file in self.staged_files.found():
            self.staged_files.drop(file)

    def _read(self) -> bytes | None:
        try:
            # O_NONBLOCK: a named pipe must not hang the run.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error(f"cannot be read ({reason_of(error)})") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise self._error("is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(self._max_size + 1)
        except OSError as error:
            raise self._error(f"cannot be read ({reason_of(error)})") from None
        finally:
            close(descriptor)

    def _backed_up(self) -> AbstractContextManager[None]:
        """Make a backup for what is done in the context."""
        if self._backup is None or self._found is None:
            return nullcontext()
        return self._backup.made(self._found)

    def _sync(self, done: str) -> None:
        try:
            self._directory.sync()
        except OSError as error:
            raise StoreError(
                f"{done}, but the disk did not confirm it ({reason_of(error)}).",
                "After a loss of power it might not be so. Check the disk, then run again.",
            ) from None

    def _error(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path} {what}.", f"{NOTHING_MINTED} Correct the path or its permissions, then run again."
        )


def _not_put(path: str, source: str, why: str) -> StoreError:
    return StoreError(
        f"The new token could not be put at {path} ({why}).",
        f"It is kept in {source}, and the next run goes on from there; what stood at the path is untouched.",
    )


def _copy_attributes(source: str, target: str) -> None:
    """Give the file that takes another's place its owner, group, mode, ACL and security context."""
    found, made = os.stat(source), os.stat(target)
    if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
        try:
            os.chown(target, found.st_uid, found.st_gid)
        except PermissionError:  # only root may give a file away; its group may still be one of ours
            with suppress(PermissionError):
                os.chown(target, -1, found.st_gid)
    if hasattr(os, "listxattr"):
        with suppress(OSError):  # no such thing on this file system
            if _ACL in os.listxattr(target) and _ACL not in os.listxattr(source):
                os.removexattr(target, _ACL)  # of the directory's default, which the file does not have
    shutil.copystat(source, target)


def _mount_points() -> frozenset[str]:
    """Return where file systems are mounted, single files among them, as far as the system reports."""
    try:
        with open(_MOUNTED, "rb") as lines:
            return frozenset(
                os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), line.split(b" ")[4]))
                for line in lines
            )
    except OSError:
        return frozenset()
