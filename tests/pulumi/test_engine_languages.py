# SPDX-License-Identifier: BSD-2-Clause
"""The examples in every language, with the provider installed as is recommended, and with SDKs that the
engine's own code generator made of the schema.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testkit.pulumi_workspace import OUTSIDE, Workspace
from tools.emulator.client import Emulator
from tools.engine import build, tool_path
from tools.sdk import __main__ as generator

SDK_PROGRAM = Path(generator.__file__).with_name("program.py")
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PLUGIN = [sys.executable, "-m", "pulumi_echovalue.plugin"]

pytestmark = pytest.mark.slow


@pytest.fixture
def installed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose engine has the plugin; this environment is not on PATH, where it would count more."""
    subprocess.run([*PLUGIN, "install"], env=workspace.environment, check=True, capture_output=True)
    workspace.python = str(workspace.folder / "python")
    folders = os.environ["PATH"].split(os.pathsep)
    others = [folder for folder in folders if not Path(folder, "pulumi-resource-echovalue").exists()]
    go = str(Path(build._go("1.25.11")).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([tool_path("pulumi-languages"), *others, go]))
    # All modules are there when the engine starts.
    for name, text in {**generator.GO, "GOPROXY": "off", "GOSUMDB": "off"}.items():
        monkeypatch.setenv(name, text)
    return workspace


@pytest.fixture(scope="module")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDKs of the schema, as `pulumi package add` makes them."""
    folder = tmp_path_factory.mktemp("sdks")
    generator.generate(folder)
    return folder


def run(workspace: Workspace, *command: str) -> None:
    """Run a command of a language's own, with the internet."""
    environment = {**OUTSIDE, **generator.GO, "PATH": workspace.environment["PATH"]}
    done = subprocess.run(
        command, cwd=workspace.root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check(workspace: Workspace, emulator: Emulator) -> None:
    """Deploy what all examples declare, twice."""
    workspace.pulumi("stack", "init", workspace.stack)  # the project has a name of its own
    # The provider is found without a warning; the host of a language that is built here is not.
    assert "warning: using pulumi-resource" not in workspace.up().text
    outputs = workspace.outputs()
    assert outputs["credits"] == 100
    assert outputs["recharge"].startswith("https://buy.stripe.com/emulator1million?")
    shown = json.loads(workspace.pulumi("stack", "output", "--json").out)
    assert (shown["token"], shown["recharge"]) == ("[secret]", "[secret]")
    workspace.up("--expect-no-changes")
    assert workspace.outputs() == outputs
    assert (emulator.stats()["mints"], emulator.stats()["credits_spent"]) == (1, 0)
    workspace.destroy()


def test_yaml(installed: Workspace, emulator: Emulator) -> None:
    shutil.copytree(EXAMPLES / "pulumi-yaml", installed.root, dirs_exist_ok=True)
    check(installed, emulator)


def test_typescript(installed: Workspace, emulator: Emulator, sdks: Path) -> None:
    shutil.copytree(EXAMPLES / "pulumi-typescript", installed.root, dirs_exist_ok=True)
    shutil.copytree(sdks / "nodejs", installed.root / "sdks" / "echovalue")
    run(installed, "npm", "install", "--no-audit", "--no-fund")
    run(installed, "npm", "exec", "tsc")
    # The host that can be built here is too old to compile by itself.
    (installed.root / "index.ts").rename(installed.root / "index.ts.checked")
    shutil.copy2(installed.root / "bin" / "index.js", installed.root / "index.js")
    (installed.root / "package.json").write_text('{"main": "index.js"}')
    check(installed, emulator)


def test_go(installed: Workspace, emulator: Emulator, sdks: Path) -> None:
    shutil.copytree(EXAMPLES / "pulumi-go", installed.root, dirs_exist_ok=True)
    shutil.copytree(sdks / "go" / "echovalue", installed.root / "sdks" / "echovalue")
    run(installed, "go", "build", "-o", os.devnull, ".")
    check(installed, emulator)


def test_the_generated_python(installed: Workspace, emulator: Emulator, sdks: Path) -> None:
    shutil.copyfile(SDK_PROGRAM, installed.root / "__main__.py")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", ".")
    run(installed, *pip, str(sdks / "python"))
    installed.python = sys.executable
    installed.up()
    outputs = installed.outputs()
    assert (outputs["credits"], outputs["recharge"].partition("?")[0]) == (
        100,
        "https://buy.stripe.com/emulator1million",
    )
    assert emulator.stats()["mints"] == 1
