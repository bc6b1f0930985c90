# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A program that is run to its end, within a time and with an output that is bounded."""

from __future__ import annotations

import errno
import fcntl
import os
import selectors
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from io import FileIO
from typing import Any, NamedTuple

_PAUSE = 0.05  # seconds between two looks whether the program itself has ended
_SHORT_PAUSE = 0.002  # the same, once it has closed its outputs
_CHUNK = 65536  # bytes
# A program that reads the terminal gets an error; else it would be stopped, until its time is up.
_WITHOUT_TERMINAL = 'trap "" TTIN TTOU; exec "$0" "$@"'


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
) -> Ended:
    """Run a program with `stdin` as its standard input, for `timeout` seconds and `max_size` bytes or so.

    What it leaves running, such as an agent, goes on.

    Raises OSError where it cannot be started; TimeoutError and OverflowError, and then kills it with
    all that it started.
    """
    with ExitStack() as pipes:
        child = _Child(argv, environment, pipes)
        try:
            code = child.serve(stdin, time.monotonic() + timeout, max_size)
        except BaseException:
            child.kill()
            raise
    return Ended(code, bytes(child.output), bytes(child.errors))


def how(ended: Ended) -> str:
    """Return in words how a program ended."""
    if ended.code >= 0:
        return f"exit code {ended.code}"
    with suppress(ValueError):  # of a real-time signal
        return f"the signal {signal.Signals(-ended.code).name}"
    return f"the signal {-ended.code}"


class _Child:
    """A started program and our ends of its pipes."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str] | None,
        pipes: ExitStack,
    ) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self._selector = pipes.enter_context(selectors.DefaultSelector())
        with ExitStack() as theirs:
            stdin, self._stdin = _open_pipe(theirs, pipes)
            self._output, stdout = _open_pipe(pipes, theirs)
            self._errors, stderr = _open_pipe(pipes, theirs)
            actions = [
                (os.POSIX_SPAWN_DUP2, end.fileno(), number)
                for number, end in enumerate((stdin, stdout, stderr))
            ]
            self._process = _spawn(argv, os.environ if environment is None else environment, actions)

    def serve(self, stdin: bytes, until: float, max_size: int) -> int:
        """Write and read until the program ends, whoever else has its outputs; return its exit code."""
        unwritten = memoryview(stdin)
        os.set_blocking(self._stdin.fileno(), False)
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        for end, printed in ((self._output, self.output), (self._errors, self.errors)):
            self._selector.register(end, selectors.EVENT_READ, printed)
        code = None
        while True:
            if code is None:
                code = self._poll()
                if code is not None:
                    until = time.monotonic() + _PAUSE  # for what it printed: others may print on
            ready = self._selector.select(0 if code is not None else self._pause)
            for key, _events in ready:
                if key.fileobj is self._stdin:
                    unwritten = self._write(unwritten)
                else:
                    self._read(key.fileobj, key.data)
            if max(len(self.output), len(self.errors)) > max_size:
                raise OverflowError
            is_late = time.monotonic() > until
            if code is not None and (is_late or not ready):
                return code
            if is_late:
                raise TimeoutError

    def kill(self) -> None:
        """Kill the program, unless it has ended, with all that it started."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

    @property
    def _pause(self) -> float:
        """How long to wait for a pipe; one that has closed its outputs is about to end."""
        return _SHORT_PAUSE if self._output.closed and self._errors.closed else _PAUSE

    def _poll(self) -> int | None:
        """Return the exit code once the program has ended."""
        ended, status = os.waitpid(self._process, os.WNOHANG)
        if not ended:
            return None
        self._process = 0
        return os.waitstatus_to_exitcode(status)

    def _write(self, unwritten: memoryview) -> memoryview:
        """Write what the pipe takes; close it once all is written, or the program does not read it."""
        with suppress(BrokenPipeError):
            unwritten = unwritten[self._stdin.write(unwritten) or 0 :]
            if unwritten:
                return unwritten
        self._close(self._stdin)
        return unwritten

    def _read(self, end: Any, printed: bytearray) -> None:
        chunk = end.read(_CHUNK)
        printed += chunk
        if not chunk:
            self._close(end)

    def _close(self, end: FileIO) -> None:
        self._selector.unregister(end)
        end.close()


def _spawn(argv: Sequence[str], environment: Mapping[str, str], file_actions: list[Any]) -> int:
    """Start a program as the first of a group, without the terminal; return its process number.

    By posix_spawn: a fork would run what libraries hook into it, and gRPC, whose threads serve the Pulumi
    engine in this process, crashes there.
    """
    spawn = partial(
        os.posix_spawnp,
        file_actions=file_actions,
        setsigmask=(),  # else a SIGTERM or an alarm of its own would not reach it
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # which Python ignores
    )
    try:
        return spawn(argv[0], list(argv), environment, setsid=True)
    except NotImplementedError:  # in a Python that was built for an old C library, such as those of uv
        if not shutil.which(argv[0]):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0]) from None
        return spawn("/bin/sh", ["sh", "-c", _WITHOUT_TERMINAL, *argv], environment, setpgroup=0)


def _open_pipe(reads: ExitStack, writes: ExitStack) -> tuple[FileIO, FileIO]:
    """Return a pipe's end to read and its end to write, each closed with its context."""
    ends = []
    for descriptor, mode, context in zip(os.pipe(), ("rb", "wb"), (reads, writes)):
        # Above the standard ones, which may be closed in this process: a program gets these three.
        above = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
        os.close(descriptor)
        ends.append(context.enter_context(FileIO(above, mode)))
    return ends[0], ends[1]
