# SPDX-License-Identifier: BSD-2-Clause
"""The example that hands a token to OpenBao: a real engine, a real store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import hvac
import pytest

from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import OpenBao, openbao_server
from tools.emulator.client import Emulator

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "pulumi-openbao"


@pytest.fixture
def openbao(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenBao]:
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        monkeypatch.setenv("VAULT_ADDR", server.address)
        monkeypatch.setenv("VAULT_TOKEN", server.token)
        yield server


@pytest.mark.slow
def test_a_token_is_registered_once_and_leaves_other_keys_alone(
    workspace: Workspace, emulator: Emulator, openbao: OpenBao
) -> None:
    kv = hvac.Client(openbao.address, openbao.token).secrets.kv.v2
    kv.create_or_update_secret("myapp", {"database": "kept"})

    def stored() -> tuple[dict[str, str], int]:
        found = kv.read_secret_version("myapp", raise_on_deleted_version=True)["data"]
        return found["data"], found["metadata"]["version"]

    shutil.copytree(EXAMPLE, workspace.root, dirs_exist_ok=True)
    workspace.pulumi("stack", "init", workspace.stack)
    workspace.up()
    data, version = stored()
    assert data["database"] == "kept"
    assert sha256(data["echovalue_token"].encode()).hexdigest() == workspace.outputs()["hash"]
    assert version == 2
    workspace.up("--expect-no-changes")
    assert stored() == (data, 2)
    assert (emulator.stats()["mints"], emulator.stats()["credits_spent"]) == (1, 0)
    assert not workspace.finds(openbao.token)
    workspace.destroy()
    assert stored()[0] == {"database": "kept"}
