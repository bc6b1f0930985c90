# SPDX-License-Identifier: BSD-2-Clause
"""The example of the docs, on a real engine; `EXAMPLE_PYTHON` names another environment to run it in."""

import os
import shutil
import sys
from pathlib import Path

from tests.emulator.client import Emulator
from tests.pulumi.workspace import Workspace

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "pulumi"


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
