# SPDX-License-Identifier: BSD-2-Clause
"""What the documentation shows is run: each playbook of docs/examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ansible.playbook import Ansible
from tests.emulator.client import Emulator
from tests.workspace import ROOT

pytestmark = pytest.mark.slow

PLAYBOOKS = sorted((ROOT / "docs" / "examples").glob("*.yml"))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_an_example_runs_twice_and_changes_nothing_the_second_time(
    ansible: Ansible, emulator: Emulator, playbook: Path
) -> None:
    for changes in (True, False):
        process = ansible.start(playbook)
        screen, _nothing = process.communicate(timeout=120)
        assert process.returncode == 0, screen
        assert ("changed=0" not in screen) == changes, screen
    assert emulator.stats()["credits_spent"] == 0
    for path in ansible.directory.rglob("*.token"):
        assert path.read_text().strip() not in screen
