# SPDX-License-Identifier: BSD-2-Clause
"""One emulator for all tests that leave it running, and a way to call it."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tools.emulator.client import Emulator


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    text: str


Call = Callable[..., Reply]


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """An emulator that lives as long as the test run."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The shared emulator as if new: no faults, default options, counters at zero."""
    server.reset()
    return server


@pytest.fixture
def call() -> Call:
    """`call(emulator, "GET /token", token)` makes one request on a connection of its own."""

    def make(
        emulator: Emulator,
        call: str,
        token: str | None = None,
        body: str | None = None,
        timeout: float = 10,
        **headers: str,
    ) -> Reply:
        method, target = call.split(" ", 1)
        if call == "POST /token" and body is None:
            body = "token=new"
            headers = {"content-type": "application/x-www-form-urlencoded", **headers}
        if token is not None:
            headers["x-token"] = token
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=timeout)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    return make


@pytest.fixture
def token(emulator: Emulator, call: Call) -> str:
    """A token of the shared emulator; its minting is not counted."""
    minted = call(emulator, "POST /token").text
    emulator.reset_stats()
    return minted
