# SPDX-License-Identifier: BSD-2-Clause
"""What the documentation shows is run: each playbook of docs/examples, and the demo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ansible.playbook import Ansible
from tests.emulator.client import Emulator
from tests.workspace import ROOT

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


def demo(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_demo_tells_what_happened(ansible: Ansible) -> None:
    environment = {name: value for name, value in ansible.environment.items() if name != "ECHOVALUE_BASE_URL"}
    screen, _nothing = demo(environment).communicate(timeout=300)
    counts = [
        line.split()[-1] for line in screen.splitlines() if "minted  " in line or "credits spent  " in line
    ]
    assert counts == ["2", "0", "0", "0"], screen
    assert "https://buy.stripe.com/" in screen


def test_the_demo_runs_against_a_service_of_ones_own(ansible: Ansible, emulator: Emulator) -> None:
    screen, _nothing = demo(ansible.environment).communicate(timeout=300)
    assert emulator.url in screen
    assert emulator.stats()["mints"] == 2
    assert len(list((ansible.directory / ".echovalue-demo").glob("*.token"))) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_what_it_started(ansible: Ansible, number: int) -> None:
    environment = {name: value for name, value in ansible.environment.items() if name != "ECHOVALUE_BASE_URL"}
    process = demo(environment)
    assert process.stdout
    for line in process.stdout:
        if "server was started at" in line:
            port = int(line.rstrip().rstrip(".").rpartition(":")[2])
        if "PLAY [" in line:
            break
    os.kill(process.pid, number)
    screen, _nothing = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in screen
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # its session has no process left
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
