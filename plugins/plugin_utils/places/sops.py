# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a SOPS file on the controller, by the program `sops`; only ciphertext is ever on a disk."""

from __future__ import annotations

import configparser
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Callable, NamedTuple

import yaml

from ...module_utils.core.errors import NOTHING_MINTED, InvalidInputError, StoreError
from ...module_utils.files.atomic_file import AtomicFile
from ...module_utils.files.directory_lock import reason_of
from .child import run_child
from .driver import REHEARSAL, Driver, overtaken, refused

MAX_SIZE = 16 * 1024 * 1024  # bytes of a file
_TIMEOUT = 60.0  # seconds for one run of sops, which may ask a key service
_OLDEST = (3, 11)  # before, the value of `sops set` was seen in the process list
_KEY = re.compile(r"""\[(?:"([^"\[\]]+)"|'([^'\[\]]+)')\]""")
_IDENTITY = re.compile(r"AGE-SECRET-KEY-\S+")
CONFIG = "SOPS_CONFIG"


def _ini(text: str) -> Any:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {name: dict(section) for name, section in parser.items()}


# How a format's text is read with its values as they stand there, encrypted; by the end of the file's name.
_FORMATS: dict[str, Callable[[str], Any]] = {
    ".yaml": lambda text: next(yaml.load_all(text, yaml.BaseLoader), None),
    ".json": json.loads,
    ".env": lambda text: dict(line.split("=", 1) for line in text.splitlines() if "=" in line),
    ".ini": _ini,
}
_FORMATS[".yml"] = _FORMATS[".yaml"]
_TYPES = {".env": "dotenv", ".yml": "yaml"}  # a format's name, where it is not as the file's name ends


class Sops:
    """The program, with the environment that its keys come from."""

    def __init__(self, program: str, environment: Mapping[str, str], directory: str) -> None:
        """Take the path of the program, its environment, and the directory in which it runs.

        Raises StoreError for a version that is too old.
        """
        self._program = program
        self._environment = environment
        self._directory = directory
        if not program or self._version() < _OLDEST:
            raise StoreError(
                f"This place needs the program sops, {'.'.join(map(str, _OLDEST))} or newer, on the PATH of "
                "the controller.",
                f"{NOTHING_MINTED} Install it: https://github.com/getsops/sops/releases",
            )

    def run(self, *arguments: str, given: str = "", inherited: Sequence[int] = ()) -> str:
        """Return what sops prints; raise SopsError with its reason where it fails."""
        try:
            ended = run_child(
                [self._program, *arguments],
                given.encode("utf-8"),
                timeout=_TIMEOUT,
                most=2 * MAX_SIZE,
                environment=self._environment,
                directory=self._directory,
                inherited=inherited,
            )
        except TimeoutError:
            raise SopsError(f"sops did not end within {_TIMEOUT:g} s, and was killed") from None
        except OverflowError:
            raise SopsError("sops printed too much, and was killed") from None
        except OSError as error:
            raise SopsError(f"sops could not be started: {reason_of(error)}") from None
        if ended.code:
            reason = " ".join(ended.errors.decode("utf-8", "replace").split())
            raise SopsError(f"sops says: {_IDENTITY.sub('********', reason).rstrip('.')}")
        try:
            return ended.output.decode("utf-8")
        except UnicodeDecodeError:
            raise SopsError("what sops printed is no UTF-8 text") from None

    def edited(self, content: bytes, ending: str, index: str, value: str | None) -> bytes:
        """Return an encrypted text with another value under `index`, or without one."""
        kind = _TYPES.get(ending, ending[1:])
        command = ["unset"] if value is None else ["set", "--value-stdin"]
        with _temporary_file(content) as file:
            self.run(
                *(*command, f"--input-type={kind}", f"--output-type={kind}", file.path, index),
                given=json.dumps(value),
                inherited=[file.descriptor],
            )
            return Path(file.path).read_bytes()

    def _version(self) -> tuple[int, ...]:
        try:
            found = re.search(r"sops (\d+)\.(\d+)", self.run("--version", "--disable-version-check"))
        except SopsError:
            found = None
        return tuple(map(int, found.groups())) if found else ()

    def rules_for(self, path: str) -> list[str]:
        """Return the option that names the creation rules of a new file at a path.

        They are the nearest ones above the path as it was given: a folder on it may be a link to elsewhere.
        """
        for folder in Path(path).parents:
            if CONFIG not in self._environment and (folder / ".sops.yaml").is_file():
                return [f"--config={folder / '.sops.yaml'}"]
        return []


