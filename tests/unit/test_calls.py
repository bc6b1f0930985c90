# SPDX-License-Identifier: BSD-2-Clause
"""What each call sends, to the letter."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Callable

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.alert import declare_alert
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.models import Alert, token_hash
from plugins.module_utils.core.provision import Outcome, provision, remove
from plugins.module_utils.core.store import PendingToken
from tests.unit.support import LINK, TOKEN, scripted, text
from tests.unit.test_provision import Memory

URL = "https://api.echovalue.dev"
_WALLET = json.dumps({"wallet": 1, "hash": token_hash(TOKEN), "created": 7})
CALLS: dict[str, tuple[Callable[[EchoValueClient], object], str, tuple[object, ...]]] = {
    "wallet": (lambda client: client.get_wallet(TOKEN), _WALLET, ("GET", "/token", None)),
    "free wallet": (
        lambda client: client.get_wallet(TOKEN, details=False),
        LINK,
        ("GET", "/recharge?amount=1", None),
    ),
    "link": (lambda client: client.get_recharge_link(TOKEN, 3), LINK, ("GET", "/recharge?amount=3", None)),
    "settings": (lambda client: client.get_settings(TOKEN), "{}", ("GET", "/token/settings", None)),
    "alert": (
        lambda client: client.put_settings(TOKEN, Alert(5)),
        "OK",
        ("PUT", "/token/settings", {"low_balance_threshold": 5}),
    ),
    "logs": (
        lambda client: client.get_logs(TOKEN, 1, "kv"),
        '{"logs": []}',
        ("GET", "/token/logs?n=1&type=kv", None),
    ),
    "all logs": (
        lambda client: client.get_logs(TOKEN, 100),
        '{"logs": []}',
        ("GET", "/token/logs?n=100", None),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_a_token(name: str) -> None:
    call, answer, (method, path, sent) = CALLS[name]
    client, script, _pauses = scripted(text(answer))
    call(client)
    (request,) = script.requests
    assert (request.method, request.url, request.json) == (method, f"{URL}{path}", sent)
    assert (request.headers, request.form) == ({"x-token": TOKEN}, None)
    assert request.timeout == 10


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_token(name: str) -> None:
    client, _script, _pauses = scripted(text("Unauthorized", 401))
    with pytest.raises(errors.UnauthorizedError, match="HTTP 401") as caught:
        CALLS[name][0](client)
    assert caught.value.status == 401


def test_what_is_told_of_when_a_token_was_made_is_a_text() -> None:
    client, _script, _pauses = scripted(text(_WALLET))
    assert client.get_wallet(TOKEN).created is None


@pytest.mark.parametrize(("status", "redirect"), [(299, False), (300, True), (399, True), (400, False)])
def test_a_redirect_is_named(status: int, redirect: bool) -> None:
    client, _script, _pauses = scripted(text("", status))
    with pytest.raises(errors.UnexpectedAnswerError) as caught:
        client.probe(TOKEN)
    assert ("redirect" in str(caught.value)) == redirect
    client, _script, _pauses = scripted(text("", status))
    kind = errors.AmbiguousMintError if status < 300 else errors.UnexpectedAnswerError
    with pytest.raises(kind):
        client.create_token()


@pytest.mark.parametrize("seconds", [-60, 5])
def test_retry_after_may_be_a_date(seconds: int) -> None:
    when = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)
    client, _script, pauses = scripted(text("", 503, retry_after=when), text(LINK))
    client.probe(TOKEN)
    least, most = (0, 0.6) if seconds < 0 else (3, 5.1)
    assert least <= pauses[0] <= most


def test_an_advice_of_ones_own() -> None:
    error = errors.UnauthorizedError("It is unknown.", status=401, advice="Look elsewhere.")
    assert str(error) == "It is unknown. Look elsewhere."


def test_a_hint_of_an_error() -> None:
    error = errors.RequestTimeoutError("Late.", sent=True)
    hints: dict[type[errors.EchoValueError], str] = {
        errors.NetworkError: "Look there.",
        errors.StoreError: "No.",
    }
    assert error.explain(hints) == f"{error} Look there."
    assert error.explain({}) == str(error) == "Late. Nothing was changed. Run again later."
    assert error.explain({**hints, errors.RequestTimeoutError: "Wait."}) == f"{error} Wait."


def test_an_entry_that_only_waited_is_a_change() -> None:
    store: Any = Memory(left=PendingToken(TOKEN, ""))
    assert remove(store) == Outcome("absent", changed=True)


@pytest.mark.parametrize(
    ("header", "balance"),
    [
        ("7", 7),
        ("0", 0),
        ("-5", -5),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("x", None),
        ("--5", None),
        ("", None),
    ],
)
def test_a_balance_of_a_header(header: str, balance: int | None) -> None:
    client, _script, _pauses = scripted(text(LINK, x_balance=header))
    assert client.probe(TOKEN).balance == balance


def test_pauses_double_up_to_half_a_minute() -> None:
    client, _script, pauses = scripted(*[text("", 503)] * 9, retries=8)
    with pytest.raises(errors.ServiceUnavailableError):
        client.probe(TOKEN)
    most = [min(0.5 * 2**number, 30.0) for number in range(8)]
    assert all(top / 2 <= pause <= top for pause, top in zip(pauses, most))


@pytest.mark.parametrize(
    ("call", "text_of_it"),
    [
        (
            lambda client: client.probe("short"),
            "That is not a token: a token is one line of 10 to 512 visible ASCII characters without spaces, "
            "and without quotes around it. "
            "No request was sent. Check where it comes from (quotes, line breaks, an empty variable).",
        ),
        (
            lambda client: client.get_wallet(TOKEN),
            "The service answered HTTP 200, but what it sent is no JSON object. Nothing was changed. Check "
            "the service's address, and what is between here and the service.",
        ),
        (
            lambda client: provision(client, None, regenerate="once"),
            "regenerate must be one of never, if_invalid, always. No request was sent.",
        ),
        (
            lambda client: provision(client, None, token=TOKEN, regenerate="always"),
            "A token to adopt is the one to keep, and regenerate asks for a new one: they exclude each "
            "other. No request was sent.",
        ),
        (
            lambda client: declare_alert(
                client, TOKEN, webhook={"url": "https://example.com", "format": "x"}
            ),
            "webhook.format must be one of slack, discord, teams, telegram, pagerduty, custom. No request was sent.",
        ),
        (
            lambda client: declare_alert(client, TOKEN, webhook={"uri": 1, "a": 1}),
            "Unknown webhook field: a, uri. No request was sent.",
        ),
    ],
)
def test_what_is_told_in_whole(call: Callable[[EchoValueClient], object], text_of_it: str) -> None:
    client, _script, _pauses = scripted(text("[1]"))
    with pytest.raises(errors.EchoValueError) as caught:
        call(client)
    assert str(caught.value) == text_of_it
