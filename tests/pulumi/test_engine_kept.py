# SPDX-License-Identifier: BSD-2-Clause
"""What the engine keeps: searched for tokens, exported and imported, taken up from an older version."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pulumi.automation as auto
import pytest

from tests.testkit.hunt import files_in
from tests.testkit.pulumi_workspace import PASSPHRASE, Workspace
from tools.emulator.client import Emulator

# A stack of version 0.1.0, and its program: data/make_stack.py wrote it.
OLD_STACK = Path(__file__).parent / "data" / "stack-0.1.0.json"
OLD_PROGRAM = Path(__file__).parent / "data" / "program-0.1.0.py"


@pytest.mark.slow
def test_the_search_for_tokens_finds_one(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program('pulumi.export("token", echovalue.Token("app").token)')
    workspace.up()
    hash_ = workspace.resources()["app"]["id"]
    (token,) = workspace.outputs().values()
    assert not workspace.finds(token)
    searched = files_in(workspace.folder, passphrase=PASSPHRASE)
    for place in (
        "backups/shop/dev/dev.",
        "history/shop/dev/dev-",
        "logs/organization+shop+dev-",
        "/shop/dev.json",
    ):
        assert any(place in name and hash_.encode() in content for name, content in searched.items()), place
    packed = workspace.state_folder / "link.json.gz"
    packed.write_bytes(gzip.compress(f"x={token}&".encode()))
    assert workspace.finds(hashes=[hash_]) == [
        "a token, plain, after b'x=' in the workspace, the file state/link.json.gz"
    ]
    packed.unlink()


@pytest.mark.slow
def test_a_stack_is_exported_and_imported(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program('pulumi.export("token", echovalue.Token("app").token)')
    workspace.up()
    outputs = workspace.outputs()
    file = workspace.folder / "exported.json"
    workspace.pulumi("stack", "export", "--file", str(file))
    workspace.pulumi("stack", "export")
    workspace.pulumi("stack", "history", "--full-dates")
    workspace.pulumi("stack", "--show-urns", "--show-ids")
    # The token is forgotten by the state, and taken back.
    workspace.pulumi("state", "delete", "--yes", workspace.resources()["app"]["urn"])
    assert workspace.resources() == {}
    workspace.pulumi("stack", "import", "--file", str(file))
    emulator.reset_stats()
    workspace.pulumi("preview", "--expect-no-changes")
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 0
    assert workspace.outputs() == outputs


def test_a_stack_of_version_0_1_0(workspace: Workspace, emulator: Emulator) -> None:
    old = json.loads(OLD_STACK.read_text())
    workspace.stack = "old"
    workspace.pulumi("stack", "init", workspace.stack)
    (workspace.root / "__main__.py").write_text(OLD_PROGRAM.read_text())
    stack = auto.create_or_select_stack(
        workspace.stack,
        work_dir=str(workspace.root),
        opts=auto.LocalWorkspaceOptions(env_vars=workspace.environment),
    )
    stack.import_stack(auto.Deployment(version=old["version"], deployment=old["deployment"]))
    before = workspace.outputs()
    assert emulator.register(before["token"]) == before["hash"] == workspace.resources()["minted"]["id"]
    assert stack.preview(expect_no_changes=True).change_summary == {"same": 3}
    stack.up(expect_no_changes=True)
    assert emulator.stats()["total"] == 0
    emulator.reset_stats()
    stack.refresh(expect_no_changes=True)
    assert emulator.stats()["requests"] == {"GET /recharge": 2}
    assert workspace.outputs() == before
    assert {token["outputs"]["service"] for token in workspace.resources().values()} == {emulator.url}
