# SPDX-License-Identifier: BSD-2-Clause
"""What the client sends, repeats, checks and refuses."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Callable

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import Alert, Probe, Wallet, token_hash
from plugins.module_utils.core.service_url import ServiceUrl, is_host
from tests.testkit.service_faults import FAULTS, RETRIED, Fault
from tests.unit.support import LINK, OTHER, TOKEN, scripted, text

NOT_SENT = errors.NetworkError("It was refused.", sent=False)
# Those that need no socket.
SCRIPTED = [fault for fault in FAULTS if fault.status or fault.reading in ("network", "timeout")]


def wallet(**fields: object) -> Response:
    data = {"wallet": 99, "created": "2023-08-09T15:40:09.77Z", "hash": token_hash(TOKEN), **fields}
    return Response(200, {"content-type": "application/json"}, json.dumps(data).encode())


SENT = {"low_balance_threshold": 5}
LOGS = text('{"logs": []}')
# Each call of a token, what the service answers, and what is sent to the letter.
WITH_TOKEN: dict[str, tuple[Callable[[EchoValueClient], object], Response, str]] = {
    "wallet": (lambda client: client.get_wallet(TOKEN), wallet(), "GET /token"),
    "free wallet": (
        lambda client: client.get_wallet(TOKEN, details=False),
        text(LINK),
        "GET /recharge?amount=1",
    ),
    "link": (lambda client: client.get_recharge_link(TOKEN, 3), text(LINK), "GET /recharge?amount=3"),
    "settings": (lambda client: client.get_settings(TOKEN), text("{}"), "GET /token/settings"),
    "alert": (lambda client: client.put_settings(TOKEN, Alert(5)), text("OK"), "PUT /token/settings"),
    "logs": (lambda client: client.get_logs(TOKEN, 1, "kv"), LOGS, "GET /token/logs?n=1&type=kv"),
    "all logs": (lambda client: client.get_logs(TOKEN, 100), LOGS, "GET /token/logs?n=100"),
}


@pytest.mark.parametrize("name", WITH_TOKEN)
def test_a_call_of_a_token(name: str) -> None:
    call, answer, sent = WITH_TOKEN[name]
    client, script, _pauses = scripted(answer, text("Unauthorized", 401))
    call(client)
    (request,) = script.requests
    method, _, path = sent.partition(" ")
    assert (request.method, request.url) == (method, f"https://api.echovalue.dev{path}")
    assert request.json == (SENT if method == "PUT" else None)
    assert (request.headers, request.form, request.timeout) == ({"x-token": TOKEN}, None, 10)
    with pytest.raises(errors.UnauthorizedError, match="HTTP 401") as caught:
        call(client)
    assert caught.value.status == 401
    assert len(script.requests) == 2


def test_a_mint() -> None:
    client, script, _pauses = scripted(text(TOKEN + "\n"))
    assert client.create_token() == TOKEN
    request = script.requests[0]
    assert (request.method, request.url) == ("POST", "https://api.echovalue.dev/token")
    assert request.form == {"token": "new"}
    assert request.headers == {}


def scripted_fault(fault: Fault) -> Response | Exception:
    if fault.status:
        return Response(fault.status, {"content-type": "text/plain", **fault.headers}, fault.body)
    kind = errors.RequestTimeoutError if fault.reading == "timeout" else errors.NetworkError
    return kind("It broke.", sent=fault.sent, permanent=bool(fault.certificate))


CALLS: dict[str, Callable[[EchoValueClient], str]] = {
    "mint": lambda client: client.create_token(),
    "reading": lambda client: client.get_recharge_link(TOKEN).url,
}


@pytest.mark.parametrize("fault", SCRIPTED, ids=lambda fault: fault.name)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_is_retried_or_reported_as_what_it_is(fault: Fault, call: str) -> None:
    """A mint is sent again only where it cannot have minted."""
    reason = getattr(fault, call)
    retried = reason in RETRIED and not fault.certificate
    answer = text(LINK if call == "reading" else TOKEN)
    client, script, pauses = scripted(scripted_fault(fault), answer)
    if retried:
        assert CALLS[call](client) == answer.body.decode()
        assert fault.headers or 0.25 <= pauses[0] <= 0.5
    else:
        with pytest.raises(errors.EchoValueError) as caught:
            CALLS[call](client)
        assert caught.value.reason == reason
        if reason == "ambiguous_mint":
            assert re.search("minted and lost.*Nothing was stored", str(caught.value))
        elif fault.status:
            assert str(fault.status) in str(caught.value)
    assert len(script.requests) == 1 + retried


def test_tries_end() -> None:
    client, script, pauses = scripted(*[text("", 503)] * 5)
    with pytest.raises(errors.ServiceUnavailableError):
        client.probe(TOKEN)
    assert len(script.requests) == 5
    assert pauses == sorted(pauses), "the pauses must grow"


def test_pauses_double_up_to_half_a_minute() -> None:
    """Also after so many tries that a doubled pause has no number."""
    client, _script, pauses = scripted(*[NOT_SENT] * 1_100, retries=1_099)
    with pytest.raises(errors.NetworkError):
        client.probe(TOKEN)
    most = [min(0.5 * 2 ** min(number, 6), 30.0) for number in range(1_099)]
    assert [top / 2 <= pause <= top for pause, top in zip(pauses, most)] == [True] * 1_099
    assert max(pauses) == 30.0


@pytest.mark.parametrize(("status", "redirect"), [(299, False), (300, True), (399, True), (400, False)])
def test_a_redirect_is_named(status: int, redirect: bool) -> None:
    client, _script, _pauses = scripted(text("", status), text("", status))
    with pytest.raises(errors.UnexpectedAnswerError) as caught:
        client.probe(TOKEN)
    assert ("redirect" in str(caught.value)) == redirect
    with pytest.raises(errors.AmbiguousMintError if status < 300 else errors.UnexpectedAnswerError):
        client.create_token()


@pytest.mark.parametrize("seconds", [-60, 5])
def test_retry_after_may_be_a_date(seconds: int) -> None:
    when = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)
    client, _script, pauses = scripted(text("", 503, retry_after=when), text(LINK))
    client.probe(TOKEN)
    least, most = (0, 0.6) if seconds < 0 else (3, 5.1)
    assert least <= pauses[0] <= most


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [("3", 3, 3), ("99999", 30, 30), ("Wed, 21 Oct 2099 07:28:00 GMT", 30, 30), ("soon", 0, 1), ("-5", 0, 1)],
)
def test_retry_after_is_honoured_and_capped(value: str, least: float, most: float) -> None:
    client, _script, pauses = scripted(text("", 429, retry_after=value), text(LINK))
    client.probe(TOKEN)
    assert least - 1e-6 <= pauses[0] <= most + 1e-6


def test_one_429_makes_all_wait() -> None:
    client, _script, pauses = scripted(text("", 429, retry_after="9"), text(LINK), text(LINK))
    now = [0.0]
    client._retrying._clock = lambda: now[0]
    client.probe(TOKEN)
    client.probe(OTHER)
    assert pauses == [9.0, 9.0], "the second asked while the first was still to wait"
    now[0] = 10.0
    client._transport = lambda _request: text(LINK)
    client.probe(TOKEN)
    assert len(pauses) == 2


def test_a_429_at_the_last_try_makes_all_wait_too() -> None:
    client, _script, pauses = scripted(text("", 429, retry_after="9"), text(LINK), retries=0)
    client._retrying._clock = lambda: 0.0
    with pytest.raises(errors.RateLimitedError):
        client.probe(TOKEN)
    client.probe(OTHER)
    assert pauses == [9.0]


def test_a_wallet() -> None:
    client, script, _pauses = scripted(wallet())
    assert client.get_wallet(TOKEN) == Wallet(99, "2023-08-09T15:40:09.77Z", token_hash(TOKEN), 1)
    assert TOKEN not in repr(script.requests[0])
    client, _script, _pauses = scripted(wallet(created=7))
    assert client.get_wallet(TOKEN).created is None


def test_an_empty_wallet_is_an_answer() -> None:
    client, _script, _pauses = scripted(text("Insufficient credits", 402))
    assert client.get_wallet(TOKEN) == Wallet(0, None, token_hash(TOKEN), 0)


def test_a_wallet_for_free() -> None:
    client, _script, _pauses = scripted(text(LINK, x_balance="42", x_cost="0"))
    assert client.get_wallet(TOKEN, details=False) == Wallet(42, None, token_hash(TOKEN), 0)


@pytest.mark.parametrize(
    "answer",
    [
        wallet(hash=token_hash(OTHER)),
        wallet(hash=None),
        wallet(wallet="99"),
        wallet(wallet=True),
        wallet(wallet=None),
        text("[]"),
        text("no json"),
        text("[" * 60000),
        text("<html>login</html>"),
    ],
)
def test_a_wallet_that_is_none_is_refused(answer: Response) -> None:
    client, _script, _pauses = scripted(answer)
    with pytest.raises(errors.UnexpectedAnswerError):
        client.get_wallet(TOKEN)


@pytest.mark.parametrize(
    "url",
    [
        "http://buy.stripe.com/x",
        "https://",
        f"{LINK} ",
        "https://[",
        "https://-/x",
        "https://buy.stripe.com:port/x",
        "https://buy.stripe.com:0/x",
        "https://buy.str\u0131pe.com/x",
        f"\n{LINK}",
    ],
)
def test_a_link_that_is_none_is_refused(url: str) -> None:
    client, _script, _pauses = scripted(text(url))
    with pytest.raises(errors.UnexpectedAnswerError):
        client.get_recharge_link(TOKEN)


@pytest.mark.parametrize(
    ("token", "reference", "contains"),
    [
        (TOKEN, token_hash(TOKEN), False),
        (TOKEN, TOKEN, True),
        ("needs/escaping+here", "needs%2Fescaping%2Bhere", True),
        ("needs/escaping+here", "needs%2Fescaping+here", True),
        ("needs/escaping+here", "needs/escaping+here", True),
    ],
)
def test_a_link_that_carries_the_token_is_marked(token: str, reference: str, contains: bool) -> None:
    url = f"https://buy.stripe.com/p?client_reference_id={reference}"
    client, _script, _pauses = scripted(text(url, x_balance="7"))
    link = client.get_recharge_link(token, 3)
    assert (link.url, link.amount, link.balance, link.contains_token) == (url, 3, 7, contains)
    assert reference not in repr(link)


@pytest.mark.parametrize(
    ("answer", "probe"),
    [
        (text(LINK, x_balance="5"), Probe(True, 5)),
        (text(LINK), Probe(True, None)),
        (text("Insufficient credits", 402), Probe(True, 0)),
        (text("Unauthorized", 401), Probe(False)),
    ],
)
def test_a_probe(answer: Response, probe: Probe) -> None:
    client, _script, _pauses = scripted(answer)
    assert client.probe(TOKEN) == probe


@pytest.mark.parametrize(
    "token",
    [
        "",
        "short",
        f"{TOKEN} ",
        f"'{TOKEN}'",
        "line\nbreak-in-it",
        "x" * 513,
        "caf\u00e9-caf\u00e9-caf\u00e9",
        None,
        1234567890,
    ],
)
def test_what_is_no_token_is_not_sent(token: Any) -> None:
    client, _script, _pauses = scripted()
    with pytest.raises(errors.InvalidInputError) as caught:
        client.probe(token)
    if isinstance(token, str) and token:
        assert token not in str(caught.value)


@pytest.mark.parametrize("amount", [0, 2, -1, 1.0, True, "1", None])
def test_an_amount_that_is_not_sold_is_refused(amount: Any) -> None:
    client, _script, _pauses = scripted()
    with pytest.raises(errors.InvalidInputError):
        client.get_recharge_link(TOKEN, amount)


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


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://api.echovalue.dev/", "https://api.echovalue.dev"),
        ("https://proxy.example/echovalue/", "https://proxy.example/echovalue"),
        ("https://proxy.example/X/", "https://proxy.example/X"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://API.echovalue.dev:443", "https://api.echovalue.dev"),
        ("HTTP://LOCALHOST:80/", "http://localhost"),
    ],
)
def test_a_base_url_that_is_accepted(url: str, normalised: str) -> None:
    assert str(ServiceUrl.parse(url)) == normalised
    assert ServiceUrl.parse(url).plain == normalised.startswith("http:")


@pytest.mark.parametrize(
    "url",
    [
        "api.echovalue.dev",
        "ftp://api.echovalue.dev",
        "http://api.echovalue.dev",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "https://user:hunter2@api.echovalue.dev",
        "https://api.echovalue.dev?x=hunter2",
        "https://api.echovalue.dev/?",
        "https://api.echovalue.dev#hunter2",
        "https://api.echovalue.dev\\@evil.example",
        "https://api.echovalue.dev\n",
        "https://api.echovalue.dev:port",
        "https://[bad",
        "https://",
        "https://\u0435chovalue.dev",
        "http://0.0.0.0",
        "https://api.echovalue.dev%2f.evil.example",
        "http://[::1%25eth0]",
        "https://api.echovalue.dev/a b",
        "https://[::g]",
    ],
)
def test_a_base_url_that_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidInputError) as caught:
        ServiceUrl.parse(url)
    assert "hunter2" not in str(caught.value)


def test_hosts() -> None:
    assert [is_host(host) for host in ("::1", "::g", "::1%eth0", "a.example", "a b")] == [
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_only_line_ends_are_taken_off_an_answer(end: str) -> None:
    client, _script, _pauses = scripted(text(f"{LINK}X{end}"), text(f"{TOKEN}X{end}"))
    assert client.get_recharge_link(TOKEN).url == f"{LINK}X"
    assert client.create_token() == f"{TOKEN}X"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1.0},
        {"timeout": float("inf")},
        {"timeout": 86_400.1},
        {"timeout": float("nan")},
        {"retries": -1},
        {"connections": 0},
        {"base_url": "http://example.com"},
    ],
)
def test_an_option_that_makes_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"\. No request was sent\.$"):
        EchoValueClient(**options)


def test_the_least_options_that_make_sense() -> None:
    EchoValueClient(timeout=86_400)
    client, script, _pauses = scripted(text(LINK), timeout=0.1, retries=0, connections=1)
    assert client.probe(TOKEN).valid
    assert script.requests[0].timeout == 0.1
    client.close()  # of what it never opened


def test_a_line_feed_is_no_part_of_a_token_that_is_passed() -> None:
    client, script, _pauses = scripted(wallet(), text("", 402), text(f"{LINK}{TOKEN}"), text(LINK))
    assert client.get_wallet(f"{TOKEN}\n") == Wallet(99, "2023-08-09T15:40:09.77Z", token_hash(TOKEN), 1)
    assert client.get_wallet(f"{TOKEN}\r\n") == Wallet(0, None, token_hash(TOKEN), 0)
    assert client.get_recharge_link(f"{TOKEN}\n").contains_token
    assert client.get_wallet(f"{TOKEN}\n", details=False).hash == token_hash(TOKEN)
    assert {request.headers["x-token"] for request in script.requests} == {TOKEN}
