# SPDX-License-Identifier: BSD-2-Clause
"""Properties of a forecast, for any log of the service."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.module_utils.core.forecast import forecast
from plugins.module_utils.core.times import read_time

pytestmark = pytest.mark.essential

NOW = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)
TIMES = st.datetimes(NOW.replace(tzinfo=None) - timedelta(days=7), NOW.replace(tzinfo=None))
ENTRY = st.fixed_dictionaries(
    {"timestamp": TIMES.map(lambda time: f"{time.isoformat()}Z")},
    optional={
        "cost": st.integers(-5, 100) | st.none() | st.booleans(),
        "endpoint": st.sampled_from(("kv", "token", "service")),
        "balance": st.integers(0, 10**9),
    },
)
LOGS = st.lists(ENTRY, max_size=100)


@given(logs=LOGS, wallet=st.integers(0, 10**9))
def test_what_holds_of_any_log(logs: list[dict[str, Any]], wallet: int) -> None:
    found = forecast(logs, wallet, NOW)
    assert found.entries == len(logs)
    assert 0 <= found.hours <= 7 * 24
    assert found.spent >= 0
    assert found == forecast(reversed(logs), wallet, NOW)  # the order says nothing
    assert found == forecast(logs, wallet, NOW + timedelta(days=400))  # nor does the clock, for past entries
    if found.days_left is not None:
        assert found.hours >= 0.99
        assert found.spent > 0
        assert found.per_day
        assert found.days_left >= 0


@given(logs=LOGS, wallet=st.integers(0, 10**6), more=st.integers(1, 10**6))
def test_more_credits_last_longer(logs: list[dict[str, Any]], wallet: int, more: int) -> None:
    first, second = forecast(logs, wallet, NOW), forecast(logs, wallet + more, NOW)
    assert first.per_day == second.per_day
    if first.days_left is not None and second.days_left is not None:
        assert first.days_left <= second.days_left


@given(logs=LOGS, cost=st.integers(0, 10**6))
def test_a_recharge_is_no_spending(logs: list[dict[str, Any]], cost: int) -> None:
    recharge = {"timestamp": f"{NOW.isoformat()}", "endpoint": "service", "cost": cost}
    assert forecast([*logs, recharge], 1, NOW).spent == forecast(logs, 1, NOW).spent


@given(text=st.text(max_size=40) | TIMES.map(str))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = read_time(text)
    assert found is None or found.tzinfo is timezone.utc
