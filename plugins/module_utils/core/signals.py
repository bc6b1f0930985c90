# SPDX-License-Identifier: BSD-2-Clause
"""Hold back the signals of Ctrl-C, a cancelled pipeline or a closed terminal while a token is on its way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Windows has no masks; there nothing is held back.
_MASKS = hasattr(signal, "pthread_sigmask")


@contextmanager
def signals_held() -> Iterator[None]:
    """Let signals wait until the context ends, for this thread and those it starts."""
    if not _MASKS:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def signal_waits() -> bool:
    """Tell whether a signal that is held back has come."""
    return _MASKS and bool(signal.sigpending())
