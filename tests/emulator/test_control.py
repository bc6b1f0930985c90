# SPDX-License-Identifier: BSD-2-Clause
"""What the control API reports, and what it changes."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from plugins.module_utils.core.models import token_hash


def test_stats(emulator, call):
    before = emulator.stats()
    assert (before["total"], before["requests"], before["mints"]) == (0, {}, 0)
    token = call(emulator, "POST /token").text
    call(emulator, "GET /token", token)
    call(emulator, "GET /token")
    assert emulator.stats() == {
        "total": 3,
        "requests": {"POST /token": 1, "GET /token": 2},
        "mints": 1,
        "credits_spent": 1,
        "connections": 3,
        "tokens": before["tokens"] + 1,
    }


def test_connections_are_distinguished(emulator, token):
    connections = [http.client.HTTPConnection("127.0.0.1", emulator.port) for _ in range(2)]
    for _ in range(3):
        for connection in connections:
            connection.request("GET", "/recharge", headers={"x-token": token})
            connection.getresponse().read()
    for connection in connections:
        connection.close()
    assert (emulator.stats()["total"], emulator.stats()["connections"]) == (6, 2)


def test_requests(emulator, call, token):
    emulator.fault("GET /token", "drop")
    with pytest.raises(ConnectionError):
        call(emulator, "GET /token", token)
    call(emulator, "GET /recharge?amount=3", token, **{"user-agent": "test/1"})
    dropped, answered = emulator.requests()
    assert (dropped["path"], dropped["status"]) == ("/token", None)
    assert answered == {
        "method": "GET",
        "path": "/recharge",
        "query": "amount=3",
        "header_names": ["host", "accept-encoding", "user-agent", "x-token"],
        "user_agent": "test/1",
        "token_hash": token_hash(token),
        "status": 200,
    }


def test_reset_leaves_the_logs(emulator, call, token):
    call(emulator, "GET /recharge", token)
    emulator.reset_stats()
    assert (emulator.stats()["total"], emulator.requests()) == (0, [])
    assert json.loads(call(emulator, "GET /token/logs", token).text)["n"] == 1


def test_tokens(emulator, call):
    token = "a-token-set-by-hand"
    digest = emulator.register(token, wallet=2)
    assert digest == token_hash(token)
    emulator.set_wallet(digest, 7)
    assert (digest, 7) in [(known["hash"], known["wallet"]) for known in emulator.tokens()]
    assert call(emulator, "GET /recharge", token).headers["x-balance"] == "7"
    emulator.forget(digest)
    assert call(emulator, "GET /recharge", token).status == 401


def test_options(emulator, call, token):
    emulator.options(balance_headers=False)
    headers = call(emulator, "GET /token", token).headers
    assert "x-balance" not in headers
    assert "x-cost" not in headers
    emulator.options(latency=0.5)
    began = time.monotonic()
    emulator.stats()
    assert time.monotonic() - began < 0.5
    began = time.monotonic()
    call(emulator, "GET /recharge", token)
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda emulator: emulator.forget("unknown"),
        lambda emulator: emulator.set_wallet("unknown", 1),
        lambda emulator: emulator.register("a-token-of-no-worth", wallet=-1),
        lambda emulator: emulator.fault("*", "unknown"),
        lambda emulator: emulator.fault("*", "status", unknown=1),
        lambda emulator: emulator.fault("*", "status", status=100),
        lambda emulator: emulator.fault("*", "status", times=-1),
        lambda emulator: emulator.options(links="unknown"),
        lambda emulator: emulator.options(latency="unknown"),
        lambda emulator: emulator.options(put="unknown"),
        lambda emulator: emulator.options(unknown=1),
    ],
)
def test_mistakes_are_refused(emulator, call, token, wrong):
    with pytest.raises(ValueError, match=r": 40[04] "):
        wrong(emulator)
    assert call(emulator, "GET /recharge", token).status == 200
