# SPDX-License-Identifier: BSD-2-Clause
"""No error shows a secret, and each says what to do."""

from __future__ import annotations

import traceback
from typing import Callable

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.alert import declare_alert
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import EchoValueError
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.provision import provision
from tests.unit.support import TOKEN, scripted, text

BODY = "<body-of-the-answer> " + TOKEN
STATUSES = [301, 302, 400, 401, 402, 403, 404, 405, 418, 429, 500, 501, 502, 503, 504]
CALLS = {
    "create_token": lambda client: client.create_token(),
    "get_wallet": lambda client: client.get_wallet(TOKEN),
    "get_recharge_link": lambda client: client.get_recharge_link(TOKEN, 3),
    "probe": lambda client: client.probe(TOKEN),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", STATUSES)
def test_an_error_holds_no_token_body_or_query(call: str, status: int) -> None:
    client, _script, _pauses = scripted(text(BODY, status, location="https://x/?q=" + TOKEN), retries=0)
    if (call, status) in {("get_wallet", 402), ("probe", 401), ("probe", 402)}:
        CALLS[call](client)  # these are answers, not errors
        return
    with pytest.raises(EchoValueError) as caught:
        CALLS[call](client)
    error = caught.value
    whole = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for shown in (str(error), repr(error), whole):
        assert TOKEN not in shown
        assert "body-of-the-answer" not in shown
        assert "amount=" not in shown
    assert error.advice
    assert str(status) in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        text(BODY),
        Response(200, {"content-type": "text/html"}, TOKEN.encode()),
        text(TOKEN + "\n" + TOKEN),
        text("<html><body>Login</body></html>"),
    ],
)
def test_what_is_no_token_is_refused(answer: Response) -> None:
    client, script, _pauses = scripted(answer)
    with pytest.raises(EchoValueError) as caught:
        client.create_token()
    assert TOKEN not in str(caught.value)
    assert len(script.requests) == 1, "a mint was repeated"


def test_an_advice_of_ones_own() -> None:
    error = errors.UnauthorizedError("It is unknown.", status=401, advice="Look elsewhere.")
    assert str(error) == "It is unknown. Look elsewhere."


def test_a_hint_of_an_error() -> None:
    error = errors.RequestTimeoutError("Late.", sent=True)
    hints: dict[type[EchoValueError], str] = {
        errors.NetworkError: "Look there.",
        errors.StoreError: "No.",
    }
    assert error.explain(hints) == f"{error} Look there."
    assert error.explain({}) == str(error) == "Late. Nothing was changed. Run again later."
    assert error.explain({**hints, errors.RequestTimeoutError: "Wait."}) == f"{error} Wait."


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
            "A token to adopt is the one to keep, and regenerate requests a new one: they exclude each "
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
def test_what_is_shown_in_full(call: Callable[[EchoValueClient], object], text_of_it: str) -> None:
    client, _script, _pauses = scripted(text("[1]"))
    with pytest.raises(EchoValueError) as caught:
        call(client)
    assert str(caught.value) == text_of_it


def test_a_library_that_is_not_installed() -> None:
    assert errors.is_not_installed("hvac", ModuleNotFoundError(name="hvac"))
    assert not errors.is_not_installed("hvac", ModuleNotFoundError(name="jwt")), "one that it needs itself"
    assert not errors.is_not_installed("hvac", ImportError(name="hvac")), "one that is broken"
