# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A program that is run to its end, within a time and with an output that is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, NamedTuple

from ...module_utils.core.signals import accept_signals

_PAUSE = 0.05  # seconds between two looks whether the program itself has ended


class Ended(NamedTuple):
    """How a program ended, and what it printed."""

    code: int
    output: bytes
    errors: bytes


def run_child(
    argv: Sequence[str],
    stdin: bytes = b"",
    *,
    timeout: float,
    max_size: int,
    environment: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> Ended:
    """Run a program with `stdin` as its standard input, for `timeout` seconds and `max_size` bytes or so.

    It gets the open descriptors `inherited`. What it leaves running, such as an agent, goes on.

    Raises OSError where it cannot be started; TimeoutError and OverflowError, and then kills it with
    all that it started.
    """
    with subprocess.Popen(  # noqa: S603 - what the task or its place names
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=inherited,
        start_new_session=True,
        preexec_fn=accept_signals,  # else a SIGTERM or an alarm of its own would not reach it
    ) as process:
        try:
            threading.Thread(target=_write, args=(process.stdin, stdin), daemon=True).start()
            process.stdin = None  # the thread closes it
            output, errors = _read(process, time.monotonic() + timeout, max_size)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return Ended(process.returncode, output, errors)


def how(ended: Ended) -> str:
    """Return in words how a program ended."""
    if ended.code >= 0:
        return f"exit code {ended.code}"
    with suppress(ValueError):  # of a real-time signal
        return f"the signal {signal.Signals(-ended.code).name}"
    return f"the signal {-ended.code}"


def _write(pipe: IO[bytes], stdin: bytes) -> None:
    with suppress(BrokenPipeError), pipe:  # a program need not read its input
        pipe.write(stdin)


def _read(process: subprocess.Popen[bytes], until: float, max_size: int) -> tuple[bytes, bytes]:
    """Return what a program prints until it ends: another process may hold its outputs open for longer."""
    while True:
        has_ended = process.poll() is not None
        try:
            output, errors = process.communicate(timeout=_PAUSE)
            has_ended = True
        except subprocess.TimeoutExpired as pause:
            output, errors = pause.stdout or b"", pause.stderr or b""
        if max(len(output), len(errors)) > max_size:
            raise OverflowError
        if has_ended:
            return output, errors
        if time.monotonic() > until:
            raise TimeoutError
