# SPDX-License-Identifier: BSD-2-Clause
"""The examples whose token is in no state: a real engine, a real store."""

from __future__ import annotations

import shutil
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.testkit.places import HashiVault, KubernetesSecret
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import kubernetes_server, openbao_server
from tools.emulator.client import Emulator

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("example", ["pulumi-openbao/__main__.py", "pulumi-openbao-yaml/Pulumi.yaml"])
def test_the_page_shows_the_example(example: str) -> None:
    text = (DOCS / "examples" / example).read_text().partition("\n\n")[2]
    assert (
        text[text.index("import" if example.endswith("py") else "resources") :]
        in (DOCS / "pulumi" / "places.md").read_text()
    )


def deploy(workspace: Workspace, example: str) -> dict[str, Any]:
    """Run an example twice, and return its outputs."""
    if example.endswith("yaml"):
        workspace.yaml((DOCS / "examples" / example / "Pulumi.yaml").read_text().partition("\n\n")[2])
    else:
        shutil.copytree(DOCS / "examples" / example, workspace.root, dirs_exist_ok=True)
        workspace.pulumi("stack", "init", workspace.stack)
    workspace.up()
    outputs = workspace.outputs()
    workspace.up("--expect-no-changes")
    return outputs


@pytest.mark.slow
@pytest.mark.parametrize("example", ["pulumi-openbao", "pulumi-openbao-yaml"])
def test_openbao(
    workspace: Workspace,
    emulator: Emulator,
    example: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp("openbao")
    with openbao_server(folder) as server:
        monkeypatch.setenv("VAULT_ADDR", server.address)
        monkeypatch.setenv("VAULT_TOKEN", server.token)
        place, secret = HashiVault(server, folder), "secret/data/apps/shop"
        place.call("POST", secret, {"data": {"database": "stays"}})
        outputs = deploy(workspace, example)
        data = place.call("GET", secret)["data"]["data"]
    assert data["database"] == "stays"
    assert sha256(data["token"].encode()).hexdigest() == outputs["hash"]
    assert outputs["credits"] == 100
    assert (emulator.stats()["mints"], emulator.stats()["credits_spent"]) == (1, 0)
    assert not workspace.finds(data["token"], server.token)


@pytest.mark.kubernetes
def test_kubernetes(
    workspace: Workspace,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("kubernetes")
    with kubernetes_server(folder) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        outputs = deploy(workspace, "pulumi-kubernetes")
        manifest = (DOCS / "examples" / "pulumi-kubernetes" / "deployment.yaml").read_text()
        call, deployments = (
            KubernetesSecret(server, folder)._call,
            "apis/apps/v1/namespaces/default/deployments",
        )
        call("POST", deployments, yaml.safe_load(manifest))
        (container,) = call("GET", f"{deployments}/shop")["spec"]["template"]["spec"]["containers"]
        reference = container["env"][0]["valueFrom"]["secretKeyRef"]
        secret = call("GET", f"api/v1/namespaces/default/secrets/{reference['name']}")
        token = b64decode(secret["data"][reference["key"]]).decode()
        assert sha256(token.encode()).hexdigest() == outputs["hash"]
        # The stack in YAML names the same place: it takes up what is there.
        assert deploy(workspace, "pulumi-kubernetes-yaml")["hash"] == outputs["hash"]
    assert emulator.stats()["mints"] == 1
    assert not workspace.finds(token, server.token)
