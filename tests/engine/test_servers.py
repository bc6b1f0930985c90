# SPDX-License-Identifier: BSD-2-Clause
"""The servers end with the tests, and say why they do not start."""

import os
import signal
import socket
import subprocess
import sys
import urllib.parse

import pytest

from tests.testkit.playbook import wait_until
from tests.testkit.servers import openbao_server
from tools.engine import EngineError


def listens(address):
    """Whether something listens there."""
    host, port = urllib.parse.urlsplit(address).netloc.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_a_server_that_ends_is_reported_with_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.testkit.servers._free_ports", lambda count: [99999])
    with (
        pytest.raises(EngineError, match=r"(?s)bao ended .*Its last lines:\n.*99999"),
        openbao_server(tmp_path),
    ):
        pass


def test_a_server_ends_with_its_block(tmp_path):
    with openbao_server(tmp_path) as server:
        assert listens(server.address)
    assert not listens(server.address)


def test_a_server_ends_when_the_tests_are_killed(tmp_path):
    program = (
        "import pathlib, sys, time\n"
        "from tests.testkit.servers import openbao_server\n"
        "with openbao_server(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.address, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        address = parent.stdout.readline().strip()
        assert listens(address)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not listens(address))
