# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What is pending for a place: private files made, with room, before a mint, and filled right after it.

What can fail fails before the mint. From the moment a file is filled its token is pending, whatever
happens to the process: the next run finds the file by its name, which says the place, and the token
that it is to replace.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Callable

from ..core.errors import StoreError
from ..core.models import MAX_TOKEN_LENGTH, fingerprint, read_token
from ..core.store import PendingToken, Slot
from .directory_lock import close, reason_of

MAX_TOKEN_FILE = MAX_TOKEN_LENGTH + 2  # bytes: the token and its line end
_WORDS = re.compile(r"(?:\.replaces-([0-9a-f]{16}))?(?:\.again-[0-9a-f]{8})?")


class StagedFile:
    """An open file at `path`; `content` is None until the file is filled. Raises OSError."""

    def __init__(self, path: str, flags: int, content: bytes | None = None) -> None:
        self.path = path
        self.content = content
        self.descriptor = os.open(path, os.O_NOFOLLOW | flags, 0o600)
        self._open = True

    @classmethod
    def create(cls, path: str, room: int = 0) -> StagedFile:
        """Make a new file with `room` bytes, 0600 from its first instant."""
        staged = cls(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            os.fchmod(staged.descriptor, 0o600)  # whatever the umask took away
            staged._write(bytes(room))
        except BaseException:
            staged.discard()
            raise
        return staged

    def read(self) -> bytes:
        """Return all that the file holds."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    def fill(self, content: bytes) -> None:
        """Make `content` all that the file holds, durably."""
        os.ftruncate(self.descriptor, len(content))  # first: a content once written is whole
        self._write(content)
        self.content = content

    def close(self) -> None:
        """Let go of the file; one that was not filled is deleted."""
        if self.content is not None:
            self._let_go()
        else:
            self.discard()

    def discard(self) -> None:
        """Delete the file, unless it was let go of."""
        if self._let_go():
            with suppress(OSError):
                os.unlink(self.path)

    def _let_go(self) -> bool:
        """Close the file once, for its number may be another file's then; return whether it was open."""
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

    def open(self) -> StagedFile:
        """Return it as a file that is filled. Raises OSError."""
        return StagedFile(self.path, os.O_RDONLY, self.content)


class PendingFiles:
    """The staged files of one place: STEM[.replaces-FINGERPRINT][.again-RANDOM]SUFFIX, in a directory.

    The words keep `token.deadbeef`, which is a place of its own, from being taken for one of `token`.
    `list_names` returns the names in the directory; what was made since it last looked is known here.
    """

    def __init__(
        self, directory: str, stem: str, suffix: str, max_size: int, list_names: Callable[[], Iterable[str]]
    ) -> None:
        self._directory = directory
        self._stem = stem
        self._suffix = suffix
        self._max_size = max_size
        self._list_names = list_names
        self._made: set[str] = set()

    def found(self) -> Iterator[PendingFile]:
        """Yield the trusted files that earlier runs, or this one, left for this place."""
        for name in sorted({*self._list_names(), *self._made}):
            match = self._match(name)
            if match is None:
                continue
            path = os.path.join(self._directory, name)
            with suppress(OSError):
                content = _read_trusted(path, self._max_size)
                whole = content if content.endswith(b"\n") and len(content) <= self._max_size else None
                yield PendingFile(path, match.group(1) or "", whole)

    def _match(self, name: str) -> re.Match[str] | None:
        """Return what the name of a staged file has between STEM and SUFFIX; None for any other name."""
        end = len(name) - len(self._suffix)
        if not (name.startswith(self._stem) and name.endswith(self._suffix)):
            return None
        return _WORDS.fullmatch(name, len(self._stem), end)

    def stage(self, room: int, replaces: str = "") -> StagedFile:
        """Make a file with `room` bytes, under a name that no file has. Raises OSError."""
        for file in self.found():
            if file.content is None:  # of a run that died before its mint
                self.drop(file)
        stem = f"{self._stem}.replaces-{replaces}" if replaces else self._stem
        name = stem + self._suffix
        while True:
            try:
                staged = StagedFile.create(os.path.join(self._directory, name), room)
                self._made.add(name)
                return staged
            except FileExistsError:  # of another user, or not readable here: it stays
                name = f"{stem}.again-{secrets.token_hex(4)}{self._suffix}"

    def drop(self, file: PendingFile) -> None:
        """Delete a file that is not needed any more; where that fails, it harms nobody."""
        with suppress(OSError):
            os.unlink(file.path)


class PendingTokens:
    """The one token that is pending for a place, and the slot for a new one.

    `files` are those of the place. `claim(file, replaces)` opens a pending file, or makes a new one where
    it is None, and raises StoreError. `encode` and `decode` turn a token into a file's content and back:
    its one line, unless they are passed.
    """

    def __init__(
        self,
        files: PendingFiles,
        claim: Callable[[PendingFile | None, str], StagedFile],
        encode: Callable[[str], bytes] | None = None,
        decode: Callable[[bytes], str | None] | None = None,
    ) -> None:
        self._files = files
        self._claim = claim
        self._encode = encode or token_line
        self._decode = decode or token_in
        self._found: PendingFile | None = None

    @property
    def path(self) -> str | None:
        """The file of the pending token, None where none is."""
        return None if self._found is None else self._found.path

    def find(self) -> PendingToken | None:
        """Return the token of an interrupted run; a file that cannot be decoded stays as it is."""
        self._found = None
        for file in self._files.found():
            token = self._decode(file.content or b"")
            if token is not None:
                self._found = file
                return PendingToken(token, file.replaces)
        return None

    def drop(self) -> None:
        """Delete the pending token."""
        if self._found is not None:
            self._files.drop(self._found)
            self._found = None

    @contextmanager
    def slot(self, stored: str | None, put: Callable[[StagedFile, str], None]) -> Iterator[Slot]:
        """Make the slot for what replaces `stored`; `put` takes the filled file's token to its place."""
        staged = self._claim(self._found, fingerprint(stored))
        try:
            yield _FileSlot(staged, self._encode, put)
        finally:
            staged.close()
            if staged.content is not None:
                self._found = PendingFile(staged.path, fingerprint(stored), staged.content)


class _FileSlot:
    """A `Slot` over a staged file, which is filled already where its token was pending."""

    def __init__(
        self, staged: StagedFile, encode: Callable[[str], bytes], put: Callable[[StagedFile, str], None]
    ) -> None:
        self._staged = staged
        self._encode = encode
        self._put = put

    def commit(self, token: str) -> None:
        """Put the token into the file, then in its place."""
        if self._staged.content is None:
            _fill_or_rescue(self._staged, self._encode(token))
        self._put(self._staged, token)


def token_line(token: str) -> bytes:
    """Return the content of a file that holds a token."""
    return f"{token}\n".encode("ascii")


def token_in(content: bytes) -> str | None:
    """Return the token in a token file's content; None where it holds none."""
    return read_token(content.decode("latin-1"))


def _read_trusted(path: str, max_size: int) -> bytes:
    """Return the start of a regular file that is ours; raise OSError where it is anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        # Where everybody may create files, one of that name may be another user's; another name of a
        # file, a hard link, may be made by whoever may only read it.
        shared = os.stat(os.path.dirname(path)).st_mode & stat.S_IWOTH
        ours = found.st_nlink == 1 and not (shared and found.st_uid != os.geteuid())
        if not stat.S_ISREG(found.st_mode) or not ours:
            raise PermissionError
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(max_size + 1)
    finally:
        close(descriptor)


def _fill_or_rescue(staged: StagedFile, content: bytes) -> None:
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
        raise StoreError(what, "It could be kept nowhere and is lost, with only its free credits.") from None
    raise StoreError(what, f"It is kept in {path}: make room, move it to {staged.path}, then run again.")
