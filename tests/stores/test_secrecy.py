# SPDX-License-Identifier: BSD-2-Clause
"""The raw token is found where its store keeps it, and nowhere else that a run leaves or passes through."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from tests.emulator.client import Emulator
from tests.stores.conftest import Controller
from tests.stores.kept import HashiVault, KubernetesSecret, Sops
from tests.stores.places import PLACES, Variables

SAVED = b'"echovalue_token_result"'  # in what the test itself writes down


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Variables]:
    (tmp_path / "file").mkdir()
    with PLACES["file"](tmp_path / "file") as variables:
        yield {"echovalue_token_store": "file", **variables}


@pytest.fixture
def ansible_vault(tmp_path: Path, ansible: Controller) -> Iterator[Variables]:
    (tmp_path / "vault").mkdir()
    ansible.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(tmp_path / "password")
    (tmp_path / "password").write_text("for the test alone")
    with PLACES["ansible_vault"](tmp_path / "vault") as variables:
        yield {"echovalue_token_store": "ansible_vault", **variables}


@pytest.mark.parametrize("store", ["file", "ansible_vault", "hashi_vault", "kubernetes", "sops"])
def test_the_token_is_only_where_it_belongs(
    request: pytest.FixtureRequest,
    ansible: Controller,
    emulator: Emulator,
    temporary: Path,
    tmp_path_factory: pytest.TempPathFactory,
    store: str,
) -> None:
    place = request.getfixturevalue(store)
    variables = place.variables if isinstance(place, (HashiVault, KubernetesSecret, Sops)) else place
    verbose = ("-vvv", "--diff")
    rotating = {**variables, "echovalue_token_regenerate": "always"}
    with watched(ansible.directory / "ansible", ansible.directory / "remote", temporary) as seen:
        runs = [
            ansible.provision(variables, options=verbose),
            ansible.provision(variables, options=verbose),
            ansible.provision(rotating, options=verbose),
        ]
        tokens = {run["echovalue_token_result"]["token"] for run in runs}
        for token in tokens:
            emulator.forget(sha256(token.encode()).hexdigest())
        runs.append(ansible.provision(variables, options=verbose, fails=True))
    assert len(tokens) == 2
    assert "HTTP 401" in runs[-1].screen

    needles = [form for token in tokens for form in (token.encode(), base64.b64encode(token.encode()))]

    def holds(content: bytes) -> bool:
        return SAVED not in content and any(needle in content for needle in needles)

    for run in runs:
        assert not holds(run.shown.encode().replace(SAVED, b""))
        assert not holds(run.syslog.encode())
    assert any(b"play.yml" in content for content in seen), "no command line was seen"
    assert not [content[:200] for content in seen if holds(content)]

    found = {
        path.relative_to(root)
        for root in (tmp_path_factory.getbasetemp(), temporary)
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and holds(path.read_bytes())
    }
    belongs = {
        "file": lambda path: path.match("file/app.token*"),
        "kubernetes": lambda path: "etcd" in path.parts,  # the server's own disk
    }.get(store, lambda path: False)
    assert [path for path in found if not belongs(path)] == []
    assert bool(found) == (store in ("file", "kubernetes")), "the search must be able to find"


@contextmanager
def watched(*folders: Path) -> Iterator[set[bytes]]:
    """Collect command lines, environments, and files of these folders, while the context lasts."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            processes = Path("/proc").glob("[0-9]*")
            files = [process / name for process in processes for name in ("cmdline", "environ")]
            for folder in folders:
                files += [path for path in folder.rglob("*") if path.is_file()]
            for path in files:
                with suppress(OSError):
                    seen.add(path.read_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
