# SPDX-License-Identifier: BSD-2-Clause
"""The examples of the docs and the README, on a real engine; `EXAMPLE_PYTHON` names another environment for them."""

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "pulumi"


def test_the_example(workspace: Workspace, emulator: Emulator) -> None:
    workspace.python = os.environ.get("EXAMPLE_PYTHON", sys.executable)
    shutil.copytree(EXAMPLE, workspace.root, dirs_exist_ok=True)
    workspace.pulumi("stack", "init", workspace.stack)  # the project has a name of its own
    workspace.up()
    outputs = workspace.outputs()
    assert outputs["credits"] == 100
    assert outputs["recharge"].startswith("https://buy.stripe.com/emulator1million?")
    workspace.up("--expect-no-changes")
    assert workspace.outputs() == outputs
    assert emulator.stats()["mints"] == 1
    assert emulator.stats()["credits_spent"] == 0


def test_the_program_of_the_readme(workspace: Workspace, emulator: Emulator) -> None:
    workspace.python = os.environ.get("EXAMPLE_PYTHON", sys.executable)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (workspace.root / "__main__.py").write_text(shown)
    workspace.up()
    outputs = workspace.outputs()
    assert outputs["hash"] == hashlib.sha256(outputs["token"].encode()).hexdigest()
    assert outputs["hash"] in [token["hash"] for token in emulator.tokens()]
    workspace.up("--expect-no-changes")
    assert workspace.outputs() == outputs
    assert emulator.stats()["mints"] == 1
