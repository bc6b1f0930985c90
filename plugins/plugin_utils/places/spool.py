# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The private directory on the controller in which a token is pending until a secret manager has it.

A place's file in it is locked from before the mint until the token is stored: it is the lock of the place.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from ...module_utils.core.errors import NOTHING_MINTED, ConflictError, InvalidInputError, StoreError
from ...module_utils.files.directory_lock import DirectoryLock, reason_of, wait_for_lock
from ...module_utils.files.pending import (
    MAX_TOKEN_FILE,
    PendingFile,
    PendingFiles,
    StagedFile,
    token_in,
    token_line,
)


class Spool:
    """The directory at `path`, in which `~` is a user's home. Raises InvalidInputError for a relative one."""

    def __init__(self, path: str) -> None:
        self.path = os.path.expanduser(path)
        self._has_home = os.path.isabs(self.path)  # not so where the home of the user is unknown
        if not self._has_home and not path.startswith("~"):
            raise InvalidInputError(
                "spool must be an absolute path: it is private, and belongs to no checkout."
            )

    def names(self) -> list[str]:
        """Return the names in it; none where it cannot be listed."""
        if self._has_home:
            with suppress(OSError):
                return os.listdir(self.path)
        return []

    def make(self) -> None:
        """Make the directory, or refuse one that others can change; one that exists stays as it is.

        Raises StoreError and OSError.
        """
        if not self._has_home:
            raise self.unusable("the home directory of this user is unknown")
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        found = os.stat(self.path)
        if found.st_uid != os.geteuid():
            raise self.unusable("it belongs to another user")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise self.unusable("others may write to it")

    def unusable(self, why: str) -> StoreError:
        """Return the error for a directory that cannot be the spool."""
        return StoreError(
            f"{self.path} cannot be the spool: {why}.",
            f"{NOTHING_MINTED} Name a private directory of your own as the spool.",
        )

    def keep(self, name: str, token: str) -> str:
        """Keep a token in the file `name`; return its path. Raises StoreError."""
        path = os.path.join(self.path, name)
        try:
            self.make()
            copy = StagedFile.create(f"{path}.{secrets.token_hex(4)}")
            try:
                copy.fill(token_line(token))
                os.replace(copy.path, path)
            except BaseException:
                copy.discard()
                raise
            copy.close()
        except OSError as error:
            raise StoreError(f"The former token could not be kept in {path} ({reason_of(error)}).") from None
        return path


class SpoolFiles(PendingFiles):
    """The files in the spool of the place `words`, each locked by the process that works on it."""

    def __init__(self, spool: Spool, name: str, words: str) -> None:
        super().__init__(spool.path, name, ".token", MAX_TOKEN_FILE, spool.names)
        self._spool = spool
        self._words = words

    def claim(self, known: PendingFile | None, replaces: str) -> StagedFile:
        """Make this place's file, or wait until no other process is at it and take it over.

        Raises StoreError; ConflictError where what is pending there is not what is `known`.
        """
        try:
            self._spool.make()
            staged = None
            while staged is None:
                with DirectoryLock(self._spool.path).lock():
                    left = next(self.found(), None)
                    if left is None:
                        staged = self.stage(MAX_TOKEN_FILE, replaces)
                        try:
                            wait_for_lock(staged.descriptor, staged.path)
                        except BaseException:
                            staged.discard()
                            raise
                        return staged
                staged = self._open(left.path)
        except OSError as error:
            raise self._spool.unusable(reason_of(error)) from None
        if known is None or known.content != staged.content:
            staged.close()
            raise ConflictError(f"Another run left a token for {self._words} meanwhile.")
        return staged

    def drop(self, file: PendingFile) -> None:
        """Delete a file once no other process is at it; where that fails, it harms nobody."""
        with suppress(OSError, StoreError):
            staged = self._open(file.path)
            if staged is not None:
                staged.discard()

    def _open(self, path: str) -> StagedFile | None:
        """Return the file at `path`, locked; None where it is gone. One that holds no token is deleted."""
        try:
            staged = StagedFile(path, os.O_RDWR, b"")
        except FileNotFoundError:
            return None
        try:
            wait_for_lock(staged.descriptor, path)
            if os.fstat(staged.descriptor).st_nlink == 0:  # the other process is done with it
                staged.close()
                return None
            staged.content = staged.read()
        except BaseException:
            staged.close()
            raise
        if token_in(staged.content) is None:  # of a run that died before its mint
            staged.discard()
            return None
        return staged
