# SPDX-License-Identifier: BSD-2-Clause
"""The places of the experiments: how a run names one, and what is stored there, whatever the product says."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from tests.testkit import places as stores
from tests.testkit.pulumi_places import named
from tools.proof import subject
from tools.proof.stacks import stack

_VAULTED = re.compile(r"\$ANSIBLE_VAULT;.*\n(?: *[0-9a-f]+\n)+")
_OF_THE_LIBRARY = re.compile("k8srcp-[0-9a-f]+.json")  # what kubernetes remembers of its server's API
_TOKEN = re.compile(r"\b[0-9a-f]{32}\b", re.ASCII)

Work = AbstractContextManager[Callable[[], None]]


class FilePlace:
    """Token files in a directory of their own; what cannot be written there is rescued beside it."""

    kind = "token file"

    def __init__(self, base: Path, names: tuple[str, ...] = ("token",)) -> None:
        self.base = base
        self.touched = base / "place"  # what the first system call at the place names
        self.rescue = base / "rescue"
        self.names = names

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Run what the place needs; before that it cannot be used."""
        yield

    def work(self, **options: Any) -> Work:
        """Return what runs the product with `options` for this place."""
        return subject.module(
            self.rescue, **_one_or_many([{"path": str(path)} for path in self.paths]), **options
        )

    @property
    def paths(self) -> list[Path]:
        """The files, one for each token."""
        return [self.touched / name for name in self.names]

    def set(self, token: str | None) -> None:
        """Make the place as new, with `token` in each name."""
        shutil.rmtree(self.base, ignore_errors=True)
        self.touched.mkdir(parents=True)
        self.rescue.mkdir()
        for name in self.names:
            if token is not None:
                (self.touched / name).write_text(f"{token}\n")
                (self.touched / name).chmod(0o600)

    def current(self) -> list[str | None]:
        """Return what is stored at each name: a whole token, None, or what else it is."""
        return [self._content(self.touched / name) for name in self.names]

    def hashes(self) -> list[str | None]:
        """Return the hash of what is stored at each name, as the results have it."""
        return [token and subject.token_hash(token) for token in self.current()]

    def tokens(self) -> set[str]:
        """Return all tokens that are anywhere in the files of the place, whole."""
        return set().union(*map(self._tokens_in, self._files()))

    def holding(self, hashes: set[str]) -> list[Path]:
        """Return the files that hold one of these tokens."""
        return [path for path in self._files() if {*map(subject.token_hash, self._tokens_in(path))} & hashes]

    def open_to_others(self) -> list[str]:
        """Return the files that others may read or write, outside of a private directory."""
        return [path.name for path in self._files() if _is_open(path) and _is_open(path.parent)]

    def pending_files(self) -> list[str]:
        """Return the names of files that only an interrupted run leaves."""
        return [
            str(path.relative_to(self.base))
            for path in self._files()
            if path.name.startswith(".") or path.parent == self.rescue
        ]

    def _tokens_in(self, path: Path) -> set[str]:
        return set(_TOKEN.findall(self._text(path)))

    def _text(self, path: Path) -> str:
        """Return what a file says, with what is encrypted in it."""
        return path.read_bytes().decode("latin-1")

    def _files(self) -> Iterator[Path]:
        return (path for path in sorted(self.base.rglob("*")) if path.is_file())

    def _content(self, path: Path) -> str | None:
        if not path.exists():
            return None
        text = path.read_text()
        whole = text.endswith("\n") and _TOKEN.fullmatch(text.rstrip())
        return text.rstrip() if whole else f"broken: {text!r}"


class VaultPlace(FilePlace):
    """Variables of one vaulted file."""

    kind = "vaulted file"

    def work(self, **options: Any) -> Work:
        items = [{"vault_file": str(self._file), "variable": name} for name in self.names]
        return subject.controller(self.rescue, **_one_or_many(items), **options)

    @property
    def _file(self) -> Path:
        return self.touched / "vault.yml"

    def set(self, token: str | None) -> None:
        super().set(None)
        lines = ["# kept", "other: value"]
        for name in self.names if token else ():
            lines += [f"{name}: !vault |", *(f"  {line}" for line in _encrypted(name, token).splitlines())]
        self._file.write_text("\n".join([*lines, ""]))
        self._file.chmod(0o600)

    def current(self) -> list[str | None]:
        text = self._file.read_text()
        if not text.startswith("# kept\nother: value\n"):
            return [f"broken: {text!r}"]
        values = dict(zip(re.findall(r"^(\w+): !vault", text, re.MULTILINE), _decrypted(text)))
        return [values.get(name) for name in self.names]

    def _text(self, path: Path) -> str:
        text = super()._text(path)
        return "\n".join([text, *_decrypted(text)])


