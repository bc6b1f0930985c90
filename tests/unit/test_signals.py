# SPDX-License-Identifier: BSD-2-Clause
"""Whatever ends a run comes after the write of a minted token: at each line between the two."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Callable

import pytest

from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.signals import run_uninterrupted, signal_is_pending, signals_deferred
from plugins.module_utils.files.token_file import TokenFile
from tests.unit.support import TOKEN, run, text

ENDING = [signal.SIGALRM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1]


@pytest.fixture(autouse=True)
def _accepted_afterwards() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


class EndedError(BaseException):
    """What ends the work, as a task's time-out does."""


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise EndedError


@contextmanager
def handler(number: int, handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


def wait_for(got: list[str], entries: int) -> None:
    """Wait for a signal that a thread of an earlier test may receive, when it runs next."""
    deadline = time.monotonic() + 5
    while len(got) < entries and time.monotonic() < deadline:
        time.sleep(0.01)


def end_by_signal() -> None:
    os.kill(os.getpid(), signal.SIGALRM)


def end_by_exception() -> None:
    thread = ctypes.c_ulong(threading.main_thread().ident or 0)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(EndedError)) == 1


class EndAt:
    """Ends the work at the `number`-th line that the product executes from the mint's answer on."""

    def __init__(self, number: int, end: Callable[[], None]) -> None:
        self.left = number
        self.minted = False
        self._end = end

    def mint(self) -> Response:
        self.minted = True
        return text(TOKEN)

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line" and self.minted and "module_utils" in frame.f_code.co_filename:
            self.left -= 1
            if self.left == 0:
                self._end()
                # Python 3.11 repeats a traced call until that exception is raised, in a thread that waits here.
                sys.settrace(None)
        return self.trace

    @contextmanager
    def watching(self) -> Iterator[None]:
        before = sys.gettrace()
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(before)
            threading.settrace(before)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [end_by_signal, end_by_exception])
def test_work_ended_at_any_line_after_the_mint(tmp_path: Path, end: Callable[[], None]) -> None:
    ended = 0
    for number in range(1, 1000):
        place = tmp_path / f"{number}"
        place.mkdir()
        at = EndAt(number, end)
        with handler(signal.SIGALRM, _raise):
            try:
                with at.watching():
                    run(TokenFile(str(place / "token")), at.mint)
                if at.left <= 0:
                    time.sleep(5)  # it may be on its way to another thread
            except EndedError:
                ended += 1
        assert (place / "token").read_text() == f"{TOKEN}\n", f"ended at line {number} after the mint"
        if at.left > 0:
            break
    assert ended > 50


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_comes_afterwards(number: int) -> None:
    got: list[str] = []
    with handler(number, lambda *_arguments: got.append("signal")):
        run_uninterrupted(lambda: (os.kill(os.getpid(), number), got.append("done")))
        wait_for(got, 2)
    assert got == ["done", "signal"]


@pytest.mark.parametrize("number", [*ENDING, signal.SIGPROF, signal.SIGRTMIN])
def test_a_process_that_a_signal_ends_has_written(tmp_path: Path, number: int) -> None:
    written = tmp_path / "written"

    def run() -> None:
        signal.signal(number, signal.SIG_DFL)
        run_uninterrupted(lambda: (os.kill(os.getpid(), number), written.write_text("written")))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(30)
    assert process.exitcode == -number
    assert written.read_text() == "written"


def test_another_thread_that_accepts_the_signal_changes_nothing() -> None:
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    got: list[str] = []

    def work() -> None:
        os.kill(os.getpid(), signal.SIGALRM)
        signal.sigtimedwait([], 0.1)  # time for the other thread to receive it
        got.append("done")

    def wait_for_the_end() -> None:
        run_uninterrupted(work)
        wait_for(got, 2)

    try:
        with handler(signal.SIGALRM, _raise), pytest.raises(EndedError):
            wait_for_the_end()
    finally:
        stop.set()
        other.join()
    assert got == ["done"]


def test_work_without_room_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert run_uninterrupted(lambda: "done") == "done"
    try:
        raise KeyError
    except KeyError:  # which is the context of what `start` raises, and no interruption of it
        assert run_uninterrupted(lambda: "done") == "done"


def test_an_interruption_of_the_start_does_the_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that raises while `start` waits leaves a lock of Python's that cannot be released."""
    start, done = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        try:
            raise EndedError
        except EndedError:
            raise RuntimeError("release unlocked lock")  # noqa: B904 - as Python's own does

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(EndedError):
        run_uninterrupted(lambda: done.append("once"))
    assert done == ["once"]


def test_an_error_of_the_work_is_raised() -> None:
    with pytest.raises(KeyError, match="mine"):
        run_uninterrupted(lambda: {}["mine"])


def test_signals_are_deferred() -> None:
    got: list[int] = []
    with handler(signal.SIGTERM, lambda number, _frame: got.append(number)):
        with signals_deferred():
            assert not signal_is_pending()
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # another thread defers none
            assert signal_is_pending()
            assert got == []
        assert got == [signal.SIGTERM]
        assert not signal_is_pending()
