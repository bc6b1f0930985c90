# SPDX-License-Identifier: BSD-2-Clause
"""A store that fails: whatever it does, nothing is minted or changed, the state stays, and people learn so.

One run meets the fault with all that asks the store: a new token, one to rotate, and a refresh.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import pytest

from tests.testkit.gate import Gate, gate
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import openbao_server
from tools.emulator.client import Emulator

PATH, NEW = "apps/shop", "apps/new"
NOTHING = "No token was minted, and nothing was changed."
_UNSEAL = "Unseal Key: "  # what the server logs, in its development mode


@dataclass
class Site:
    """An OpenBao behind a gate, and what was found and left in it."""

    gate: Gate
    client: Any
    log: Path
    patch: pytest.MonkeyPatch
    delay: float = 0.0  # seconds that each request takes more

    @property
    def kv(self) -> Any:
        return self.client.secrets.kv.v2

    def see(self, _operation: str, _body: bytes) -> None:
        time.sleep(self.delay)

    def content(self, path: str = PATH) -> Any:
        """Return all that a secret holds."""
        return self.kv.read_secret_version(path, raise_on_deleted_version=True)["data"]["data"]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "openbao"
    folder.mkdir()
    with openbao_server(folder) as server:
        found: list[Site] = []
        with gate(server.address, lambda *request: found[0].see(*request)) as front:
            found.append(
                Site(front, hvac.Client(server.address, server.token), folder / "bao.log", monkeypatch)
            )
            monkeypatch.setenv("VAULT_ADDR", front.url)
            monkeypatch.setenv("VAULT_TOKEN", server.token)
            monkeypatch.setenv("HOME", str(tmp_path / "user"))
            yield found[0]


@contextmanager
def down(site: Site) -> Iterator[None]:
    """Nothing listens; it stays so."""
    site.gate.shutdown()
    site.gate.server_close()
    yield


@contextmanager
def sealed(site: Site) -> Iterator[None]:
    site.client.sys.seal()
    yield
    key = site.log.read_text().partition(_UNSEAL)[2].split()[0]
    site.client.sys.submit_unseal_key(key)


@contextmanager
def slow(site: Site) -> Iterator[None]:
    """A request takes longer than the 30 seconds that the client waits."""
    site.delay = 32
    yield
    site.delay = 0


@contextmanager
def refusing(site: Site) -> Iterator[None]:
    with site.patch.context() as patch:
        patch.setenv("VAULT_TOKEN", "another-login")
        yield


def holding(value: object) -> Callable[[Site], AbstractContextManager[None]]:
    """Return what puts a value where the tokens are, and takes it away at the end."""

    @contextmanager
    def put(site: Site) -> Iterator[None]:
        before = site.content()
        for path in (PATH, NEW):
            site.kv.create_or_update_secret(path, {"token": value})
        yield
        assert [site.content(path) for path in (PATH, NEW)] == [{"token": value}] * 2
        site.kv.create_or_update_secret(PATH, before)
        site.kv.delete_metadata_and_all_versions(NEW)

    return put


FAULTS = {
    "down": (down, "could not be read (no answer: "),
    "sealed": (sealed, "ealed"),
    "slow": (slow, "could not be read (no answer: ReadTimeout)"),
    "refusing": (refusing, "this login may not"),
    "a mapping": (holding({"a": "b"}), "is not text"),
    "a number": (holding(5), "is not text"),
    "a sentence": (holding("to be filled in"), "exists and holds no token"),
    "two lines": (holding("0123456789abcdef0123456789abcdef\nmore"), "exists and holds no token"),
}


def write(workspace: Workspace, half: str, keepers: str, *paths: str) -> None:
    """Write a program with a token in each of these paths, named after it."""
    if half == "dynamic":
        tokens = [
            f'echovalue.Token("{path[5:]}", keepers={{"a": "{keepers}"}}, place={{"hashi_vault": {{"path": "{path}"}}}})'
            for path in paths
        ]
        workspace.program("\n".join(tokens))
        return
    resources = {
        path[5:]: {
            "type": "echovalue:Token",
            "properties": {"keepers": {"a": keepers}, "place": {"hashiVault": {"path": path}}},
        }
        for path in paths
    }
    workspace.yaml(f"resources: {json.dumps(resources)}")


def remembered(workspace: Workspace) -> Any:
    """Return what the state has of each token, but for the time of its last change and what is encrypted anew."""
    return {
        (name, part): {key: value for key, value in resource[part].items() if key != "__provider"}
        for name, resource in workspace.resources().items()
        for part in ("inputs", "outputs")
    }


@pytest.mark.parametrize("half", ["dynamic", "native"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.slow
def test_a_store_that_fails_changes_nothing(
    workspace: Workspace, emulator: Emulator, site: Site, half: str, fault: str
) -> None:
    fail, why = FAULTS[fault]
    write(workspace, half, "1", PATH)
    workspace.up()
    state, content = remembered(workspace), site.content()
    with fail(site):
        write(workspace, half, "2", PATH, NEW)
        for run in (workspace.up("--continue-on-error", fails=True), workspace.refresh(fails=True)):
            assert why in run.text
            assert NOTHING in run.text
            assert "Traceback" not in run.text
        assert remembered(workspace) == state
    assert emulator.stats()["mints"] == 1
    if fault == "down":
        return
    assert site.content() == content
    workspace.up()
    assert emulator.stats()["mints"] == 3
    assert site.content() != content
    assert not workspace.finds(content["token"])