class SpooledPlace(FilePlace):
    """A place of the testkit, with a spool; the part of a run that is tried begins at the spool."""

    store: type[stores.Place]
    others: ClassVar[dict[str, str]] = {}  # what is there beside the token
    _kept: Any  # the place of the testkit

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.touched = base / "spool"

    @contextmanager
    def ready(self) -> Iterator[None]:
        with (
            tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name,
            self.store.server(Path(name)) as server,
        ):
            super().set(None)
            self.touched.chmod(0o700)
            self._kept = self.store(server, self.base)
            self._key = self._kept.key or "token"
            self._fresh = shutil.copytree(self.base, Path(name, "fresh"))
            with mock.patch.dict(os.environ, self._kept.environment):
                yield

    def work(self, **options: Any) -> Work:
        named = {"spool": str(self.touched), **self._kept.options}
        return subject.controller(self.rescue, **{**named, **options})

    def set(self, token: str | None) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        shutil.copytree(self._fresh, self.base)
        self._kept.clear()
        content = {**self.others, **({self._key: token} if token else {})}
        if content:
            self._kept.put(content)
        for path in self._files():
            path.chmod(path.stat().st_mode & 0o700)

    def current(self) -> list[str | None]:
        return [self._token_of(self._kept.content())]

    def tokens(self) -> set[str]:
        return super().tokens() | {token for token in self.current() if token}

    def pending_files(self) -> list[str]:
        waiting = [path.name for path in self._files() if path.name.endswith(".token")]
        return [*waiting, *(name for name in super().pending_files() if name != ".sops.yaml")]

    def _token_of(self, content: dict[str, str]) -> str | None:
        token = content.pop(self._key, None)
        whole = content == self.others and (token is None or _TOKEN.fullmatch(token))
        return token if whole else f"broken: {token!r} beside {content}"


class CommandPlace(SpooledPlace):
    """A program that keeps a token in a file."""

    kind = "command"
    store = stores.Command


class SopsPlace(SpooledPlace):
    """A key of a SOPS file."""

    kind = "SOPS file"
    store = stores.Sops
    others: ClassVar = {"other": "value"}

    @contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            self._kept.sops = cache(self._kept.sops)  # what takes long, and is asked for again and again
            yield

    def _text(self, path: Path) -> str:
        text = super()._text(path)
        return json.dumps(self._kept.decrypted(text)) if "ENC[" in text else text


class HashiVaultPlace(SpooledPlace):
    """A key of a secret in OpenBao, by a login that may see how many versions are kept."""

    kind = "OpenBao"
    store = stores.HashiVault
    others: ClassVar = {"other": "value"}

    @contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            self._path = f"secret/metadata/{self._kept.named('')['path']}"
            self._kept.connection["token"] = self._kept.login("root")
            yield

    def tokens(self) -> set[str]:
        versions = self._kept.call("GET", self._path)["data"]["versions"]
        kept = {self._token_of(self._kept.content(f"?version={version}")) for version in versions}
        return super().tokens() | {token for token in kept if token}


class StackPlace(HashiVaultPlace):
    """The same, of a stack of Pulumi, whose login is in the environment."""

    kind = "Pulumi, OpenBao"

    @contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            self._named, environment = named(self._kept, self.base)
            with mock.patch.dict(os.environ, environment):
                yield

    def work(self, **options: Any) -> Work:
        return stack(self.rescue, self._named, **{"spool": str(self.touched), **options})


class KubernetesPlace(SpooledPlace):
    """A key of a Secret."""

    kind = "Kubernetes"
    store = stores.KubernetesSecret

    @contextmanager
    def ready(self) -> Iterator[None]:
        import_module("kubernetes.client.api.core_v1_api")  # here, once for all runs: it takes long
        import_module("ansible_collections.kubernetes.core.plugins.module_utils.k8s.client")
        with super().ready():
            yield

    def pending_files(self) -> list[str]:
        return [name for name in super().pending_files() if not _OF_THE_LIBRARY.search(name)]

    def open_to_others(self) -> list[str]:
        return [name for name in super().open_to_others() if not _OF_THE_LIBRARY.search(name)]


class SecretsManagerPlace(SpooledPlace):
    """A key of a secret in AWS Secrets Manager."""

    kind = "AWS"
    store = stores.SecretsManager


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _one_or_many(items: list[dict[str, Any]]) -> dict[str, Any]:
    return items[0] if len(items) == 1 else {"tokens": items}


# What takes long, and is asked for again and again, is remembered.


@cache
def _encrypted(name: str, token: str) -> str:
    """Return a token as it is encrypted in the variable `name`."""
    del name
    return subject.VAULT.encrypt(token).decode()


def _decrypted(text: str) -> list[str]:
    """Return what is encrypted by Ansible Vault anywhere in a text."""
    return [_decrypted_one(re.sub(r"^ +", "", one, flags=re.MULTILINE)) for one in _VAULTED.findall(text)]


@cache
def _decrypted_one(text: str) -> str:
    return subject.VAULT.decrypt(text).decode()
