# SPDX-License-Identifier: BSD-2-Clause
"""The low-balance alert: when it is sent, what it says, and what came of it."""

from __future__ import annotations

import json

import pytest

from plugins.module_utils.core.models import token_hash
from tests.testkit.playbook import wait_until
from tools.emulator.client import Emulator
from tools.emulator.webhook import Webhook


@pytest.fixture(scope="module")
def listener():
    """One webhook for all tests."""
    with Webhook() as listener:
        yield listener


@pytest.fixture
def webhook(listener, emulator):
    """The webhook, trusted by the emulator, with nothing left over."""
    emulator.options(webhook_ca=listener.ca)
    yield listener
    assert listener.quiet()


@pytest.fixture
def spend(emulator, call, token):
    """Make a number of paid calls."""

    def spend(calls):
        for _ in range(calls):
            assert call(emulator, "GET /token", token).status == 200

    return spend


@pytest.fixture
def declare(emulator, call, token):
    """Set the token's alert."""

    def declare(threshold, **settings):
        body = json.dumps({"low_balance_threshold": threshold, **settings})
        assert call(emulator, "PUT /token/settings", token, body=body).text == "OK"

    return declare


def ended_alerts(emulator):
    """Return the alerts once it is known how each of a webhook ended."""
    wait_until(lambda: not any(one["email"] is one["status"] is one["error"] for one in emulator.alerts()))
    return emulator.alerts()


def test_it_is_sent_once_per_fall(emulator, webhook, declare, spend, token):
    declare(98, low_balance_webhook={"url": webhook.url})  # 99 are left
    spend(1)
    assert emulator.alerts() == []
    spend(3)
    assert webhook.next().value == {"wallet": 97, "threshold": 98, "token_hash": token_hash(token)}
    emulator.set_wallet(token_hash(token), 98)  # the balance is back, and falls again
    spend(2)
    assert webhook.next().value["wallet"] == 97
    assert [alert["status"] for alert in ended_alerts(emulator)] == [200, 200]


def test_a_call_that_is_refused_takes_the_balance_down_too(emulator, webhook, declare, call, token):
    declare(99, low_balance_webhook={"url": webhook.url})
    assert call(emulator, "PUT /token/settings", token, body="no JSON").status == 400
    assert webhook.next().value["wallet"] == 98


def test_a_free_call_sends_no_alert(emulator, declare, call, token):
    declare(99, low_balance_email="ops@example.com")
    emulator.set_wallet(token_hash(token), 50)
    call(emulator, "GET /recharge", token)
    assert emulator.alerts() == []


def test_off(emulator, webhook, declare, spend, token):
    declare(0, low_balance_webhook={"url": webhook.url})
    emulator.set_wallet(token_hash(token), 1)
    spend(1)
    assert emulator.alerts() == []


def test_email(emulator, declare, spend):
    declare(99, low_balance_email="ops@example.com")
    spend(2)
    [alert] = emulator.alerts()
    assert (alert["email"], alert["wallet"], alert["threshold"]) == ("ops@example.com", 98, 99)
    assert (alert["webhook_host"], alert["status"], alert["error"]) == (None, None, None)


TEXT = "EchoValue: 98 credits are left, under the threshold of 99, for the token with the hash HASH."
FACTS = {"wallet": 98, "threshold": 99, "token_hash": "HASH"}
PAYLOAD = {"summary": TEXT, "source": "echovalue", "severity": "warning", "custom_details": FACTS}
PAGE = {"routing_key": "k", "event_action": "trigger", "payload": PAYLOAD}


@pytest.mark.parametrize(
    ("kind", "rest", "reported"),
    [
        ("slack", {}, {"text": TEXT}),
        ("discord", {}, {"content": TEXT}),
        ("teams", {}, {"text": TEXT}),
        ("telegram", {"options": {"chat_id": 5}}, {"chat_id": 5, "text": TEXT}),
        ("pagerduty", {"options": {"routing_key": "k"}}, PAGE),
        (
            "custom",
            {"template": {"deep": [{"left": "{{wallet}} of {{threshold}}"}], "who": "{{token_hash}}"}},
            {"deep": [{"left": "98 of 99"}], "who": "HASH"},
        ),
        ("custom", {}, FACTS),
    ],
)
def test_formats(webhook, declare, spend, token, kind, rest, reported):
    headers = {"Authorization": "Bearer of-the-test"}
    declare(99, low_balance_webhook={"url": webhook.url, "format": kind, "headers": headers, **rest})
    spend(1)
    delivery = webhook.next()
    assert delivery.value == json.loads(json.dumps(reported).replace("HASH", token_hash(token)))
    assert delivery.path == "/alert?of=test"
    assert delivery.headers["authorization"] == "Bearer of-the-test"
    assert delivery.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://192.0.2.1/", "not this machine"),
        ("https://hooks.example.com/", "ValueError"),
        ("https://127.0.0.1:1/", "ConnectionRefusedError"),
        ("https://[", "ValueError"),
        (None, "SSLCertVerificationError"),  # of the listener, which is not trusted here
    ],
)
def test_it_does_not_arrive(emulator, listener, declare, spend, url, error):
    declare(99, low_balance_webhook={"url": url or listener.url})
    spend(1)
    [alert] = ended_alerts(emulator)
    assert error in alert["error"]
    assert alert["status"] is None
    assert listener.quiet()


def test_a_webhook_that_refuses(emulator, declare, spend):
    with Webhook(status=500) as webhook:
        emulator.options(webhook_ca=webhook.ca)
        declare(99, low_balance_webhook={"url": webhook.url})
        spend(1)
        webhook.next()
        assert [alert["status"] for alert in ended_alerts(emulator)] == [500]  # sent once all the same


def test_options_of_the_start(call, listener):
    with Emulator(put="merge", webhook_ca=listener.ca, workers=2) as emulator:
        token = call(emulator, "POST /token").text
        for settings in ({"low_balance_webhook": {"url": listener.url}}, {"low_balance_threshold": 98}):
            call(emulator, "PUT /token/settings", token, body=json.dumps(settings))
        for _ in range(3):
            call(emulator, "GET /token", token)
        assert listener.next().value["wallet"] == 97
    assert listener.quiet()
