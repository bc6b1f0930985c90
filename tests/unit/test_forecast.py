# SPDX-License-Identifier: BSD-2-Clause
"""When a wallet is empty, from the service's log."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.forecast import Forecast, forecast, read_forecast
from plugins.module_utils.core.messages import Request, Response
from plugins.module_utils.core.times import read_time

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=timezone.utc)


def entry(hours_ago: float, cost: Any = 0, endpoint: str = "kv", **more: Any) -> dict[str, Any]:
    time = (NOW - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%S.00Z")
    return {"timestamp": time, "cost": cost, "endpoint": endpoint, **more}


@pytest.mark.parametrize(
    ("logs", "wallet", "expected"),
    [
        pytest.param([], 100, Forecast(0, 0.0, None, None, 0), id="no entries"),
        pytest.param([entry(1, 5)], 100, Forecast(5, 0.0, None, None, 1), id="one entry"),
        pytest.param([entry(1, 5), entry(25, 7)], 100, Forecast(12, 24.0, 12.0, 8.33, 2), id="a day"),
        pytest.param([entry(25, 7), entry(1, 5)], 100, Forecast(12, 24.0, 12.0, 8.33, 2), id="out of order"),
        pytest.param([entry(0, 0), entry(48, 4)], 0, Forecast(4, 48.0, 2.0, 0.0, 2), id="empty wallet"),
        pytest.param([entry(0), entry(48)], 100, Forecast(0, 48.0, 0.0, None, 2), id="all free"),
        pytest.param([entry(2, 1)] * 3, 100, Forecast(3, 0.0, None, None, 3), id="equal times"),
        pytest.param([entry(0, 9), entry(0.9, 9)], 100, Forecast(18, 0.9, None, None, 2), id="under an hour"),
        pytest.param([entry(0, 9), entry(1, 9)], 18, Forecast(18, 1.0, 432.0, 0.04, 2), id="just an hour"),
        pytest.param([entry(0, 1), entry(9.7, 1)], 1, Forecast(2, 9.7, 4.95, 0.2, 2), id="rounded"),
        pytest.param([entry(0), entry(1.2345, 1)], 0, Forecast(1, 1.23, 19.44, 0.0, 2), id="hours rounded"),
        pytest.param(
            [entry(0, 1), {"timestamp": "soon", "cost": 9}, entry(24, 1)],
            2,
            Forecast(2, 24.0, 2.0, 1.0, 2),
            id="a time that cannot be read",
        ),
        pytest.param([entry(0, 1), entry(24, 1)], None, Forecast(2, 24.0, 2.0, None, 2), id="no balance"),
        pytest.param(
            [entry(0, 1), entry(12, -1000000, "service"), entry(12, 50, "service"), entry(24, 1, balance=3)],
            1000000,
            Forecast(2, 24.0, 2.0, 500000.0, 4),
            id="a recharge, and a balance that jumps",
        ),
        pytest.param(
            [entry(0, 1, error="not found", status_code=404), entry(24, 3)],
            8,
            Forecast(4, 24.0, 4.0, 2.0, 2),
            id="a failed call that cost",
        ),
        pytest.param(
            [entry(-5000, 2), entry(0.001, 0), entry(24, 0)],
            4,
            Forecast(2, 24.0, 2.0, 2.0, 3),
            id="in the future",
        ),
        pytest.param(
            [entry(0, 1), entry(24, True), entry(24, "7"), entry(24, None), {"cost": 9}, {"timestamp": 5}],
            10,
            Forecast(1, 24.0, 1.0, 10.0, 4),
            id="fields of another form",
        ),
    ],
)
def test_forecasts(logs: list[dict[str, Any]], wallet: int | None, expected: Forecast) -> None:
    found = forecast(logs, wallet, NOW)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-08-09T15:40:09.77Z", datetime(2023, 8, 9, 15, 40, 9, 770000, timezone.utc)),
        ("2023-08-09T15:40:09Z", datetime(2023, 8, 9, 15, 40, 9, 0, timezone.utc)),
        ("2023-08-09T15:40:09.123456789Z", datetime(2023, 8, 9, 15, 40, 9, 123456, timezone.utc)),
        ("2023-08-09T17:40:09+02:00", datetime(2023, 8, 9, 15, 40, 9, 0, timezone.utc)),
        ("2023-08-09T13:10:09-0230", datetime(2023, 8, 9, 15, 40, 9, 0, timezone.utc)),
        ("2023-08-09T15:40:09", datetime(2023, 8, 9, 15, 40, 9, 0, timezone.utc)),
        ("2023-02-31T15:40:09Z", None),
        ("2023-08-09T15:40:09+99:00", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        (None, None),
        (1691595609, None),
    ],
)
def test_times(text: object, expected: datetime | None) -> None:
    assert read_time(text) == expected


def test_the_log_is_read_whole() -> None:
    seen: list[Request] = []

    def service(request: Request) -> Response:
        seen.append(request)
        now = datetime.now(timezone.utc)
        times = [(now - timedelta(hours=hours)).isoformat() for hours in (0, 48)]
        logs = [{"timestamp": time, "cost": 1, "endpoint": "kv"} for time in times]
        return Response(200, {}, json.dumps({"logs": logs, "n": 2}).encode())

    found = read_forecast(EchoValueClient(transport=service), "token-0123456789", 10)
    assert (found.spent, found.hours, found.per_day, found.days_left) == (2, 48.0, 1.0, 10.0)
    assert [request.url.partition("?")[2] for request in seen] == ["n=100"]
