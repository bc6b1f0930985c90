# SPDX-License-Identifier: BSD-2-Clause
"""The settings and the log of a token, and an alert that is declared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.alert import declare_alert
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import Alert
from tests.unit.support import TOKEN, scripted, text

URL = {"url": "https://hooks.example.com/secret"}
HOOK = {**URL, "format": "slack"}
CUSTOM = {"format": "custom", "template": {"text": "low"}}


def data(value: Any, **headers: str) -> Response:
    return Response(200, {"content-type": "application/json", **headers}, json.dumps(value).encode())


SET = data({"low_balance_threshold": 10, "low_balance_email": "a@example.com", "low_balance_webhook": HOOK})


@pytest.mark.parametrize(
    ("settings", "alert"),
    [
        ({}, Alert()),
        ({"low_balance_threshold": None, "low_balance_email": "", "low_balance_webhook": {}}, Alert()),
        (
            {"low_balance_webhook": {**HOOK, "headers": {}, "template": None, "created": "today"}},
            Alert(0, "", HOOK),
        ),
    ],
)
def test_settings_as_they_are_sent(settings: object, alert: Alert) -> None:
    client, script, _pauses = scripted(data(settings, **{"x-cost": "2"}))
    assert client.get_settings(TOKEN) == (alert, 2)
    assert (script.requests[0].method, script.requests[0].headers) == ("GET", {"x-token": TOKEN})


@pytest.mark.parametrize(
    "settings",
    [
        [],
        None,
        {"low_balance_threshold": "10"},
        {"low_balance_threshold": True},
        {"low_balance_email": 1},
        {"low_balance_webhook": "https://example.com"},
    ],
)
def test_settings_of_another_form(settings: object) -> None:
    client, _script, _pauses = scripted(data(settings))
    with pytest.raises(errors.UnexpectedAnswerError):
        client.get_settings(TOKEN)


@pytest.mark.parametrize("answer", [{}, {"logs": None}, {"logs": ["entry"]}, []])
def test_logs_of_another_form(answer: object) -> None:
    client, _script, _pauses = scripted(data(answer))
    with pytest.raises(errors.UnexpectedAnswerError):
        client.get_logs(TOKEN)


@pytest.mark.parametrize(
    ("passed", "sent"),
    [
        ({"threshold": 10}, None),
        ({"email": "a@example.com", "threshold": 10}, None),
        ({"webhook": {**HOOK, "headers": None, "options": {}}}, None),
        ({"threshold": 0}, {"low_balance_threshold": 0}),
        ({"email": ""}, {"low_balance_email": ""}),
        ({"email": "b@example.com"}, {"low_balance_email": "b@example.com"}),
        ({"webhook": {**URL, "headers": {"a": 5}}}, {"low_balance_webhook": {**URL, "headers": {"a": "5"}}}),
        ({"webhook": {**URL, **CUSTOM}}, {"low_balance_webhook": {**URL, **CUSTOM}}),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_difference_is_written_whole(passed: dict[str, Any], sent: dict[str, Any], dry_run: bool) -> None:
    client, script, _pauses = scripted(SET, text("OK"))
    declared = declare_alert(client, TOKEN, **passed, dry_run=dry_run)
    assert declared.changed == (sent is not None)
    written = [request.json for request in script.requests if request.method == "PUT"]
    expected = [] if sent is None or dry_run else [{**json.loads(SET.body), **sent}]
    assert written == expected
    assert declared.cost == len(script.requests)


def test_an_email_that_there_is_not_is_not_cleared() -> None:
    client, script, _pauses = scripted(data({}), text("OK"))
    assert declare_alert(client, TOKEN, email="", threshold=1).changed
    assert script.requests[1].json == {"low_balance_threshold": 1}


@pytest.mark.parametrize(
    "passed",
    [
        {"threshold": -1},
        {"threshold": True},
        {"threshold": 1.5},
        {"email": "nobody"},
        {"webhook": {}},
        {"webhook": {"url": "http://example.com/secret"}},
        {"webhook": {"url": "https:///secret"}},
        {"webhook": {**HOOK, "format": "smoke"}},
        {"webhook": {**HOOK, "template": {"secret": 1}}},
        {"webhook": {**URL, "template": {"secret": 1}}},
        {"webhook": {**HOOK, "format": "custom", "template": "secret"}},
        {"webhook": {**HOOK, "headers": "secret"}},
        {"webhook": {**HOOK, "options": ["secret"]}},
        {"webhook": {**HOOK, "other": "secret"}},
    ],
)
def test_what_is_wrong_is_refused_for_free(passed: dict[str, Any]) -> None:
    client, _script, _pauses = scripted()
    with pytest.raises(errors.InvalidInputError, match="No request was sent") as caught:
        declare_alert(client, TOKEN, **passed)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("webhook", "why"),
    [
        ("secret", "webhook must be a mapping."),
        ({"url": "http://a/secret"}, "webhook.url must be an https URL."),
    ],
)
def test_a_webhook_that_is_none(webhook: Any, why: str) -> None:
    client, _script, _pauses = scripted()
    with pytest.raises(errors.InvalidInputError) as caught:
        declare_alert(client, TOKEN, webhook=webhook)
    assert str(caught.value).startswith(f"{why} ")


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (errors.NetworkError("It was reset.", sent=True), "read first"),
        (text("secret", 500), "read first"),
        (text("<html>secret"), "read first"),
        (text("secret", 400), "may have cost 1 credit"),
        (text("secret", 402), "recharge"),
        (errors.NetworkError("It was refused.", sent=False), "Nothing was changed"),
    ],
)
def test_a_write_that_fails(failure: Response | Exception, word: str) -> None:
    client, _script, _pauses = scripted(SET, failure, retries=0)
    with pytest.raises(errors.EchoValueError, match=word) as caught:
        declare_alert(client, TOKEN, threshold=1)
    assert "secret" not in str(caught.value)
    assert ("Nothing was changed" in str(caught.value)) == (word != "read first")


def test_a_write_is_tried_again() -> None:
    reset = errors.NetworkError("It was reset.", sent=True)
    client, script, _pauses = scripted(SET, text("", 502), reset, text("OK"))
    assert declare_alert(client, TOKEN, threshold=1).changed
    assert [request.method for request in script.requests] == ["GET", "PUT", "PUT", "PUT"]


def test_logs_are_passed_on() -> None:
    logs = [{"id": "a", "other": [1]}, {}]
    client, script, _pauses = scripted(data({"logs": logs, "n": 2}), data({"logs": []}))
    assert client.get_logs(TOKEN, 100, "url to") == logs
    assert client.get_logs(TOKEN) == []
    assert [request.url.partition("?")[2] for request in script.requests] == ["n=100&type=url+to", "n=5"]


@pytest.mark.parametrize("n", [0, 101, -1, True, "5"])
def test_a_number_of_logs_that_there_is_not(n: Any) -> None:
    client, _script, _pauses = scripted()
    with pytest.raises(errors.InvalidInputError, match="from 1 to 100"):
        client.get_logs(TOKEN, n)
