# SPDX-License-Identifier: BSD-2-Clause
"""The process: its command line, its workers, its end, and what outlives it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from plugins.module_utils.core.models import token_hash
from tests.testkit.playbook import wait_until
from tools.emulator.client import Emulator
from tools.emulator.openapi import DOCUMENT

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tools.emulator"]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_update_is_lost(call, workers):
    with Emulator(workers=workers) as emulator, ThreadPoolExecutor(8) as pool:
        token = call(emulator, "POST /token").text
        statuses = [*pool.map(lambda _: call(emulator, "GET /token", token).status, range(120))]
        stats = emulator.stats()
        [account] = emulator.tokens()
    assert (statuses.count(200), statuses.count(402)) == (100, 20)
    assert (stats["total"], stats["credits_spent"], account["wallet"]) == (121, 100, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_answered_mint_survives_a_crash(call, tmp_path, workers):
    database = tmp_path / "emulator.sqlite"
    with Emulator(database, workers=workers) as emulator:
        tokens = []

        def mint():
            with suppress(OSError, http.client.HTTPException):  # the crash
                while True:
                    tokens.append(call(emulator, "POST /token").text)

        def crash():
            while len(tokens) < 50:
                time.sleep(0.01)
            emulator.kill()

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda work: work(), [crash, *[mint] * 4]))
        port = emulator.port
        emulator.restart()
        assert emulator.port == port
        known = {account["hash"] for account in emulator.tokens()}
    assert {*map(token_hash, tokens)} <= known


def test_no_token_in_the_database(call, tmp_path):
    database = tmp_path / "emulator.sqlite"
    with Emulator(database, links="token") as emulator:
        token = call(emulator, "POST /token").text
        assert token in call(emulator, "GET /recharge", token).text
        emulator.kill()
        files = list(tmp_path.iterdir())
        assert len(files) > 1  # the write-ahead log too
        assert not any(token.encode() in file.read_bytes() for file in files)


def test_options_of_the_start(call):
    with Emulator(links="token", balance_headers=False, latency=0.1) as emulator:
        token = call(emulator, "POST /token").text
        began = time.monotonic()
        reply = call(emulator, "GET /recharge", token)
        assert time.monotonic() - began >= 0.1
    assert reply.text.endswith(token)
    assert "x-balance" not in reply.headers


@pytest.mark.parametrize("fault", ["hang", "late", "trickle"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_end(call, tmp_path, fault, number):
    port_file = tmp_path / "port"
    command = [*COMMAND, "--port-file", str(port_file), "--workers", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    emulator = Emulator(port=int(process.stdout.readline().rpartition(":")[2]))  # not started
    assert port_file.read_text() == f"{emulator.port}\n"
    assert [file.name for file in tmp_path.iterdir()] == ["port"]

    def meet_the_fault():
        with pytest.raises((OSError, http.client.HTTPException)):
            call(emulator, "POST /token")

    emulator.fault("*", fault, seconds=20)
    client = threading.Thread(target=meet_the_fault)
    client.start()
    time.sleep(0.1)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=5)
    client.join()
    assert (process.returncode, rest) == (0, "")


@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_with_its_parent(tmp_path, workers):
    program = (
        "import os; from tools.emulator.client import Emulator\n"
        f"emulator = Emulator(workers={workers}); emulator.start()\n"
        "print(emulator.port, flush=True); os._exit(0)"
    )
    scratch = {**os.environ, "TMPDIR": str(tmp_path)}  # for nobody is left to remove it
    port = int(subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, env=scratch))

    def refuses():
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) != 0

    wait_until(refuses, 5)


def test_a_worker_ends_with_the_first():
    with Emulator(workers=2) as emulator:
        emulator._process.kill()  # only the first process
        emulator._process.communicate(timeout=5)  # returns when no worker is left


def test_the_document_on_the_command_line():
    printed = subprocess.check_output([*COMMAND, "--openapi"], cwd=ROOT)
    assert json.loads(printed) == DOCUMENT


@pytest.mark.parametrize(
    "arguments",
    [("--host", host) for host in ("0.0.0.0", "::", "192.0.2.1", "example.com")]
    + [("--workers", "0"), ("--port", "70000")],
    ids=" ".join,
)
def test_wrong_arguments(arguments):
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use(workers):
    with Emulator(workers=workers) as emulator, pytest.raises(RuntimeError, match="exit code 2"):
        Emulator(port=emulator.port, workers=workers).start()
