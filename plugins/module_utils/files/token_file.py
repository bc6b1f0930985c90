# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A `Store` that keeps a token in a file of its own: one line, the token and a line feed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Callable

from ..core.errors import NOTHING_MINTED, StoreError
from ..core.models import MAX_TOKEN_LENGTH, TOKEN_FORM, fingerprint, read_token
from ..core.provision import PendingToken
from .atomic_file import AtomicFile
from .directory_lock import DirectoryLock
from .pending import PendingFile

MOST = MAX_TOKEN_LENGTH + 2  # bytes: the token and its line end


class TokenFile:
    """Keeps a token as a file's one line; the arguments are those of AtomicFile."""

    def __init__(
        self,
        path: str,
        set_attributes: Callable[[str], bool] = lambda _path: False,
        *,
        backup: bool = True,
        dry_run: bool = False,
        directory: DirectoryLock | None = None,
    ) -> None:
        self._file = AtomicFile(
            path,
            MOST,
            set_attributes=set_attributes,
            backup=backup,
            dry_run=dry_run,
            directory=directory,
        )
        self._dry_run = dry_run
        self._stored: str | None = None
        self._pending: PendingFile | None = None

    @property
    def backup_file(self) -> str | None:
        """Where the former file is kept, if one is."""
        return self._file.backup_file

    def lock(self) -> AbstractContextManager[None]:
        """Lock the file's directory."""
        return self._file.lock()

    def read(self) -> str | None:
        """Return the file's one line; raise StoreError where it is no token."""
        content = self._file.read()
        self._stored = None if content is None else token_in(content)
        if content is not None and self._stored is None:
            raise StoreError(
                f"{self._file.path} exists and holds no token: {TOKEN_FORM}.",
                f"{NOTHING_MINTED} Move it away, or put the right token into it.",
            )
        return self._stored

    def pending(self) -> PendingToken | None:
        """Return the token that an interrupted run left beside the file."""
        for pending in self._file.pending_files():
            token = token_in(pending.content or b"")
            if token is not None:
                self._pending = pending
                return PendingToken(token, pending.replaces)
        return None

    def check_writable(self) -> None:
        """Make the file that the new token goes into, unless one waits already."""
        if self._dry_run or self._pending is not None:
            self._file.check_writable()
        else:
            self._file.stage(MOST, fingerprint(self._stored))

    def write(self, token: str) -> None:
        """Put the token in place, durably; the former file is kept as a backup."""
        waiting = self._pending
        path = self._file.fill(token.encode() + b"\n") if waiting is None else waiting.path
        self._file.put_in_place(path, keep_former=self._stored is not None)
        self._pending = None

    def drop_pending(self) -> None:
        """Delete the token that waits beside the file."""
        if self._pending is not None:
            self._file.drop(self._pending)
            self._pending = None

    def remove(self) -> None:
        """Take the file away, keeping a backup."""
        self._file.remove()

    def apply_attributes(self) -> bool:
        """Give the file its owner, group and mode; return whether that changes something."""
        return self._file.apply_attributes()


def token_in(content: bytes) -> str | None:
    """Return the token in a token file's content; None where it holds none."""
    return read_token(content.decode("latin-1"))
