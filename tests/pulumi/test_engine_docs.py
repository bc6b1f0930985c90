# SPDX-License-Identifier: BSD-2-Clause
"""The code of docs/_index.md and docs/pulumi does what is said of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pulumi.asking import ADOPTED
from tests.testkit.pulumi_workspace import Run, Workspace
from tools.emulator.client import Emulator

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = dict(
    zip(
        ("first", "adopt", "rotate", "watch", "alert", "automation", "mocks"),
        re.findall(
            r"^```python\n(.*?)^```", (DOCS / "pulumi" / "python.md").read_text(), re.MULTILINE | re.DOTALL
        ),
        strict=True,
    )
)


@pytest.mark.parametrize(
    "program",
    [
        *("pulumi/__main__.py", "pulumi-typescript/index.ts", "pulumi-go/main.go"),
        *("pulumi-dotnet/Program.cs", "pulumi-yaml/Pulumi.yaml"),
    ],
)
def test_the_examples_of_the_index(program: str) -> None:
    index = re.findall(r"^```[a-z]+\n(.*?)^```", (DOCS / "_index.md").read_text(), re.MULTILINE | re.DOTALL)
    example = (DOCS / "examples" / program).read_text()
    assert any(example.endswith(f"\n{text}") for text in index)


def test_the_first_program_is_the_example() -> None:
    assert (DOCS / "examples" / "pulumi" / "__main__.py").read_text().endswith(BLOCKS["first"])


@pytest.mark.slow
def test_adopting_and_rotating(workspace: Workspace, emulator: Emulator) -> None:
    digest = emulator.register(ADOPTED)
    workspace.pulumi("config", "set", "--secret", "echovalueToken", ADOPTED)
    workspace.program(BLOCKS["adopt"])
    workspace.up()
    assert workspace.resources()["app"]["id"] == digest
    assert emulator.stats()["mints"] == 0
    workspace.program(BLOCKS["rotate"])
    workspace.up()
    assert workspace.resources()["app"]["id"] != digest
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_an_empty_wallet_stops_a_pipeline(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program(BLOCKS["watch"])
    workspace.up()
    emulator.set_wallet(workspace.resources()["app"]["id"], 19)
    assert "error: 19 credits are left." in workspace.up(fails=True).text
    emulator.set_wallet(workspace.resources()["app"]["id"], 20)
    workspace.up()


@pytest.mark.slow
@pytest.mark.parametrize("half", ["dynamic", "native"])
def test_an_alert(workspace: Workspace, emulator: Emulator, half: str) -> None:
    workspace.pulumi("config", "set", "--secret", "slackWebhook", "https://hooks.example.com/x")
    workspace.program(BLOCKS["alert"])
    if half == "native":
        index = (DOCS / "_index.md").read_text().partition("## Resource `echovalue:index:WalletAlert`")[2]
        workspace.yaml(index.partition("```yaml\n")[2].partition("```")[0])
    workspace.up()
    assert workspace.resources()["low"]["outputs"]["threshold"] == 1000
    assert emulator.stats()["credits_spent"] == 2


@pytest.mark.slow
def test_the_automation_api(workspace: Workspace, emulator: Emulator) -> None:
    environment = {name: text for name, text in workspace.environment.items() if name != "PULUMI_STACK"}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS["automation"]],
        cwd=workspace.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (token,) = (token for token in emulator.tokens() if token["hash"] in done.stderr)
    assert done.stderr == f"token {token['hash']} is in place\n"
    workspace.runs.append(Run(done.returncode, done.stdout, done.stderr))


def test_a_users_unit_test(tmp_path: Path) -> None:
    (tmp_path / "test_program.py").write_text(BLOCKS["mocks"])
    command = [sys.executable, "-m", "pytest", "-q", "test_program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
