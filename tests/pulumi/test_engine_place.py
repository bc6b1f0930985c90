# SPDX-License-Identifier: BSD-2-Clause
"""A token that is in no state: the table of steps, on a real engine with a real OpenBao, in both halves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import pytest

from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import OpenBao, openbao_server
from tools.emulator.client import Emulator

HALVES = pytest.mark.parametrize("half", ["dynamic", "native"])
PLACE = {"hashi_vault": {"path": "apps/shop"}}


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def openbao(_server: OpenBao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.setenv("VAULT_ADDR", _server.address)
    monkeypatch.setenv("VAULT_TOKEN", _server.token)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    store = Store(_server)
    store.clear()
    return store


@dataclass(frozen=True)
class Store:
    """The secrets of an OpenBao."""

    server: OpenBao

    @property
    def kv(self) -> Any:
        return hvac.Client(self.server.address, self.server.token).secrets.kv.v2

    def clear(self) -> None:
        for path in ("apps/shop", "apps/other"):
            self.kv.delete_metadata_and_all_versions(path)

    def put(self, token: str, path: str = "apps/shop") -> None:
        self.kv.create_or_update_secret(path, {"token": token, "other": "stays"})

    def token(self, path: str = "apps/shop") -> str | None:
        try:
            found = self.kv.read_secret_version(path, raise_on_deleted_version=True)
        except hvac.exceptions.InvalidPath:
            return None
        return found["data"]["data"].get("token")


def hash_of(token: str | None) -> str:
    assert token is not None
    return hashlib.sha256(token.encode()).hexdigest()


def camel(value: Any) -> Any:
    names = {"hashi_vault": "hashiVault"}
    return {names.get(k, k): v for k, v in value.items()} if isinstance(value, dict) else value


def write(
    workspace: Workspace,
    half: str,
    place: dict[str, Any] | None = PLACE,
    keepers: str = "1",
    **more: Any,
) -> None:
    """Write a program with one token; `more` are further arguments, as Python has them."""
    if half == "dynamic":
        arguments = "".join(f", {name}={value!r}" for name, value in more.items())
        workspace.program(
            f"""
token = echovalue.Token("app", keepers={{"a": {keepers!r}}}, place={place!r}{arguments})
pulumi.export("hash", token.hash)
pulumi.export("stored_at", token.stored_at)
pulumi.export("gone", token.gone)
"""
        )
        return
    wire = {"max_age_days": "maxAgeDays", "max_loss": "maxLoss"}
    properties: dict[str, Any] = {"keepers": {"a": keepers}, **{wire[n]: v for n, v in more.items()}}
    if place is not None:
        properties["place"] = camel(place)
    workspace.yaml(
        f"""
resources: {{app: {{type: "echovalue:Token", properties: {json.dumps(properties)}}}}}
outputs: {{hash: "${{app.hash}}", stored_at: "${{app.storedAt}}", gone: "${{app.gone}}"}}
"""
    )


@HALVES
def test_its_life(workspace: Workspace, emulator: Emulator, openbao: Store, half: str) -> None:
    write(workspace, half)
    workspace.pulumi("preview")
    assert (emulator.stats()["requests"], openbao.token()) == ({}, None)
    workspace.up()
    first = openbao.token()
    outputs = workspace.outputs()
    assert outputs["hash"] == hash_of(first)
    assert "apps/shop" in outputs["stored_at"]
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["requests"] == {}
    write(workspace, half, keepers="2")
    workspace.up()
    second = openbao.token()
    assert second != first
    assert workspace.outputs()["hash"] == hash_of(second)
    workspace.refresh()
    workspace.up("--expect-no-changes")
    warning = workspace.destroy().text
    assert "apps/shop" in warning
    assert openbao.token() == second
    assert first is not None
    assert second is not None
    seen = workspace.seen()
    for secret in (first, second, openbao.server.token):
        assert secret not in seen
