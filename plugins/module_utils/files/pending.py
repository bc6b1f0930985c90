# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A private file that is made, with room, before a mint, and filled right after it.

What can fail fails before the mint. From the moment it is filled, the token waits there, whatever
happens to the process: the next run finds it by its name, which tells the place, and the token that
it is to replace.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from ..core.errors import StoreError
from .directory_lock import close, reason_of


class StagedFile:
    """An open file at `path`; `filled` tells whether what it is for is in it. Raises OSError."""

    def __init__(self, path: str, flags: int, *, filled: bool = False) -> None:
        self.path = path
        self.filled = filled
        self.descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
        self._open = True

    @classmethod
    def create(cls, path: str, room: int = 0) -> StagedFile:
        """Make a new file with `room` bytes, 0600 from its first instant."""
        staged = cls(path, os.O_CREAT | os.O_EXCL)
        try:
            os.fchmod(staged.descriptor, 0o600)  # whatever the umask took away
            staged._write(bytes(room))
        except BaseException:
            staged.discard()
            raise
        return staged

    def content(self) -> bytes:
        """Return all that the file holds."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    def fill(self, content: bytes) -> None:
        """Make `content` all that the file holds, durably."""
        os.ftruncate(self.descriptor, len(content))  # first: a content once written is whole
        self._write(content)
        self.filled = True

    def close(self) -> None:
        """Let go of the file; one that was not filled is deleted."""
        if self.filled:
            self._let_go()
        else:
            self.discard()

    def discard(self) -> None:
        """Delete the file, unless it was let go of."""
        if self._let_go():
            with suppress(OSError):
                os.unlink(self.path)

    def _let_go(self) -> bool:
        """Close the file once, for its number may be another file's then; tell whether it was open."""
        was_open, self._open = self._open, False
        if was_open:
            close(self.descriptor)
        return was_open

    def _write(self, content: bytes) -> None:
        done = 0
        while done < len(content):
            done += os.pwrite(self.descriptor, content[done:], done)
        os.fsync(self.descriptor)


@dataclass(frozen=True)
class PendingFile:
    """A staged file that an earlier run left: its whole content, or None where it was never filled."""

    path: str
    replaces: str  # a fingerprint
    content: bytes | None = field(repr=False)


class PendingNames:
    """The names of the staged files of one place: STEM[.replaces-FINGERPRINT][.again-RANDOM]SUFFIX.

    The words keep `token.deadbeef`, which is a place of its own, from being taken for one of `token`.
    """

    def __init__(self, directory: str, stem: str, suffix: str) -> None:
        self._directory = directory
        self._stem = stem
        self._suffix = suffix
        self._pattern = re.compile(
            rf"{re.escape(stem)}(?:\.replaces-([0-9a-f]{{16}}))?(?:\.again-[0-9a-f]{{8}})?{re.escape(suffix)}"
        )

    def stage(self, room: int, replaces: str) -> StagedFile:
        """Make a file with `room` bytes, under a name that no file has. Raises OSError."""
        stem = f"{self._stem}.replaces-{replaces}" if replaces else self._stem
        name = stem
        while True:
            try:
                return StagedFile.create(os.path.join(self._directory, name + self._suffix), room)
            except FileExistsError:  # of somebody else, or not readable here: it stays
                name = f"{stem}.again-{secrets.token_hex(4)}"

    def pending_files(self, names: Iterable[str], max_size: int) -> Iterator[PendingFile]:
        """Yield those of the files `names` that are this place's, and this user's to trust."""
        for name in sorted(names):
            match = self._pattern.fullmatch(name)
            if match is None:
                continue
            path = os.path.join(self._directory, name)
            with suppress(OSError):
                content = _read_trusted(path, max_size)
                whole = content if content.endswith(b"\n") and len(content) <= max_size else None
                yield PendingFile(path, match.group(1) or "", whole)


def _read_trusted(path: str, max_size: int) -> bytes:
    """Return the start of a regular file that is ours; raise OSError where it is anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        # Where everybody may create files, one of that name may be somebody else's; a further name of a
        # file, a hard link, may be given by whoever may only read it.
        shared = os.stat(os.path.dirname(path)).st_mode & stat.S_IWOTH
        ours = found.st_nlink == 1 and not (shared and found.st_uid != os.geteuid())
        if not stat.S_ISREG(found.st_mode) or not ours:
            raise PermissionError
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(max_size + 1)
    finally:
        close(descriptor)


def fill_or_rescue(staged: StagedFile, content: bytes) -> None:
    """Fill a staged file with a new token; where the disk refuses, keep it elsewhere and say where.

    Moved to where the staged file was, it is pending: the next run puts it in place.

    Raises StoreError.
    """
    try:
        return staged.fill(content)
    except OSError as error:
        what = f"The new token could not be written to {staged.path} ({reason_of(error)})."
    try:
        descriptor, path = tempfile.mkstemp(prefix="echovalue-token-")
        with open(descriptor, "wb", buffering=0) as file:
            file.write(content)
            os.fsync(descriptor)
    except OSError:
        raise StoreError(what, "It could be kept nowhere and is lost, with its free credits alone.") from None
    raise StoreError(what, f"It is kept in {path}: make room, move it to {staged.path}, then run again.")