class _TemporaryFile(NamedTuple):
    path: str
    descriptor: int  # which the path may need


@contextmanager
def _temporary_file(content: bytes) -> Iterator[_TemporaryFile]:
    """Make a private file that sops can edit; in memory where the system can, so that no death leaves it."""
    with ExitStack() as until_done:
        file: IO[bytes]
        if hasattr(os, "memfd_create"):
            file = until_done.enter_context(open(os.memfd_create("sops"), "wb"))
            path = f"/proc/self/fd/{file.fileno()}"
        else:
            file = until_done.enter_context(tempfile.NamedTemporaryFile(prefix="echovalue-"))
            path = file.name
        file.write(content)
        file.flush()
        yield _TemporaryFile(path, file.fileno())


def names_of(key: str, file: str) -> list[str]:
    """Return the names that a key leads through, in a file whose name says its format.

    Raises InvalidInputError for what is no key, or no such file.
    """
    if os.path.splitext(file)[1] not in _FORMATS:
        raise InvalidInputError(
            f"The name of {file} tells no format: it must end in {', '.join(sorted(_FORMATS))}."
        )
    if key.startswith("["):
        names = [double or single for double, single in _KEY.findall(key)]
        valid = not _KEY.sub("", key)
    else:
        names = key.split(".")
        valid = all(names) and not re.search(r"[\[\]\"]", key)
    if not valid or names[0] == "sops":
        raise InvalidInputError(
            f'{key!r} is no key of a SOPS file: give one as stringData.token or ["a.b"]["c"].'
        )
    return names


class SopsError(Exception):
    """Why sops failed."""


class SopsKey(Driver):
    """A `Driver`: the file is compared and replaced under the lock of its directory."""

    def __init__(self, sops: Sops, file: AtomicFile, given: str, path: str, names: list[str]) -> None:
        self._sops = sops
        self._file = file
        self._path = path
        self._names = names
        self._ending = os.path.splitext(path)[1]
        self._content: bytes | None = None
        self._value: str | None = None
        self.key = json.dumps(names)
        self.secret = ("sops", file.path)
        self.words = f"key {'.'.join(names)} of the SOPS file {given}"
        self.path = given

    def read(self) -> str | None:
        """Return the decrypted value of the key; raise StoreError where it stands in clear in the file."""
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
                raise overtaken(self)
            self._file.replace(content, keep_former=self._value is not None)
        self.backup_file = self._file.backup_file

    def _decrypted(self, text: str) -> str:
        """Return the plain text of the file, as JSON."""
        try:
            return self._sops.run(
                "decrypt", f"--filename-override={self._path}", "--output-type=json", given=text
            )
        except SopsError as error:
            raise refused(self, "read", str(error)) from None

    def _changed(self, value: str | None) -> str:
        """Return the encrypted text of the file with another value, or without one."""
        try:
            if self._content is None:
                return self._new(value)
            index = "".join(f'["{name}"]' for name in self._names)
            return self._text(self._sops.edited(self._content, self._ending, index, value))
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
            given=json.dumps(value),
        )

    def _check_encrypted(self, text: str) -> None:
        value = self._value_in(self._parsed(_FORMATS[self._ending], text, "its text"))
        if not str(value).startswith("ENC["):
            raise StoreError(
                f"{self.words} stands, or would stand, in clear.",
                f"{NOTHING_MINTED} See encrypted_regex, encrypted_suffix and their like, in .sops.yaml and "
                "in the file itself.",
            )

    def _parsed(self, parse: Callable[[str], Any], text: str, what: str) -> Any:
        """Return what a text holds; `what` names it where it has another form."""
        try:
            return parse(text)
        except (ValueError, OverflowError, RecursionError, configparser.Error, yaml.YAMLError):
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
