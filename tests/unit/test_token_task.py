# SPDX-License-Identifier: BSD-2-Clause
"""Many tokens in one task, where the service is away; test_many.py runs the rest by playbooks."""

from __future__ import annotations

import pytest

from plugins.module_utils import many_tokens
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import NetworkError
from plugins.module_utils.token_task import Wanted
from tests.unit.support import TOKEN, scripted, text

AWAY = NetworkError("The connection was refused.", sent=False)
COUNT = 9
WANTED = Wanted(None, {}, None, "present", True, "never", True)


def messages(client: EchoValueClient) -> list[str | None]:
    """Mint `COUNT` tokens, one after the other; return what is said of each."""
    result = many_tokens.perform_many([(WANTED, None)] * COUNT, client, 1, check_mode=False, warn=print)
    assert len({frozenset(entry) for entry in result["tokens"]}) == 1, "all have the same keys"
    return [entry["msg"] for entry in result["tokens"]]


def test_a_service_that_is_away_is_not_asked_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_tokens, "_OUTAGE", 0.0)
    client, script, _pauses = scripted(text(TOKEN), *[AWAY] * 8, retries=0)
    first, second, *rest = messages(client)
    assert first is None
    assert str(second).startswith("The connection was refused.")
    assert {str(message).partition(",")[0] for message in rest} == {"It was not tried"}
    assert len(script.requests) == 2


def test_a_service_that_is_away_for_moments_is_asked_for_all() -> None:
    client, script, _pauses = scripted(text(TOKEN), AWAY, AWAY, text(TOKEN), *[AWAY] * 5, retries=0)
    assert [message is None for message in messages(client)] == [True, False, False, True] + [False] * 5
    assert len(script.requests) == COUNT
