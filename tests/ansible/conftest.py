# SPDX-License-Identifier: BSD-2-Clause
"""An emulator for each worker, as new for each test, and a runner of playbooks against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testkit.playbook import Ansible
from tools.emulator.client import Emulator


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    """The emulator, as after its start."""
    _emulator.reset()
    return _emulator


@pytest.fixture
def ansible(tmp_path: Path, emulator: Emulator) -> Ansible:
    """Runs playbooks whose default service is the emulator."""
    return Ansible(tmp_path, emulator.url)
