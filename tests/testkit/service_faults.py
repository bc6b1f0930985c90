# SPDX-License-Identifier: BSD-2-Clause
"""Everything that can come back instead of an answer, and what it means for a mint and for a reading.

The unit tests script it, the experiments send it over sockets, and the emulator plays what it can of it.
"""

from __future__ import annotations

import gzip
import hashlib
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Callable

TOKEN = "0123456789abcdef0123456789abcdef"
SILENCE = 2.0  # seconds, more than the client waits
_HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
RETRIED = ("network", "timeout", "rate_limited", "unavailable")


@dataclass(frozen=True)
class Fault:
    """What a server does with a connection; `send` gets the connection and the true answer.

    `mint` and `reading` are the reasons of the errors that a client raises, or `ok`.
    """

    name: str
    mint: str
    reading: str
    send: Callable[[socket.socket, str], None]
    status: int = 0  # with `headers` and `body`, where all is said by these
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    emulated: dict[str, Any] = field(default_factory=dict)  # how the emulator plays it
    sent: bool = True  # whether the request may have reached the service
    listens: bool = True
    certificate: str = ""  # a fault of TLS
    reads: bool = True  # the request, before it acts


def http(body: bytes | str, status: str = "200 OK", *headers: str, version: str = "1.1") -> bytes:
    """Return an answer as it goes over the wire."""
    content = body.encode() if isinstance(body, str) else body
    fields = ["Content-Type: text/plain", f"Content-Length: {len(content)}", "Connection: close"]
    fields = [one for one in fields if one.partition(":")[0] not in "".join(headers)] + list(headers)
    return "\r\n".join([f"HTTP/{version} {status}", *fields, "", ""]).encode() + content


def _answer(name: str, mint: str, reading: str, status: int, body: bytes = b"", **headers: str) -> Fault:
    fields = {key.replace("_", "-"): value for key, value in headers.items()}
    wire = http(body, f"{status} X", *(f"{key}: {value}" for key, value in fields.items()))
    emulated = {"kind": "status", "status": status, "headers": fields}
    emulated["body"] = body.decode("utf-8", "surrogateescape")
    return Fault(
        name, mint, reading, lambda to, _true: to.sendall(wire), status, fields, body, emulated=emulated
    )


def _bytes(name: str, mint: str, reading: str, make: Callable[[str], bytes], **more: Any) -> Fault:
    return Fault(name, mint, reading, lambda connection, true: connection.sendall(make(true)), **more)


def _reset(connection: socket.socket, _true: str) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _reset_within(connection: socket.socket, true: str) -> None:
    connection.sendall(http(true)[:-3])
    _reset(connection, true)


def _trickle(connection: socket.socket, true: str) -> None:
    for byte in http(true):
        connection.sendall(bytes([byte]))
        time.sleep(1)


