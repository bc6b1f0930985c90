# SPDX-License-Identifier: BSD-2-Clause
"""Many connections that stay open, all at once. How busy it is beside a benchmark, `make bench` reports."""

from __future__ import annotations

import asyncio

from tools.emulator.client import Emulator

CONNECTIONS = 16
ROUNDS = 150  # of two requests each, on each connection

_HEAD = b"Host: localhost\r\n"
MINT = (
    b"POST /token HTTP/1.1\r\n" + _HEAD + b"Content-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 9\r\n\r\ntoken=new"
)
PROBE = b"GET /recharge HTTP/1.1\r\n" + _HEAD + b"x-token: %b\r\n\r\n"


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))


async def _visit(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(ROUNDS):
        token = await _ask(reader, writer, MINT)
        await _ask(reader, writer, PROBE % token)
    writer.close()
    await writer.wait_closed()


async def _visit_all(port: int) -> None:
    await asyncio.gather(*(_visit(port) for _ in range(CONNECTIONS)))


def test_many_connections_at_once() -> None:
    with Emulator() as emulator:
        asyncio.run(_visit_all(emulator.port))
        stats = emulator.stats()
    assert stats["mints"] == stats["tokens"] == CONNECTIONS * ROUNDS
    assert stats["connections"] == CONNECTIONS
