# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a SOPS file on the controller, by the program `sops`; only ciphertext is ever on a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from ...module_utils.files.atomic_file import AtomicFile
from ...module_utils.files.directory_lock import reason_of
from .driver import REHEARSAL, Driver, conflict, refused
from .sops_formats import parse, type_of
from .sops_program import Sops, SopsError


class SopsKey(Driver):
    """A `Driver`: the file is compared and replaced under the lock of its directory."""

    def __init__(self, sops: Sops, file: AtomicFile, shown_path: str, path: str, names: list[str]) -> None:
        self._sops = sops
        self._file = file
        self._path = path
        self._names = names
        self._content: bytes | None = None
        self._value: str | None = None
        self.key = json.dumps(names)
        self.secret = ("sops", file.path)
        self.words = f"key {'.'.join(names)} of the SOPS file {shown_path}"
        self.path = shown_path

    def read(self) -> str | None:
        """Return the decrypted value of the key; raise StoreError where it is in clear in the file."""
        with self._file.lock():
            self._content = self._file.read()
        self._value = None
        if self._content is None:
            return None
        text = self._text(self._content)
        value = self._value_in(self._parsed(json.loads, self._decrypted(text), "what sops printed"))
        if value is not None and not isinstance(value, str):
            raise StoreError(f"{self.words} is not text.", NOTHING_MINTED)
        if value:
            self._check_encrypted(text)
        self._value = value
        return value

    def check_writable(self) -> None:
        """Rehearse the change with a placeholder, which must come out encrypted, and be readable again."""
        with self._file.lock():
            self._file.check_writable()
        text = self._changed(REHEARSAL)
        self._check_encrypted(text)
        if self._content is None:  # the creation rules may name keys that this run has not
            self._decrypted(text)

    def write(self, token: str) -> None:
        """Set the key, if the file is still as it was read."""
        self._replace(token)

    def remove(self) -> None:
        """Take the key away, under the same condition."""
        self._replace(None)

    def _replace(self, value: str | None) -> None:
        content = self._changed(value).encode("utf-8")
        with self._file.lock():
            if self._file.read() != self._content:
                raise conflict(self)
            self._file.replace(content, keep_former=self._value is not None)
        self.backup_file = self._file.backup_file

    def _decrypted(self, text: str) -> str:
        """Return the plain text of the file, as JSON."""
        try:
            return self._sops.run(
                "decrypt", f"--filename-override={self._path}", "--output-type=json", stdin=text
            )
        except SopsError as error:
            raise refused(self, "read", str(error)) from None

    def _changed(self, value: str | None) -> str:
        """Return the encrypted text of the file with another value, or without one."""
        try:
            if self._content is None:
                return self._new(value)
            index = "".join(f'["{name}"]' for name in self._names)
            return self._text(self._sops.edited(self._content, self._path, type_of(self._path), index, value))
        except SopsError as error:
            raise refused(self, "written", str(error)) from None
        except OSError as error:
            raise refused(self, "written", f"no temporary copy: {reason_of(error)}") from None

    def _new(self, value: Any) -> str:
        for name in reversed(self._names):
            value = {name: value}
        return self._sops.run(
            *self._sops.rules_for(self._path),
            "encrypt",
            f"--filename-override={self._path}",
            "--input-type=json",
            stdin=json.dumps(value),
        )

    def _check_encrypted(self, text: str) -> None:
        value = self._value_in(self._parsed(partial(parse, self._path), text, "its text"))
        if not str(value).startswith("ENC["):
            raise StoreError(
                f"{self.words} is, or would be, in clear.",
                f"{NOTHING_MINTED} See encrypted_regex, encrypted_suffix and their like, in .sops.yaml and "
                "in the file itself.",
            )

    def _parsed(self, parser: Callable[[str], Any], text: str, what: str) -> Any:
        """Return what a text holds; `what` names it where it has another form."""
        try:
            return parser(text)
        except (ValueError, OverflowError, RecursionError):
            raise refused(self, "read", f"{what} has not the form that was expected") from None

    def _value_in(self, value: Any) -> Any:
        """Return what the key leads to, None where there is nothing."""
        for name in self._names:
            if value is None:
                return None
            if not isinstance(value, Mapping):
                raise StoreError(f"{self.words} does not lead through mappings.", NOTHING_MINTED)
            value = value.get(name)
        return value

    def _text(self, content: bytes) -> str:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise refused(self, "read", "it is no UTF-8 text") from None
