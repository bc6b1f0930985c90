# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A program that keeps the token: `get` prints it or nothing, `store` reads it on standard input."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from ...module_utils.core.models import MAX_TOKEN_LENGTH, TOKEN_FORM, read_token
from ...module_utils.files.directory_lock import close, reason_of, wait_for_lock
from .child import how, run_child
from .driver import Driver, conflict, refused

# Bytes of output that are read: of `get` a token and room around it; what `store` prints is not used.
_MAX_SIZE = {"get": 64 * MAX_TOKEN_LENGTH, "store": 16 * 1024 * 1024}


class Command(Driver):
    """A `Driver`: what is there is read again right before it is replaced, under a lock of this machine."""

    key = ""

    def __init__(self, argv: list[str], timeout: float, identity: str) -> None:
        self._argv = argv
        self._timeout = timeout
        self._found: str | None = None
        self.secret = ("command", *argv, identity)
        self.words = f"what the command {' '.join(argv)} keeps{identity and f' for {identity}'}"

    def read(self) -> str | None:
        """Return the token that `get` prints."""
        self._found = self._get()
        return self._found

    def check_writable(self) -> None:
        """Do nothing: a program has no way to rehearse, and `read` has found that it runs."""

    def write(self, token: str) -> None:
        """Let `store` read the token, unless `get` prints another than it did; make sure that it is kept."""
        with self._lock():
            if self._get() != self._found:
                raise conflict(self)
            self._run("store", f"{token}\n".encode("ascii"))
            stored = self._get()
        if stored is None:
            raise refused(self, "written", "store ended well, but get prints nothing")
        if stored != token:
            raise conflict(self)

    def remove(self) -> None:
        """Refuse: nothing in the contract takes a token away."""
        raise StoreError(f"{self.words} cannot be taken away.", "It is as it was.")

    def _get(self) -> str | None:
        text = self._run("get").decode("latin-1").rstrip("\r\n")
        if text and read_token(text) is None:
            raise StoreError(
                f"{self.words} is no token: {TOKEN_FORM}.",
                f"{NOTHING_MINTED} Let get print only the token, or nothing.",
            )
        return text or None

    def _run(self, verb: str, stdin: bytes = b"") -> bytes:
        """Return what the program prints; its standard error may hold anything, and is not reported."""
        try:
            ended = run_child([*self._argv, verb], stdin, timeout=self._timeout, max_size=_MAX_SIZE[verb])
        except TimeoutError:
            why = f"{verb} did not end within {self._timeout:g} s, and was killed"
        except OverflowError:
            why = f"{verb} printed more than {_MAX_SIZE[verb]} bytes, and was killed"
        except OSError as error:
            why = f"it could not be started: {reason_of(error)}"
        else:
            if ended.code == 0:
                return ended.output
            why = f"{verb} ended with {how(ended)}"
        raise refused(self, "read" if verb == "get" else "written", why)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other runs on this machine from writing by this program, if it can be opened."""
        path = shutil.which(self._argv[0]) or self._argv[0]
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            yield
            return
        try:
            wait_for_lock(descriptor, path)
            yield
        finally:
            close(descriptor)
