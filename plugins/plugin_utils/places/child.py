# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A program that is run to its end, within a time and with an output that is bounded."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from ...module_utils.core.signals import accept_signals

_PIECE = 65536  # bytes read at once
_ROOM = 512  # bytes that a pipe which is ready takes without waiting: PIPE_BUF of POSIX


class Ended(NamedTuple):
    """How a program ended, and what it printed."""

    code: int
    output: bytes
    errors: bytes


def run_child(
    argv: Sequence[str],
    given: bytes = b"",
    *,
    timeout: float,
    most: int,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
    inherited: Sequence[int] = (),
) -> Ended:
    """Run a program with `given` as its standard input, for `timeout` seconds and `most` bytes at most.

    It gets the open descriptors `inherited`.

    Raises OSError where it cannot be started; TimeoutError and OverflowError, and then kills it with
    all that it started.
    """
    until = time.monotonic() + timeout
    with subprocess.Popen(  # noqa: S603 - what the task or its place names
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=directory,
        pass_fds=inherited,
        start_new_session=True,
        preexec_fn=accept_signals,  # else a SIGTERM or an alarm of its own would not reach it
    ) as process:
        try:
            output, errors = _exchange(process, given, until, most)
            return Ended(process.wait(max(0.0, until - time.monotonic())), output, errors)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError from None
            raise


def _exchange(process: subprocess.Popen[bytes], given: bytes, until: float, most: int) -> tuple[bytes, bytes]:
    """Write what is given, and read until both outputs end."""
    if not (process.stdin and process.stdout and process.stderr):
        raise AssertionError("all three are pipes")
    left = memoryview(given)
    read = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        for descriptor in read:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _events in ready:
                if key.fd in read:
                    piece = os.read(key.fd, _PIECE)
                    read[key.fd] += piece
                    if not piece:
                        selector.unregister(key.fd)
                    elif len(read[key.fd]) > most:
                        raise OverflowError
                    continue
                try:
                    left = left[os.write(key.fd, left[:_ROOM]) :]
                except BrokenPipeError:  # it need not read what it is given
                    left = left[:0]
                if not left:
                    selector.unregister(process.stdin)
                    process.stdin.close()
    output, errors = read.values()
    return bytes(output), bytes(errors)
