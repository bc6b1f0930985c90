# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Keep what ends a process from coming between a mint and the write of its token.

That is a signal (Ctrl-C, a cancelled pipeline, a closed terminal, the alarm of a task's `timeout`) or
an exception that another thread raises here. It takes effect right afterwards.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread, current_thread, main_thread
from typing import Callable, TypeVar

T = TypeVar("T")

# Windows has no masks; there no signal is deferred.
_MASKS = hasattr(signal, "pthread_sigmask")
# Faults of the process itself cannot be deferred; the others do not end it.
_FAULTS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")
_HARMLESS = ("SIGCHLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH")


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer signals until the context ends, for the main thread and those it starts meanwhile.

    In another thread a mask takes long and changes nothing: the main thread receives the signal.
    """
    if not _MASKS or current_thread() is not main_thread():
        yield
        return
    deferred = signal.valid_signals() - {getattr(signal, name, None) for name in (*_FAULTS, *_HARMLESS)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, deferred)
    try:
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    finally:  # an exception from outside may come in the line above, too
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def signal_is_pending() -> bool:
    """Return whether a deferred signal has come."""
    return _MASKS and bool(signal.sigpending())


def run_uninterrupted(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise its error; an interruption of the caller comes afterwards.

    `work` runs in a thread of its own. Python runs the handlers of signals, which may raise, only in the main
    thread, and also where another thread of the process received the signal, so a mask is not enough.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    claim = Lock()  # so that the work is done once, whatever the start of the thread came to

    def run() -> None:
        if not claim.acquire(blocking=False):
            return
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = Thread(target=run)
    handled = sys.exc_info()[1]  # of the caller
    with signals_deferred():
        try:
            thread.start()
            thread.join()
        except RuntimeError as error:
            interruption = error.__context__  # one within `start`, where Python held a lock of its own
            if interruption not in (None, handled):
                raise interruption from None
            run()  # the system has no room for another thread
        finally:
            while thread.is_alive():
                with suppress(BaseException):  # the first interruption is the one that counts
                    thread.join()
    if errors:
        raise errors[0]
    return results[0]
