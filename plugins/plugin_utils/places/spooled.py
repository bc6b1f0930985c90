# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A `Store` over one secret of a secret manager, and a token file in the spool.

A new token is in the spool, on the controller's disk, before it goes to the secret manager, and until
that has it. The file is made before the mint, and locked from then on: it is the lock of this place.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ...module_utils.core.errors import NOTHING_MINTED, ConflictError, StoreError
from ...module_utils.core.models import TOKEN_FORM, fingerprint, read_token
from ...module_utils.core.provision import PendingToken
from ...module_utils.files.directory_lock import DirectoryLock, reason_of, wait_for_lock
from ...module_utils.files.pending import PendingFile, PendingNames, StagedFile, fill_or_rescue
from ...module_utils.files.token_file import MOST, token_in
from .driver import Driver, overtaken, refused


@dataclass(frozen=True)
class _Secret:
    """A secret that this process works on: one at a time writes it, and these are its keys."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    keys: set[str] = field(default_factory=set)


_guard = threading.Lock()
_secrets: dict[tuple[str, ...], _Secret] = {}


class SpooledStore:
    """Keeps a token where a `Driver` says.

    `spool` is the private directory where tokens wait, `service` the base URL that mints them.
    """

    def __init__(self, driver: Driver, spool: str, service: str, *, backup: bool, dry_run: bool) -> None:
        self._driver = driver
        self._spool = os.path.expanduser(spool)
        self._has_spool = os.path.isabs(self._spool)  # not so where the home of the user is unknown
        identity = json.dumps([*driver.secret, driver.key, service])
        self._name = hashlib.sha256(identity.encode()).hexdigest()
        self._names = PendingNames(self._spool, self._name, ".token")
        self._backup = backup
        self._dry_run = dry_run
        self._stored: str | None = None
        self._pending: PendingFile | None = None
        self._staged: StagedFile | None = None
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
        """Lock the secret for one thread; `check_writable` takes the lock against other processes."""
        try:
            with self._secret.lock:
                try:
                    yield
                finally:
                    if self._staged is not None:
                        self._staged.close()
                        self._staged = None
        except OSError as error:  # of what only looks; all that follows a mint has an answer of its own
            raise refused(self._driver, "used", reason_of(error)) from None

    def read(self) -> str | None:
        """Return the token under the key; an empty value is a place to fill."""
        self._former = None  # what was kept before a conflict is not what is replaced now
        value = self._driver.read()
        self._stored = read_token(value)
        if value and self._stored is None:
            raise StoreError(
                f"{self._driver.words} exists and holds no token: {TOKEN_FORM}.",
                f"{NOTHING_MINTED} Take it away, or put the right token there.",
            )
        return self._stored

    def pending(self) -> PendingToken | None:
        """Return the token that waits in the spool for this place."""
        self._pending = None
        for pending in self._leftovers():
            token = token_in(pending.content or b"")
            if token is not None:
                self._pending = pending
                return PendingToken(token, pending.replaces)
        return None

    def check_writable(self) -> None:
        """Make the file in the spool, locked, unless a token waits there; rehearse the write."""
        if not self._dry_run:
            self._lock_spool()
            before = self._stored
            if self.read() != before:
                raise overtaken(self._driver)
        try:
            self._driver.check_writable()
        except ConflictError:
            raise
        except StoreError as error:
            if self._pending is None:
                raise
            raise StoreError(error.args[0], _pending_advice(self._pending.path)) from None

    def write(self, token: str) -> None:
        """Put the token into the spool, then where it belongs, then take it out of the spool."""
        staged = self._staged
        if staged is None:
            raise AssertionError("check_writable comes before write")
        if not staged.filled:  # else it is the pending one
            fill_or_rescue(staged, f"{token}\n".encode("ascii"))
        try:
            self._keep_former()
            self._driver.write(token)
        except (StoreError, OSError) as error:
            kind = ConflictError if isinstance(error, ConflictError) else StoreError
            why = f"{reason_of(error)}." if isinstance(error, OSError) else error.args[0]
            raise kind(
                f"The new token could not be put into {self._driver.words}: {why}",
                f"It is not lost. {_pending_advice(staged.path)}",
            ) from None
        staged.discard()
        self._drop_former()

    def drop_pending(self) -> None:
        """Delete the token that waits, once no other process is at it."""
        if self._pending is not None:
            path, self._pending = self._pending.path, None
            with suppress(OSError, StoreError):
                staged = self._open(path)
                if staged is not None:
                    staged.discard()

    def remove(self) -> None:
        """Take the token away where it is kept."""
        self._driver.check_writable()
        self._keep_former()
        self._driver.remove()
        self._drop_former()

    def _keep_former(self) -> None:
        """Keep a copy of the token that is replaced or removed, before that."""
        if not self._backup or self._stored is None:
            return
        path = os.path.join(self._spool, f"{self._name}.{fingerprint(self._stored)}.replaced")
        try:
            self._make_spool()
            former = StagedFile.create(f"{path}.{secrets.token_hex(4)}")
            try:
                former.fill(f"{self._stored}\n".encode("ascii"))
                os.replace(former.path, path)
            except BaseException:
                former.discard()
                raise
            former.close()
        except OSError as error:
            raise StoreError(f"The former token could not be kept in {path} ({reason_of(error)}).") from None
        self._former = path

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

    def _leftovers(self) -> list[PendingFile]:
        if self._has_spool:
            with suppress(OSError):
                return list(self._names.pending_files(os.listdir(self._spool), MOST))
        return []

    def _lock_spool(self) -> None:
        """Make this place's file in the spool, or wait until no other process is at it and take it over."""
        try:
            self._make_spool()
            while self._staged is None:
                with DirectoryLock(self._spool).lock():
                    left = self._leftovers()
                    if not left:
                        self._staged = self._names.stage(MOST, fingerprint(self._stored))
                        wait_for_lock(self._staged.descriptor, self._staged.path)
                        return
                self._staged = self._open(left[0].path)
            is_known = self._pending is not None and self._pending.content == self._staged.content()
        except OSError as error:
            raise self._no_spool(reason_of(error)) from None
        if not is_known:
            raise ConflictError(f"Another run left a token for {self._driver.words} meanwhile.")

    def _open(self, path: str) -> StagedFile | None:
        """Return the file at `path`, locked; None where it is gone. One that holds no token is deleted."""
        try:
            staged = StagedFile(path, 0, filled=True)
        except FileNotFoundError:
            return None
        wait_for_lock(staged.descriptor, path)
        if os.fstat(staged.descriptor).st_nlink == 0:  # the other process is done with it
            staged.close()
            return None
        if token_in(staged.content()) is None:  # of a run that died before its mint
            staged.discard()
            return None
        return staged

    def _make_spool(self) -> None:
        """Make the spool, or refuse one that others can change; one that exists stays as it is."""
        if not self._has_spool:
            raise self._no_spool("the home directory of this user is unknown")
        os.makedirs(self._spool, mode=0o700, exist_ok=True)
        found = os.stat(self._spool)
        if found.st_uid != os.geteuid():
            raise self._no_spool("it belongs to another user")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise self._no_spool("others may write to it")

    def _no_spool(self, why: str) -> StoreError:
        return StoreError(
            f"{self._spool} cannot be the spool: {why}.",
            f"{NOTHING_MINTED} Name a private directory of your own with the option spool.",
        )


def _pending_advice(path: str) -> str:
    """Return how the token pending in the file at `path` gets into its place, or into another one."""
    return (
        f"The token is pending in {path} on the controller: correct the cause, then run again. That run puts "
        "it into this place and mints none. If the place itself has to change, such as its name or region, "
        "pass this token to the corrected task once, as token: "
        f"\"{{{{ lookup('ansible.builtin.file', '{path}') }}}}\", then delete that file."
    )
