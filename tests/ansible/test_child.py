# SPDX-License-Identifier: BSD-2-Clause
"""Programs that places start: what counts is that the program itself ended."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Callable
from unittest import mock

import pytest

from plugins.module_utils.core.signals import signals_deferred
from plugins.plugin_utils.places import sops_program
from plugins.plugin_utils.places.child import run_child

pytestmark = pytest.mark.essential

MANY = b"x" * 1_000_000  # bytes, more than a pipe takes
WITH_A_TERMINAL = """\
import os, sys
from tests.ansible.test_child import PYTHONS, run
os.open(sys.argv[1], os.O_RDWR)  # a session's first one is its own
with PYTHONS[sys.argv[2]]():
    sys.exit(run("cat </dev/tty", timeout=20)[0])
"""


@contextmanager
def no_sessions() -> Iterator[None]:
    """What a Python does that was built for an old C library, such as those of uv."""
    spawn = os.posix_spawnp

    def spawn_or_refuse(*arguments: Any, setsid: bool = False, **options: Any) -> int:
        if setsid:
            raise NotImplementedError("posix_spawnp: setsid unavailable on this platform")
        return spawn(*arguments, **options)

    with mock.patch.object(os, "posix_spawnp", spawn_or_refuse):
        yield


PYTHONS = {"sessions": nullcontext, "no sessions": no_sessions}


@pytest.fixture(params=PYTHONS, autouse=True)
def python(request: pytest.FixtureRequest) -> Iterator[str]:
    with PYTHONS[request.param]():
        yield request.param


def run(script: str, passed: bytes = b"", timeout: float = 20, most: int = 4096) -> tuple[int, bytes, bytes]:
    return tuple(run_child(["sh", "-c", script], passed, timeout=timeout, max_size=most))


def test_input_and_outputs() -> None:
    assert run("cat; echo error >&2; exit 3", b"token\n") == (3, b"token\n", b"error\n")
    assert run("cat", MANY, most=len(MANY))[1] == MANY


def test_a_program_need_not_read_its_input() -> None:
    assert run("echo first; exit 0", MANY) == (0, b"first\n", b"")


def test_a_program_that_prints_before_it_reads() -> None:
    code, output, _errors = run("yes | head -c 500000; cat > /dev/null", MANY, most=500_000)
    assert (code, len(output)) == (0, 500_000)


def test_a_process_left_behind_delays_nothing() -> None:
    began = time.monotonic()
    code, output, _errors = run("(sleep 1; echo late > /dev/null; sleep 30) & echo $!")
    assert code == 0
    assert time.monotonic() - began < 10
    assert run(f"kill -0 {int(output)} && kill {int(output)}")[0] == 0


@pytest.mark.parametrize("signals", [nullcontext, signals_deferred])
def test_signals_work_in_a_program(signals: Callable[[], AbstractContextManager[object]]) -> None:
    """Those that end it, and those of its own time limit; what is deferred here is not inherited."""
    with signals():
        assert run("timeout 0.2 sleep 30")[0] == 124
        assert run("kill -TERM $$; sleep 30")[0] == -15


def test_a_program_cannot_read_the_terminal(python: str) -> None:
    """Else it would be stopped there, until its time is up."""
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", WITH_A_TERMINAL, os.ttyname(theirs), python]
    done = subprocess.run(program, start_new_session=True, capture_output=True, timeout=10, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode in (1, 2), done.stderr


def test_what_another_process_prints_on_delays_nothing() -> None:
    began = time.monotonic()
    code, output, _errors = run("echo $$; yes & sleep 0.1", most=10**9)
    assert code == 0
    assert time.monotonic() - began < 10
    with suppress(ProcessLookupError):  # it may have noticed that nobody reads any longer
        os.killpg(int(output.split()[0]), signal.SIGKILL)


def test_no_hook_of_a_fork_runs() -> None:
    """Those of gRPC crash in a process that answers the Pulumi engine."""
    forks: list[str] = []
    os.register_at_fork(before=lambda: forks.append("before"))
    assert run("exit 0")[0] == 0
    assert forks == []
    subprocess.run(["true"], check=True, preexec_fn=lambda: None)
    assert forks == ["before"]


def test_the_limits() -> None:
    with pytest.raises(TimeoutError):
        run("sleep 30", timeout=0.2)
    with pytest.raises(OverflowError):
        run("yes")
    with pytest.raises(FileNotFoundError):
        run_child(["/nothing/of/that/name"], timeout=1, max_size=1)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("sleep 60", "did not end within 0.5 s, and was killed"),
        ("yes", "printed too much"),
        ("printf '\\377'", "is no UTF-8 text"),
        ("exit 3", "sops ended with exit code 3"),
        ("echo 'no AGE-SECRET-KEY-1ABC here.' >&2; exit 1", r"sops says: no \*{8} here$"),
        ("kill -9 $$", "SIGKILL"),
    ],
)
def test_how_sops_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str) -> None:
    program = tmp_path / "sops"
    program.write_text(f"#!/bin/sh\n[ $1 = decrypt ] || exec echo sops 3.11.0\n{script}\n")
    program.chmod(0o755)
    sops = sops_program.Sops(str(program), {"PATH": os.environ["PATH"]}, str(tmp_path))
    monkeypatch.setattr(sops_program, "_TIMEOUT", 0.5)
    monkeypatch.setattr(sops_program, "MAX_SIZE", 4096)
    with pytest.raises(sops_program.SopsError, match=why):
        sops.run("decrypt")
    program.chmod(0o644)
    with pytest.raises(sops_program.SopsError, match="could not be started"):
        sops.run("decrypt")
