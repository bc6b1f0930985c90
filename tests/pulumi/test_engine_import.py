# SPDX-License-Identifier: BSD-2-Clause
"""An alert that is set at the service is imported: the program text that the engine makes of it has no secret.

That no token is in clear anywhere is checked at the end of each, by the fixture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pulumi_echovalue._shared.module_utils.core.client import EchoValueClient
from pulumi_echovalue._shared.module_utils.core.models import Alert
from tests.pulumi.asking import ADOPTED as TOKEN
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

CANARIES = ("hooks-canary.example.com", "path-canary-5f1e", "header-canary-77ab", "option-canary-90cd")
HOOK = {
    "url": f"https://{CANARIES[0]}/{CANARIES[1]}",
    "headers": {"Authorization": CANARIES[2]},
    "format": "pagerduty",
    "options": {"routing_key": CANARIES[3]},
}
BARE = "resources: {}\n"
REAL = """
config:
  token: {type: string, secret: true}
  url: {type: string, secret: true}
  header: {type: string, secret: true}
  option: {type: string, secret: true}
resources:
  low:
    type: echovalue:WalletAlert
    properties:
      token: ${token}
      threshold: 500
      email: ops@example.com
      webhook:
        url: ${url}
        headers: {Authorization: "${header}"}
        format: pagerduty
        options: {routing_key: "${option}"}
"""
IMPORT = ("import", "--yes", "--protect=false", "echovalue:index:WalletAlert", "low")


@pytest.fixture
def hash_(workspace: Workspace, emulator: Emulator) -> Iterator[str]:
    """The token, whose alert is set; no canary is seen whatever is done."""
    hash_ = emulator.register(TOKEN)
    emulator.set_wallet(hash_, 100)
    EchoValueClient(emulator.url).put_settings(TOKEN, Alert(500, "ops@example.com", HOOK))
    secrets = {
        "echovalue:token": TOKEN,
        "token": TOKEN,
        "url": str(HOOK["url"]),
        "header": CANARIES[2],
        "option": CANARIES[3],
    }
    for name, value in secrets.items():
        workspace.pulumi("config", "set", "--secret", name, value)
    workspace.yaml(BARE)
    yield hash_
    assert not workspace.finds(*CANARIES)


def test_the_text_has_no_secret(workspace: Workspace, emulator: Emulator, hash_: str) -> None:
    run = workspace.pulumi(*IMPORT, hash_)
    assert "threshold: 500" in run.out
    assert not {"token:", "webhook:"} & set(run.out.partition("resources:")[2].split())
    assert "Write the token and webhook of this alert into it" in run.text
    assert "failed to validate" not in run.text
    kept = workspace.resources()["low"]
    assert sorted(kept["inputs"]) == ["email", "threshold"]
    assert all(isinstance(kept["outputs"][name], dict) for name in ("token", "webhook"))
    # The text as it is says what is missing, and changes nothing.
    emulator.reset_stats()
    workspace.yaml(BARE.replace("{}", "\n" + run.out.partition("resources:\n")[2].partition("\n\n")[0]))
    assert "token: That is not a token" in workspace.up(fails=True).text
    assert emulator.stats()["total"] == 0
    # A refresh finds no difference; nor does the real program, which sends nothing.
    workspace.refresh("--expect-no-changes")
    emulator.reset_stats()
    workspace.yaml(REAL)
    workspace.pulumi("preview", "--diff", "--expect-no-changes")
    workspace.up("--diff", "--expect-no-changes")
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize(
    "argument", ["--out", "--generate-code=false", pytest.param("--file", marks=pytest.mark.slow)]
)
def test_nor_has_a_file(workspace: Workspace, hash_: str, argument: str) -> None:
    file = workspace.folder / "resources.json"
    resource = {"type": "echovalue:index:WalletAlert", "name": "low", "id": hash_}
    if argument == "--file":
        file.write_text(json.dumps({"resources": [resource]}))
        workspace.pulumi(*IMPORT[:3], argument, str(file))
    else:
        workspace.pulumi(*IMPORT, hash_, argument, *([str(file)] if argument == "--out" else []))
    assert argument != "--out" or "threshold: 500" in file.read_text()
    workspace.yaml(REAL)
    workspace.up("--expect-no-changes")


def test_an_import_by_the_option(workspace: Workspace, emulator: Emulator, hash_: str) -> None:
    emulator.reset_stats()
    workspace.yaml(REAL + f"    options: {{import: {hash_}}}\n")
    workspace.up("--diff")
    assert emulator.stats()["requests"] == {"GET /token/settings": 1}
    workspace.yaml(REAL)
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 1
