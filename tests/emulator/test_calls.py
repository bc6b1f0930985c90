# SPDX-License-Identifier: BSD-2-Clause
"""Each documented call and each documented error."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

from plugins.module_utils.core.models import token_hash
from tools.emulator.openapi import DOCUMENT

FORM = "application/x-www-form-urlencoded"
OPERATIONS = [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]
WITH_TOKEN = [operation for operation in OPERATIONS if operation != "POST /token"]
PAID = ["GET /token", "GET /token/settings", "PUT /token/settings"]


def test_mint(emulator, call):
    reply = call(emulator, "POST /token")
    assert (reply.status, len(reply.text)) == (200, 32)
    assert reply.headers["content-type"].startswith("text/plain")
    assert call(emulator, "POST /token").text != reply.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((body, FORM) for body in ("", "token=", "token=old", "token=new&token=new", "other=new")),
        ('{"token": "new"}', "text/json"),
    ],
)
def test_mint_needs_the_word_in_a_form(emulator, call, body, kind):
    reply = call(emulator, "POST /token?token=new", body=body, **{"content-type": kind})
    assert (reply.status, reply.text) == (400, "Bad Request")
    assert emulator.stats()["mints"] == 0


def test_wallet_costs_a_credit(emulator, call, token):
    for left in (99, 98):
        reply = call(emulator, "GET /token", token)
        wallet = json.loads(reply.text)
        assert reply.status == 200
        assert (reply.headers["x-balance"], reply.headers["x-cost"]) == (str(left), "1")
        assert (wallet["wallet"], wallet["hash"]) == (left, token_hash(token))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\dZ", wallet["created"])


@pytest.mark.parametrize("operation", PAID)
def test_empty_wallet(emulator, call, token, operation):
    emulator.set_wallet(token_hash(token), 1)
    assert call(emulator, operation, token, body="{}").status == 200
    for _ in range(2):
        reply = call(emulator, operation, token, body="{}")
        assert (reply.status, reply.text) == (402, "Insufficient credits")
        assert (reply.headers["x-balance"], reply.headers["x-cost"]) == ("0", "0")


@pytest.mark.parametrize("operation", ["GET /recharge", "GET /token/logs"])
def test_free_calls_need_no_credit(emulator, call, token, operation):
    emulator.set_wallet(token_hash(token), 0)
    reply = call(emulator, operation, token)
    assert (reply.status, reply.headers["x-balance"], reply.headers["x-cost"]) == (200, "0", "0")


@pytest.mark.parametrize("operation", WITH_TOKEN)
@pytest.mark.parametrize("wrong", [None, "", "short", "unknown-but-long-enough"])
def test_unauthorized(emulator, call, operation, wrong):
    emulator.register("short")
    reply = call(emulator, operation, wrong)
    assert (reply.status, reply.text) == (401, "Unauthorized")


def test_link_carries_the_hash(emulator, call, token):
    default, one, three = (
        call(emulator, f"GET /recharge{amount}", token).text for amount in ("", "?amount=1", "?amount=3")
    )
    for link in (default, three):
        assert re.fullmatch(rf"https://buy\.stripe\.com/\w+\?client_reference_id={token_hash(token)}", link)
    assert default == one != three


def test_link_carries_the_token(emulator, call, token):
    emulator.options(links="token")
    reply = call(emulator, "GET /recharge", token)
    assert reply.text.endswith(f"?client_reference_id={token}")


@pytest.mark.parametrize(
    "target",
    [f"/recharge?amount={amount}" for amount in ("", "0", "2", "4", "x", "%31%31")]
    + [f"/token/logs?n={n}" for n in ("", "0", "101", "-1", "1.5", "x")],
)
def test_wrong_parameters(emulator, call, token, target):
    assert call(emulator, f"GET {target}", token).status == 400


def test_logs(emulator, call, token):
    for target in ("/token", "/recharge?amount=2", "/recharge?amount=3"):
        call(emulator, f"GET {target}", token)
    answer = json.loads(call(emulator, "GET /token/logs?n=2", token).text)
    assert answer["n"] == 2
    newest, older = answer["logs"]
    assert set(newest) == set(DOCUMENT["components"]["schemas"]["Log"]["required"])
    expected = {"method": "GET", "path": "/recharge?amount=3", "endpoint": "service", "status_code": 200}
    assert {**newest, **expected, "cost": 0, "balance": 99} == newest
    assert int(older["id"]) < int(newest["id"])
    assert (older["status_code"], older["error"]) == (400, "Bad Request")
    began, ends = (datetime.fromisoformat(newest[name]) for name in ("timestamp", "expiration"))
    assert ends - began == timedelta(days=7)
    assert token not in json.dumps(answer)
    for _ in range(5):
        call(emulator, "GET /recharge", token)
    assert json.loads(call(emulator, "GET /token/logs", token).text)["n"] == 5


def test_logs_of_a_category(emulator, call, token):
    for operation in ("GET /token", "GET /recharge", "PUT /token/settings", "DELETE /token", "POST /token"):
        call(emulator, operation, token, body=None if operation == "POST /token" else "{}")

    def paths(category):
        answer = json.loads(call(emulator, f"GET /token/logs?n=100&type={category}", token).text)
        assert answer["n"] == len(answer["logs"])
        return [entry["path"] for entry in answer["logs"]]

    assert paths("kv") == paths("unknown") == []
    assert paths("service") == ["/recharge"]
    assert paths("settings") == ["/token/settings"]
    assert paths("")[-3:] == ["/token/settings", "/recharge", "/token"]


def test_logs_say_what_the_service_did(emulator, call, token):
    emulator.fault("GET /token", "status", status=503)
    emulator.fault("GET /token", "status", status=520, after_work=True)
    emulator.fault("GET /token", "drop", after_work=True)
    for _ in range(2):
        call(emulator, "GET /token", token)
    with pytest.raises(ConnectionError):
        call(emulator, "GET /token", token)
    logs = json.loads(call(emulator, "GET /token/logs", token).text)["logs"]
    assert [(entry["status_code"], entry["cost"]) for entry in logs] == [(200, 1), (200, 1)]


def test_settings(emulator, call, token):
    settings = {
        "low_balance_threshold": 10,
        "low_balance_email": "ops@example.com",
        "low_balance_webhook": {
            "url": "https://example.com/hook",
            "headers": {"a": "b"},
            "format": "custom",
            "template": {"left": "{{wallet}}"},
            "options": {"priority": 1},
        },
    }
    assert json.loads(call(emulator, "GET /token/settings", token).text) == {}
    reply = call(emulator, "PUT /token/settings", token, body=json.dumps(settings))
    assert (reply.status, reply.text, reply.headers["x-cost"]) == (200, "OK", "1")
    assert reply.headers["content-type"].startswith("text/plain")
    assert json.loads(call(emulator, "GET /token/settings", token).text) == settings
    assert emulator.stats()["credits_spent"] == 3


@pytest.mark.parametrize("put", ["replace", "merge"])
def test_what_a_put_leaves_out(emulator, call, token, put):
    def settings(**passed):
        if passed:
            assert call(emulator, "PUT /token/settings", token, body=json.dumps(passed)).text == "OK"
        return json.loads(call(emulator, "GET /token/settings", token).text)

    emulator.options(put=put)
    settings(low_balance_threshold=10, low_balance_email="ops@example.com")
    kept = {"low_balance_email": "ops@example.com"} if put == "merge" else {}
    assert settings(low_balance_threshold=5) == {"low_balance_threshold": 5, **kept}
    assert settings(low_balance_threshold=5, low_balance_email="") == {"low_balance_threshold": 5}


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {"other": 1},
        {"low_balance_threshold": -1},
        {"low_balance_threshold": True},
        {"low_balance_email": None},
        {"low_balance_webhook": {}},
        {"low_balance_webhook": {"url": "http://example.com"}},
        {"low_balance_webhook": {"url": "https://example.com", "headers": {"a": 1}}},
        {"low_balance_webhook": {"url": "https://example.com", "format": "smoke"}},
        {"low_balance_webhook": {"url": "https://example.com", "template": "{}"}},
        {"low_balance_webhook": {"url": "https://example.com", "other": 1}},
    ],
    ids=json.dumps,
)
def test_wrong_settings_cost_a_credit(emulator, call, token, wrong):
    reply = call(emulator, "PUT /token/settings", token, body=json.dumps(wrong))
    assert (reply.status, reply.text, reply.headers["x-cost"]) == (400, "Bad Request", "1")
    assert json.loads(call(emulator, "GET /token/settings", token).text) == {}


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "PATCH", "OPTIONS", "GET", "POST", "PUT"])
@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_wrong_method(emulator, call, token, method, path):
    if f"{method} {path}" in OPERATIONS:
        return
    reply = call(emulator, f"{method} {path}", token, body="")
    assert reply.status == 405
    assert reply.text == ("" if method == "HEAD" else "Method Not Allowed")
    assert {f"{allowed} {path}" for allowed in reply.headers["allow"].split(", ")} <= set(OPERATIONS)


def test_unknown_path(emulator, call):
    assert call(emulator, "GET /nowhere").status == 404


def test_document(emulator, call):
    assert json.loads(call(emulator, "GET /openapi.json").text) == DOCUMENT
    assert emulator.stats()["total"] == 0
