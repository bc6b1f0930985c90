# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""When a wallet is empty, at the pace that the service's log shows; the log is free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .client import MAX_LOGS, EchoValueClient
from .models import is_int
from .times import read_time, utc_now

_RECHARGES = "service"  # the category of their entries
_SHORTEST = 1.0  # hours, under which a pace says nothing


@dataclass(frozen=True)
class Forecast:
    """What a token spends, and how long its wallet lasts at that pace.

    `spent` counts credits over `hours`, between the oldest and the newest of the `entries` that were
    counted. `per_day` is None where that is less than an hour; `days_left` also where nothing was spent
    or the balance is not known.
    """

    spent: int
    hours: float
    per_day: float | None
    days_left: float | None
    entries: int


def read_forecast(client: EchoValueClient, token: str, wallet: int | None) -> Forecast:
    """Return the forecast for a wallet of so many credits, from the newest entries of the log; free."""
    return forecast(client.get_logs(token, MAX_LOGS), wallet, utc_now())


def forecast(logs: Iterable[Mapping[str, Any]], wallet: int | None, now: datetime) -> Forecast:
    """Return the forecast for a wallet from entries of the service's log, in any order.

    What an entry cost counts, a failed call's too; a recharge is no spending. An entry whose time cannot
    be read is left out; one that is later than `now` counts as of now.
    """
    times: list[datetime] = []
    spent = 0
    for entry in logs:
        time = read_time(entry.get("timestamp"))
        if time is None:
            continue
        times.append(min(time, now))
        cost = entry.get("cost")
        if is_int(cost) and entry.get("endpoint") != _RECHARGES:
            spent += max(cost, 0)
    hours = (max(times) - min(times)) / timedelta(hours=1) if times else 0.0
    per_day = spent * 24 / hours if hours >= _SHORTEST else None
    return Forecast(
        spent=spent,
        hours=round(hours, 2),
        per_day=None if per_day is None else round(per_day, 2),
        days_left=round(wallet / per_day, 2) if per_day and wallet is not None else None,
        entries=len(times),
    )
