# SPDX-License-Identifier: BSD-2-Clause
"""Cases that hypothesis makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings


def play(check: Callable[[Any], None], strategy: Any, number: int, *, short: bool) -> str:
    """Call `check` with that many cases, in short without chance; return what went wrong, if anything did."""
    options = settings(
        max_examples=number,
        database=None,
        deadline=None,
        derandomize=short,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        options(given(strategy)(check))()
    except Exception as error:  # noqa: BLE001 - each is a finding
        return f"{words(error)} {' '.join(getattr(error, '__notes__', []))[:600]}"
    return ""


def sample(strategy: Any, number: int, *, short: bool) -> list[Any]:
    """Return that many cases, in short without chance."""
    found: list[Any] = []
    play(lambda value: found.append(value), strategy, number, short=short)
    return found


def words(error: Exception) -> str:
    """Return what an error says, cut."""
    return f"{type(error).__name__}: {error}"[:900]
