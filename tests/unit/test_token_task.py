# SPDX-License-Identifier: BSD-2-Clause
"""Many tokens in one task, where the service is away; test_many.py runs the rest by playbooks."""

from __future__ import annotations

import pytest

from plugins.module_utils import token_task
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import NetworkError
from plugins.module_utils.core.transport import Answer, Request

COUNT = 9
OPTIONS = {
    "path": None,
    "variable": None,
    "vault_file": None,
    "state": "present",
    "token": None,
    "verify": True,
    "regenerate": "never",
    "concurrency": 1,
}


class Flaky:
    """A `Transport` that reaches the service only the times that `reached` says."""

    def __init__(self, *reached: bool) -> None:
        self.reached = list(reached)
        self.asked = 0

    def __call__(self, _request: Request) -> Answer:
        self.asked += 1
        if self.reached and self.reached.pop(0):
            return Answer(200, {}, b"token-0123456789-%d" % self.asked)
        raise NetworkError("The connection was refused.", sent=False)


def messages(flaky: Flaky) -> list[str | None]:
    """Mint for `COUNT` places, one after the other; return what is said of each."""
    client = EchoValueClient(retries=0, transport=flaky)
    places = [(OPTIONS, token_task.Nowhere()) for _ in range(COUNT)]
    result = token_task.perform_many(OPTIONS, client, places, check_mode=False, warn=print)
    return [entry.get("msg") for entry in result["tokens"]]


def test_a_service_that_is_away_is_not_asked_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_task, "_OUTAGE", 0.0)
    flaky = Flaky(True)
    first, second, *rest = messages(flaky)
    assert first is None
    assert str(second).startswith("The connection was refused.")
    assert {str(message).partition(",")[0] for message in rest} == {"It was not tried"}
    assert flaky.asked == 2


def test_a_service_that_is_away_for_moments_is_asked_for_all() -> None:
    flaky = Flaky(True, False, False, True)
    assert [message is None for message in messages(flaky)] == [True, False, False, True] + [False] * 5
    assert flaky.asked == COUNT
