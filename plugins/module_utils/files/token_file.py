# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A `Store` that keeps a token in a file of its own: one line, the token and a line feed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Callable

from ..core.errors import NOTHING_MINTED, StoreError
from ..core.models import TOKEN_FORM
from ..core.store import PendingToken, Slot
from .atomic_file import AtomicFile
from .directory_lock import DirectoryLock
from .pending import MAX_TOKEN_FILE, PendingTokens, StagedFile, token_in


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
            MAX_TOKEN_FILE,
            set_attributes=set_attributes,
            backup=backup,
            dry_run=dry_run,
            directory=directory,
        )
        self._dry_run = dry_run
        self._stored: str | None = None
        self._pending = PendingTokens(
            self._file.staged_files,
            lambda pending, replaces: self._file.stage(MAX_TOKEN_FILE, replaces, pending),
        )

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
        return self._pending.find()

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        """Make the file that the new token goes into, with the attributes of this one."""
        if self._dry_run:
            self._file.check_writable()
            yield None
            return
        with self._pending.slot(self._stored, self._put) as slot:
            yield slot

    def drop_pending(self) -> None:
        """Delete the token that is pending beside the file."""
        self._pending.drop()

    def remove(self) -> None:
        """Take the file away, keeping a backup."""
        self._file.remove()

    def apply_attributes(self) -> bool:
        """Give the file its owner, group and mode; return whether that changes something."""
        return self._file.apply_attributes()

    def _put(self, staged: StagedFile, _token: str) -> None:
        """Let the new file take the former one's place, which is kept as a backup."""
        self._file.put_in_place(staged.path, keep_former=self._stored is not None)
