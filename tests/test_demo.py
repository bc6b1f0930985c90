# SPDX-License-Identifier: BSD-2-Clause
"""`make demo`, as a newcomer sees it: both halves, a service of one's own, an interruption."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools.checkout import ROOT
from tools.emulator.client import Emulator


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own, and no service named."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "ECHOVALUE"))
    }
    return {**kept, "HOME": str(tmp_path)}


def demo(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_it_says_what_happened(home: dict[str, str]) -> None:
    screen, _nothing = demo(home).communicate(timeout=300)
    counts = [
        line.split()[-1] for line in screen.splitlines() if "minted  " in line or "credits spent  " in line
    ]
    assert counts == ["2", "0", "0", "0", "0"], screen
    assert "https://buy.stripe.com/" in screen
    assert "First up: the token is minted" in screen
    assert "token in clear in the state  in none of" in screen


def test_it_runs_against_a_service_of_ones_own(home: dict[str, str], tmp_path: Path) -> None:
    with Emulator() as emulator:
        screen, _nothing = demo({**home, "ECHOVALUE_BASE_URL": emulator.url}).communicate(timeout=300)
        assert emulator.url in screen
        stats = emulator.stats()
    assert (stats["mints"], stats["credits_spent"]) == (3, 0)
    assert len(list((tmp_path / ".echovalue-demo").glob("*.token"))) == 2
    assert (tmp_path / ".echovalue-demo" / "pulumi").is_dir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_what_it_started(home: dict[str, str], number: int) -> None:
    # A job in the background ignores it, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = demo(home)
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