def _huge(connection: socket.socket, _true: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
    for _block in range(800):
        connection.sendall(b"x" * 65536)


def _chunked(end: bytes) -> Callable[[str], bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    return lambda true: head + b"%x\r\n%b\r\n" % (len(true), true.encode()) + end


_SOON = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2), usegmt=True)
_DOUBT, _NONE = "ambiguous_mint", "unexpected_answer"
_AWAY = "http://127.0.0.2:1/"
FAULTS = (
    _bytes("none", "ok", "ok", http),
    _bytes("refused", "network", "network", http, listens=False, sent=False),
    Fault("reset before the request is read", _DOUBT, "network", _reset, reads=False),
    Fault("reset instead of an answer", _DOUBT, "network", _reset),
    _bytes("closed instead of an answer", _DOUBT, "network", lambda _true: b"", emulated={"kind": "drop"}),
    Fault("reset within the answer", _DOUBT, "network", _reset_within, emulated={"kind": "truncate"}),
    Fault("silence", _DOUBT, "timeout", lambda *_: time.sleep(SILENCE), emulated={"kind": "hang"}),
    Fault("a byte a second", _DOUBT, "timeout", _trickle, emulated={"kind": "trickle"}),
    _answer("201", _DOUBT, _NONE, 201),
    _answer("400", _NONE, _NONE, 400),
    _answer("401", "unauthorized", "unauthorized", 401),
    _answer("402", "payment_required", "payment_required", 402),
    _answer("403", _NONE, _NONE, 403),
    _answer("404", _NONE, _NONE, 404),
    _answer("405", _NONE, _NONE, 405),
    _answer("408", _DOUBT, _NONE, 408),
    _answer("429", "rate_limited", "rate_limited", 429),
    _answer("429, Retry-After in seconds", "rate_limited", "rate_limited", 429, retry_after="1"),
    _answer("429, Retry-After a date", "rate_limited", "rate_limited", 429, retry_after=_SOON),
    _answer("429, Retry-After nonsense", "rate_limited", "rate_limited", 429, retry_after="soon, -1"),
    _answer("499", _DOUBT, _NONE, 499),
    _answer("500", _DOUBT, "unavailable", 500),
    _answer("502", _DOUBT, "unavailable", 502),
    _answer("503", "unavailable", "unavailable", 503),
    _answer("503, Retry-After in seconds", "unavailable", "unavailable", 503, retry_after="1"),
    _answer("504", _DOUBT, "unavailable", 504),
    _answer("520", _DOUBT, "unavailable", 520),
    _answer("599", _DOUBT, "unavailable", 599),
    _answer("redirect to another host", _NONE, _NONE, 302, location=_AWAY),
    _answer("308 to another host", _NONE, _NONE, 308, location=_AWAY),
    _answer("a login page with 200", _DOUBT, _NONE, 200, b"<!doctype html><p>Log in"),
    _answer("an empty 200", _DOUBT, _NONE, 200),
    _answer("204", _DOUBT, _NONE, 204),
    _bytes(
        "JSON for text, text for JSON",
        _DOUBT,
        _NONE,
        lambda true: http("true" if true[0] == "{" else '{"a": 1}'),
    ),
    _bytes("a wallet of another token", "ok", "ok", lambda true: http(true.replace(_HASH, "0" * 64))),
    _answer("bytes that are no text", _DOUBT, _NONE, 200, b"\xff\xfe" * 20),
    Fault("50 MB", _DOUBT, _NONE, _huge, emulated={"kind": "huge"}),
    _bytes(
        "gzip that nobody requested",
        _DOUBT,
        _NONE,
        lambda true: http(gzip.compress(true.encode()), "200 OK", "Content-Encoding: gzip"),
    ),
    _bytes("HTTP/1.0", "ok", "ok", lambda true: http(true, version="1.0")),
    _bytes("chunked", "ok", "ok", _chunked(b"0\r\n\r\n")),
    _bytes("chunked, cut short", _DOUBT, "network", _chunked(b"")),
    _bytes("no HTTP at all", _DOUBT, "network", lambda _true: b"220 mail.example.com ESMTP\r\n"),
    _bytes(
        "a header without end", _DOUBT, "network", lambda _true: b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000
    ),
    _bytes("certificate expired", "network", "network", http, certificate="expired", sent=False),
    _bytes("certificate of another host", "network", "network", http, certificate="other host", sent=False),
    _bytes(
        "certificate of an unknown authority", "network", "network", http, certificate="unknown", sent=False
    ),
    _bytes("certificate trusted", "ok", "ok", http, certificate="trusted"),
    _bytes("no TLS where TLS is expected", "network", "network", http, certificate="plain", sent=False),
    _bytes("a proxy that refuses", "network", "network", http, certificate="proxy refuses", sent=False),
    _bytes("a proxy that is away", "network", "network", http, certificate="proxy away", sent=False),
)


def emulated(name: str) -> dict[str, Any]:
    """Return the options by which the emulator plays a fault."""
    (found,) = (fault for fault in FAULTS if fault.name == name)
    assert found.emulated, f"the emulator does not play {name!r}"
    return found.emulated
