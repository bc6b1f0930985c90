# SPDX-License-Identifier: BSD-2-Clause
"""Each kind of fault, as a client meets it."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.testkit.playbook import wait_until
from tools.emulator.client import Emulator


def wait_for_a_mint(emulator):
    """Wait until the emulator did what its client did not wait for."""
    wait_until(lambda: emulator.stats()["mints"] > 0)


def test_status(emulator, call):
    emulator.fault("POST /token", "status", status=429, headers={"Retry-After": "1"}, body="later", times=2)
    for _ in range(2):
        reply = call(emulator, "POST /token")
        assert (reply.status, reply.headers["retry-after"], reply.text) == (429, "1", "later")
    assert call(emulator, "POST /token").status == 200
    assert emulator.stats()["mints"] == 1
    assert [request["status"] for request in emulator.requests()] == [429, 429, 200]


def test_status_after_work(emulator, call, token):
    emulator.fault("GET /token", "status", status=520, after_work=True)
    reply = call(emulator, "GET /token", token)
    assert (reply.status, reply.text) == (520, "")
    assert emulator.stats()["credits_spent"] == 1


def test_a_success_that_is_not_200(emulator, call):
    emulator.fault("POST /token", "status", status=201, after_work=True)
    minted = call(emulator, "POST /token")
    assert (minted.status, len(minted.text)) == (201, 32)
    assert call(emulator, "GET /recharge", minted.text).status == 200


@pytest.mark.parametrize("status", [408, 418, 520, 522, 524, 599])
def test_any_status(emulator, call, status):
    emulator.fault("POST /token", "status", status=status)
    assert call(emulator, "POST /token").status == status
    assert emulator.stats()["mints"] == 0


def test_faults_wait_for_their_call(emulator, call, token):
    emulator.fault("POST /token", "status", status=500)
    emulator.fault("*", "status", status=502, times=0)
    assert call(emulator, "GET /recharge", token).status == 502
    assert call(emulator, "POST /token").status == 500
    assert call(emulator, "POST /token").status == 502
    emulator.clear_faults()
    assert call(emulator, "POST /token").status == 200


def test_late(emulator, call, token):
    emulator.fault("GET /recharge", "late", seconds=0.2)
    began = time.monotonic()
    assert call(emulator, "GET /recharge", token).status == 200
    assert time.monotonic() - began >= 0.2


def test_late_works_for_a_client_that_left(emulator, call):
    emulator.fault("POST /token", "late", seconds=0.2)
    with pytest.raises(TimeoutError):
        call(emulator, "POST /token", timeout=0.1)
    wait_for_a_mint(emulator)


def test_hang(emulator, call):
    emulator.fault("POST /token", "hang")
    with pytest.raises(TimeoutError):
        call(emulator, "POST /token", timeout=0.2)
    wait_for_a_mint(emulator)
    assert emulator.requests()[0]["status"] is None


@pytest.mark.parametrize("after_work", [False, True])
def test_drop(emulator, call, after_work):
    emulator.fault("POST /token", "drop", after_work=after_work)
    with pytest.raises(http.client.RemoteDisconnected):
        call(emulator, "POST /token")
    assert emulator.stats()["mints"] == after_work


def test_truncate(emulator, call):
    emulator.fault("POST /token", "truncate")
    with pytest.raises(http.client.IncompleteRead) as caught:
        call(emulator, "POST /token")
    assert len(caught.value.partial) == 16
    assert emulator.stats()["mints"] == 1


def test_trickle(emulator, call):
    emulator.fault("POST /token", "trickle", seconds=0.001)
    began = time.monotonic()
    reply = call(emulator, "POST /token")
    assert (reply.status, len(reply.text)) == (200, 32)
    assert time.monotonic() - began > 0.1


def test_html(emulator, call, token):
    emulator.fault("*", "html")
    reply = call(emulator, "GET /token", token)
    assert (reply.status, reply.text[:15]) == (200, "<!doctype html>")
    assert reply.headers["content-type"].startswith("text/html")
    assert emulator.stats()["credits_spent"] == 0


@pytest.mark.parametrize("status", [None, 307])
def test_redirect(emulator, call, token, status):
    emulator.fault("*", "redirect", location="https://example.com/", status=status)
    reply = call(emulator, "GET /token", token)
    assert (reply.status, reply.headers["location"]) == (status or 302, "https://example.com/")


@pytest.mark.parametrize("chunked", [False, True])
def test_huge(emulator, call, token, chunked):
    emulator.fault("*", "huge", bytes=3_000_001, chunked=chunked)
    reply = call(emulator, "GET /token", token)
    assert (reply.status, len(reply.text)) == (200, 3_000_001)
    assert reply.headers["content-length"] == (None if chunked else "3000001")


def test_body(emulator, call, token):
    emulator.fault("*", "body", body="{", content_type="application/json")
    reply = call(emulator, "GET /token", token)
    assert (reply.status, reply.text) == (200, "{")
    assert reply.headers["content-type"] == "application/json"
    assert emulator.stats()["credits_spent"] == 0


@pytest.mark.parametrize("body", ["", "two\nlines", "\udcff"])
def test_a_mint_whose_answer_is_of_no_use(emulator, body):
    emulator.fault("POST /token", "body", body=body, after_work=True)
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port)
    connection.request("POST", "/token", "token=new", {"content-type": "application/x-www-form-urlencoded"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, body.encode("utf-8", "surrogateescape"))
    connection.close()
    assert emulator.stats()["mints"] == 1


def test_workers_share_the_faults(call):
    with Emulator(workers=2) as emulator, ThreadPoolExecutor(4) as pool:
        emulator.fault("POST /token", "status", status=503, times=10)
        statuses = [reply.status for reply in pool.map(lambda _: call(emulator, "POST /token"), range(40))]
    assert (statuses.count(503), statuses.count(200)) == (10, 30)
