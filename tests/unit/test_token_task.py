# SPDX-License-Identifier: BSD-2-Clause
"""Many tokens in one task, where the service is away; test_many.py runs the rest by playbooks."""

from __future__ import annotations

import pytest

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import NetworkError
from plugins.module_utils.task import many_tokens, many_wallets, outage
from plugins.module_utils.task.results import Place
from plugins.module_utils.task.token_requests import TokenRequest
from tests.unit.support import TOKEN, scripted, text
from tests.unit.test_provision import Memory

AWAY = NetworkError("The connection was refused.", sent=False)
COUNT = 9
REQUEST = TokenRequest(None, {}, None, "present", True, "never", True)


def messages(client: EchoValueClient) -> list[str | None]:
    """Mint `COUNT` tokens, one after the other; return what is said of each."""
    result = many_tokens.perform_many([(REQUEST, None)] * COUNT, client, 1, check_mode=False, warn=print)
    assert len({frozenset(entry) for entry in result["tokens"]}) == 1, "all have the same keys"
    return [entry["msg"] for entry in result["tokens"]]


def test_a_service_that_is_away_is_not_asked_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "_OUTAGE", 0.0)
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


def test_a_service_that_is_away_is_not_asked_for_all_wallets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "_OUTAGE", 0.0)
    monkeypatch.setattr(many_wallets, "DEFAULT_CONNECTIONS", 1)
    client, script, _pauses = scripted(*[AWAY] * 5, retries=0)
    entries = many_wallets.read_wallets([("a", TOKEN), ("b", TOKEN)], client, details=False, forecast=False)
    assert [entry["reason"] for entry in entries] == ["network", "network"]
    assert entries[1]["msg"].startswith("It was not tried")
    assert len(script.requests) == 1


def test_an_unforeseen_fault_stops_no_other_wallet(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_client: EchoValueClient, token: str, **_requested: bool) -> dict[str, object]:
        raise RuntimeError(f"a library quotes {token}")

    monkeypatch.setattr(many_wallets, "read_wallet", broken)
    client, _script, _pauses = scripted()
    (entry,) = many_wallets.read_wallets([("a", TOKEN)], client, details=False, forecast=False)
    assert (entry["failed"], entry["reason"]) == (True, "store")
    assert TOKEN not in entry["msg"]


def test_an_unforeseen_fault_stops_no_other_token() -> None:
    class Broken(Memory):
        def read(self) -> str | None:
            raise RuntimeError(f"a library quotes {TOKEN}")

    places = [None, Place(Broken(), "file", "the file a", path="a"), None]
    client, script, _pauses = scripted(text(TOKEN), text(TOKEN))
    pairs = [(REQUEST, place) for place in places]
    result = many_tokens.perform_many(pairs, client, 1, check_mode=False, warn=print)
    assert [entry["failed"] for entry in result["tokens"]] == [False, True, False]
    broken = result["tokens"][1]
    assert broken["reason"] == "store"
    assert broken["msg"].startswith("An unforeseen RuntimeError stopped it. Please report it")
    assert TOKEN not in broken["msg"]
    assert len(script.requests) == 2
