# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The program `sops`: how it is run, and what it is not to leave on a disk."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from ...module_utils.files.directory_lock import reason_of
from .child import how, run_child

MAX_SIZE = 16 * 1024 * 1024  # bytes of a file
_TIMEOUT = 60.0  # seconds for one run of sops, which may ask a key service
_OLDEST = "3.11"  # before, the value of `sops set` was seen in the process list
_IDENTITY = re.compile(r"AGE-SECRET-KEY-\S+")
CONFIG = "SOPS_CONFIG"


class SopsError(Exception):
    """Why sops failed."""


class Sops:
    """The program, with the environment that its keys come from."""

    def __init__(self, program: str, environment: Mapping[str, str], directory: str) -> None:
        """Take the path of the program, its environment, and the directory of the playbook.

        Raises StoreError for one that is missing, does not run, or is too old.
        """
        self._program = program
        self._environment = environment
        self._directory = directory
        unusable = self._unusable() if program else "there is none"
        if unusable:
            raise StoreError(
                f"This place needs the program sops, {_OLDEST} or newer, on the PATH: {unusable}.",
                f"{NOTHING_MINTED} Install it: https://github.com/getsops/sops/releases",
            )

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Return what sops prints; raise SopsError with its reason where it fails."""
        try:
            ended = run_child(
                [self._program, *arguments],
                stdin.encode("utf-8"),
                timeout=_TIMEOUT,
                max_size=2 * MAX_SIZE,
                environment=self._environment,
            )
        except TimeoutError:
            raise SopsError(f"sops did not end within {_TIMEOUT:g} s, and was killed") from None
        except OverflowError:
            raise SopsError("sops printed too much, and was killed") from None
        except OSError as error:
            raise SopsError(f"sops could not be started: {reason_of(error)}") from None
        if ended.code:
            reason = " ".join(ended.errors.decode("utf-8", "replace").split())
            said = f"sops says: {_IDENTITY.sub('********', reason).rstrip('.')}"
            raise SopsError(said if reason else f"sops ended with {how(ended)}")
        try:
            return ended.output.decode("utf-8")
        except UnicodeDecodeError:
            raise SopsError("what sops printed is no UTF-8 text") from None

    def edited(self, content: bytes, path: str, kind: str, index: str, value: str | None) -> bytes:
        """Return the encrypted text of the file at `path` with another value at `index`, or without one."""
        command = ["unset"] if value is None else ["set", "--value-stdin"]
        with _temporary_file(content) as file:
            self.run(
                *self.rules_for(path),  # they say how its format is laid out
                *(*command, f"--input-type={kind}", f"--output-type={kind}", file, index),
                stdin=json.dumps(value),
            )
            return Path(file).read_bytes()

    def _unusable(self) -> str:
        """Return why the program cannot be used, "" where it can."""
        try:
            found = re.search(r"sops (\d+)\.(\d+)\S*", self.run("--version", "--disable-version-check"))
        except SopsError as error:
            return str(error)
        if found is None:
            return "what is there does not print the version of sops"
        oldest = tuple(map(int, _OLDEST.split(".")))
        return "" if tuple(map(int, found.groups())) >= oldest else f"there is {found[0]}"

    def rules_for(self, path: str) -> list[str]:
        """Return the option that names the configuration for a file at a path.

        That is the nearest one above the path as it was passed, for a folder on it may be a link to
        elsewhere; else the nearest one above the playbook.
        """
        for folder in (*Path(path).parents, *Path(self._directory, "any").parents):
            if CONFIG not in self._environment and (folder / ".sops.yaml").is_file():
                return [f"--config={folder / '.sops.yaml'}"]
        return []


@contextmanager
def _temporary_file(content: bytes) -> Iterator[str]:
    """Make a private file that sops can edit; in memory where the system can, so that no death leaves it.

    Programs inherit the one in memory, under the same path. What it holds is encrypted.
    """
    with ExitStack() as until_done:
        file: IO[bytes]
        if hasattr(os, "memfd_create"):
            file = until_done.enter_context(open(os.memfd_create("sops", 0), "wb"))
            path = f"/proc/self/fd/{file.fileno()}"
        else:
            file = until_done.enter_context(tempfile.NamedTemporaryFile(prefix="echovalue-"))
            path = file.name
        file.write(content)
        file.flush()
        yield path
