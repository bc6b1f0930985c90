# SPDX-License-Identifier: BSD-2-Clause
"""No error shows a secret, and each says what to do."""

from __future__ import annotations

import traceback

import pytest

from plugins.module_utils.core.errors import EchoValueError
from plugins.module_utils.core.messages import Response
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
        text("<!DOCTYPE html><title>Login</title>"),
        Response(200, {"content-type": "text/html"}, TOKEN.encode()),
        Response(200, {}, b"\xff\xfe\x00binary"),
        text(""),
        text("short"),
        text(TOKEN + "\n" + TOKEN),
        text("x" * 513),
        text("caf\u00e9" * 5),
        text("<html><body>Login</body></html>"),
    ],
)
def test_what_is_no_token_is_refused(answer: Response) -> None:
    client, script, _pauses = scripted(answer)
    with pytest.raises(EchoValueError) as caught:
        client.create_token()
    assert TOKEN not in str(caught.value)
    assert len(script.requests) == 1, "a mint was repeated"
