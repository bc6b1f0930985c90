# SPDX-License-Identifier: BSD-2-Clause
"""What real files and real rollouts broke, played as its users did: a folder for each report.

`run.sh` in it is what they typed, and what they should have seen; README.md says how to add one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testkit.hunt import hunt
from tests.testkit.playbook import Ansible
from tools.emulator.client import Emulator

HERE = Path(__file__).resolve().parent
NEEDS = re.compile(r"^# Needs: (.+)$", re.MULTILINE)


def needs(script: Path) -> list[str]:
    """Return the fixtures that a script names; each gives environment variables."""
    return " ".join(NEEDS.findall(script.read_text())).split()


def case(script: Path) -> object:
    """Return a report as a parameter, marked by what it needs."""
    needed = needs(script)
    mark = "alone" if not needed else "kubernetes" if "kubernetes" in needed else "stores"
    return pytest.param(script, id=script.parent.name, marks=[getattr(pytest.mark, mark), pytest.mark.slow])


@pytest.mark.parametrize("script", [case(script) for script in sorted(HERE.glob("*/run.sh"))])
def test_field(script: Path, tmp_path: Path, emulator: Emulator, request: pytest.FixtureRequest) -> None:
    case = shutil.copytree(script.parent, tmp_path / "case")
    environment = dict(Ansible(tmp_path, emulator.url).environment)
    del environment["ECHOVALUE_BASE_URL"]
    environment |= {
        "BASH_ENV": str(HERE / "helpers.sh"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]]),
        "URL": emulator.url,
    }
    for name in needs(script):
        environment |= request.getfixturevalue(name)
    done = subprocess.run(
        ["bash", "-eux", "-o", "pipefail", "run.sh"],
        cwd=case,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    minted = {token["hash"] for token in emulator.tokens()}
    assert not hunt((), {"the screen": done.stdout}, hashes=minted)
