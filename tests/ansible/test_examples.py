# SPDX-License-Identifier: BSD-2-Clause
"""What the documentation shows is run: each playbook of docs/examples, and that of the README."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

import pytest

from tests.testkit.hunt import hunt
from tests.testkit.playbook import Ansible, finished
from tools.checkout import ROOT
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

PLAYBOOKS = sorted((ROOT / "docs" / "examples").glob("*.yml"))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_an_example_changes_nothing_the_second_time(
    ansible: Ansible, emulator: Emulator, playbook: Path
) -> None:
    run_twice(ansible, emulator, playbook)


def test_the_playbook_of_the_readme(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    for theirs, ours in {
        "hosts: app": "hosts: localhost\n  gather_facts: false",
        "/etc/myapp": str(tmp_path),
        "owner: myapp": f"owner: {getpass.getuser()}",
    }.items():
        assert theirs in shown
        shown = shown.replace(theirs, ours)
    playbook = tmp_path / "readme.yml"
    playbook.write_text(shown)
    run_twice(ansible, emulator, playbook)
    assert (tmp_path / "echovalue.token").exists()


def run_twice(ansible: Ansible, emulator: Emulator, playbook: Path) -> None:
    for changes in (True, False):
        (screen,) = finished(ansible.start(playbook))
        assert ("changed=0" not in screen) == changes, screen
    assert emulator.stats()["credits_spent"] == 0
    for path in ansible.directory.rglob("*.token"):
        assert not hunt([path.read_text().strip()], {"the screen": screen})
