# SPDX-License-Identifier: BSD-2-Clause
"""Everything that can come back instead of an answer, for each call: the table of docs/reliability.md."""

from __future__ import annotations

import gzip
import os
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import trustme

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import EchoValueError
from plugins.module_utils.core.models import Alert, token_hash
from plugins.module_utils.core.provision import provision
from plugins.module_utils.files.token_file import TokenFile
from tools.proof.report import Report

TOKEN = "0123456789abcdef0123456789abcdef"
_NEW = "fedcba9876543210fedcba9876543210"
_TIMEOUT = 1.0  # seconds for one exchange
_RETRIES = 1
_LONGEST_PAUSE = 30.0  # seconds between two tries, whatever Retry-After asks for

_TRUE_ANSWERS = {
    "POST /token": _NEW,
    "GET /recharge": "https://buy.stripe.com/p?client_reference_id=abc",
    "GET /token": f'{{"wallet": 7, "created": "2026-01-01T00:00:00.00Z", "hash": "{token_hash(TOKEN)}"}}',
    "GET /token/settings": '{"low_balance_threshold": 50}',
    "PUT /token/settings": "OK",
    "GET /token/logs": '{"logs": [{"id": "a", "cost": 1}], "n": 1}',
}


def http(body: bytes | str, status: str = "200 OK", *headers: str, version: str = "1.1") -> bytes:
    """Return an answer as it goes over the wire."""
    content = body.encode() if isinstance(body, str) else body
    fields = ["Content-Type: text/plain", f"Content-Length: {len(content)}", "Connection: close"]
    fields = [one for one in fields if one.partition(":")[0] not in "".join(headers)] + list(headers)
    return "\r\n".join([f"HTTP/{version} {status}", *fields, "", ""]).encode() + content


# What is asked for, past the two calls of a provisioning; the outcome in words.
_CALLS: dict[str, Callable[[EchoValueClient], str]] = {
    "GET /token": lambda client: f"wallet {client.get_wallet(TOKEN).wallet}",
    "GET /token/settings": lambda client: f"threshold {client.get_settings(TOKEN)[0].threshold}",
    "PUT /token/settings": lambda client: f"set for {client.put_settings(TOKEN, Alert(50))}",
    "GET /token/logs": lambda client: f"entries {len(client.get_logs(TOKEN))}",
}


@dataclass(frozen=True)
class Fault:
    """What a server does with a connection; `send` gets the true answer and the connection."""

    name: str
    send: Callable[[socket.socket, str], None]
    listens: bool = True
    certificate: str = ""  # a fault of TLS
    reads: bool = True  # the request, before it acts


def _says(make: Callable[[str], bytes]) -> Callable[[socket.socket, str], None]:
    return lambda connection, true: connection.sendall(make(true))


def _status(status: str, *headers: str) -> Callable[[socket.socket, str], None]:
    return _says(lambda _true: http(status, status, *headers))


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


def faults() -> list[Fault]:
    """Return all that is tried; the first is none."""
    soon = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2), usegmt=True)
    return [
        Fault("none", _says(http)),
        Fault("refused", _says(http), listens=False),
        Fault("reset before the request is read", _reset, reads=False),
        Fault("reset instead of an answer", _reset),
        Fault("closed instead of an answer", lambda _connection, _true: None),
        Fault("reset within the answer", _reset_within),
        Fault("silence", lambda _connection, _true: time.sleep(_TIMEOUT + 1)),
        Fault("a byte a second", _trickle),
        Fault("401", _status("401 Unauthorized")),
        Fault("402", _status("402 Payment Required")),
        Fault("403", _status("403 Forbidden")),
        Fault("404", _status("404 Not Found")),
        Fault("408", _status("408 Request Timeout")),
        Fault("429", _status("429 Too Many Requests")),
        Fault("429, Retry-After in seconds", _status("429 Too Many Requests", "Retry-After: 1")),
        Fault("429, Retry-After a date", _status("429 Too Many Requests", f"Retry-After: {soon}")),
        Fault("429, Retry-After nonsense", _status("429 Too Many Requests", "Retry-After: soon, -1")),
        Fault("500", _status("500 Internal Server Error")),
        Fault("502", _status("502 Bad Gateway")),
        Fault("503", _status("503 Service Unavailable")),
        Fault("503, Retry-After in seconds", _status("503 Service Unavailable", "Retry-After: 1")),
        Fault("504", _status("504 Gateway Timeout")),
        Fault("redirect to another host", _status("302 Found", "Location: http://127.0.0.2:1/")),
        Fault("308 to another host", _status("308 Permanent Redirect", "Location: http://127.0.0.2:1/")),
        Fault("a login page with 200", _says(lambda _true: http("<!doctype html><p>Log in"))),
        Fault("an empty 200", _says(lambda _true: http(""))),
        Fault("204", _says(lambda _true: http("", "204 No Content"))),
        Fault(
            "JSON for text, text for JSON", _says(lambda true: http("true" if true[0] == "{" else '{"a": 1}'))
        ),
        Fault(
            "a wallet of another token", _says(lambda true: http(true.replace(token_hash(TOKEN), "0" * 64)))
        ),
        Fault("bytes that are no text", _says(lambda _true: http(b"\xff\xfe" * 20))),
        Fault("50 MB", _huge),
        Fault(
            "gzip that nobody asked for",
            _says(lambda true: http(gzip.compress(true.encode()), "200 OK", "Content-Encoding: gzip")),
        ),
        Fault("HTTP/1.0", _says(lambda true: http(true, version="1.0"))),
        Fault("chunked", _says(_chunked(b"0\r\n\r\n"))),
        Fault("chunked, cut short", _says(_chunked(b""))),
        Fault("no HTTP at all", _says(lambda _true: b"220 mail.example.com ESMTP\r\n")),
        Fault("a header without end", _says(lambda _true: b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000)),
        Fault("certificate expired", _says(http), certificate="expired"),
        Fault("certificate of another host", _says(http), certificate="other host"),
        Fault("certificate of an unknown authority", _says(http), certificate="unknown"),
        Fault("certificate trusted", _says(http), certificate="trusted"),
        Fault("no TLS where TLS is expected", _says(http), certificate="plain"),
        Fault("a proxy that refuses", _says(http), certificate="proxy refuses"),
        Fault("a proxy that is away", _says(http), certificate="proxy away"),
    ]


def _request_from(stream: socket.socket) -> str:
    """Return a whole request: what is not read when a connection is closed resets it."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += (piece := stream.recv(65536))
        if not piece or not read[:1].isalpha():  # it has left, or begins with TLS
            return read.decode("latin-1")
    length = re.search(rb"content-length: (\d+)", read, re.IGNORECASE)
    while length and len(read.partition(b"\r\n\r\n")[2]) < int(length[1]):
        read += stream.recv(65536)
    return read.decode("latin-1")


@contextmanager
def served(fault: Fault, call: str, authority: trustme.CA) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Run a server with the fault; yield how a client reaches it, and a list of the requests it gets."""
    requests: list[str] = []
    context = _context(fault.certificate, authority)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def handle(connection: socket.socket) -> None:
        with connection:
            try:
                if fault.certificate == "proxy refuses":
                    connection.recv(65536)
                    connection.sendall(http("", "407 Proxy Authentication Required"))
                    return
                stream = context.wrap_socket(connection, server_side=True) if context else connection
                with stream:
                    if fault.reads:
                        requests.append(_request_from(stream))
                    fault.send(stream, _TRUE_ANSWERS[call])
            except OSError:
                pass  # the client left, or did not trust

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    if fault.listens:
        threading.Thread(target=serve, daemon=True).start()
    else:
        listener.close()
    with tempfile.NamedTemporaryFile(suffix=".pem") as bundle, listener:
        bundle.write(authority.cert_pem.bytes())
        bundle.flush()
        options: dict[str, Any] = {"base_url": f"http{'s' if fault.certificate else ''}://127.0.0.1:{port}"}
        options["verify"] = True if fault.certificate == "unknown" else bundle.name
        if fault.certificate.startswith("proxy"):
            proxy = port if fault.certificate == "proxy refuses" else 1
            options.update(
                base_url="https://echovalue.invalid", proxies={"https": f"http://127.0.0.1:{proxy}"}
            )
        try:
            yield options, requests
        finally:
            if fault.listens:
                listener.shutdown(socket.SHUT_RDWR)


def _context(kind: str, authority: trustme.CA) -> ssl.SSLContext | None:
    if kind not in ("expired", "other host", "unknown", "trusted"):
        return None
    host = "echovalue.example.com" if kind == "other host" else "127.0.0.1"
    past = datetime(2020, 1, 1, tzinfo=timezone.utc) if kind == "expired" else None
    certificate = authority.issue_cert(host, not_before=past and past - timedelta(days=9), not_after=past)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _ask(call: str, fault: Fault, authority: trustme.CA, report: Report) -> tuple[str, int]:
    """Make one call under one fault, as a task does; return the outcome in words, and the tries."""
    where = f"{call}, {fault.name}"
    with ExitStack() as stack:
        options, requests = stack.enter_context(served(fault, call, authority))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="echovalue-proof-")))
        file = directory / "token"
        client = EchoValueClient(timeout=_TIMEOUT, retries=_RETRIES, **options)
        stack.callback(client.close)
        start = time.monotonic()
        try:
            if call == "POST /token":
                told = provision(client, TokenFile(str(file))).status
                report.expect(file.read_text() == _NEW + "\n", f"{where}: what is kept is not what was sent")
            elif call == "GET /recharge":
                file.write_text(TOKEN + "\n")
                told = provision(client, TokenFile(str(file)), regenerate="if_invalid").status
            else:
                told = _CALLS[call](client)
        except EchoValueError as error:
            told = error.reason
            text = f"{error} {error!r}"
            report.expect(TOKEN not in text and _NEW not in text, f"{where}: a token is told")
            report.expect("?" not in text, f"{where}: a query is told")
        except Exception as error:  # noqa: BLE001 - it would be a traceback
            told = type(error).__name__
            report.problems.append(f"{where}: {error!r}")
        seconds = time.monotonic() - start
        most = (_RETRIES + 1) * _TIMEOUT + _RETRIES * (2.5 if "Retry-After" in fault.name else 0.5)
        report.expect(
            seconds < most + _slack(), f"{where}: it took {seconds:.1f} s, and {most:g} s are the most"
        )
        if call == "GET /recharge" and fault.name != "401":
            report.expect(file.read_text() == TOKEN + "\n", f"{where}: the token was replaced")
            report.expect(not any("POST" in one for one in requests), f"{where}: a token was minted")
        if told == "ambiguous_mint":
            report.expect(len(requests) <= 1, f"{where}: a mint in doubt was sent {len(requests)} times")
        return told, len(requests)


def _slack() -> float:
    """Return the seconds that a busy machine may add."""
    return 2.0 + os.getloadavg()[0]


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("The service at fault")
    authority = trustme.CA()
    tried = faults()[:: 3 if short else 1]
    with ThreadPoolExecutor(16) as pool:
        asked = {
            (fault.name, call): pool.submit(_ask, call, fault, authority, report)
            for fault in tried
            for call in _TRUE_ANSWERS
        }
    for fault in tried:
        outcomes = {call: asked[fault.name, call].result() for call in _TRUE_ANSWERS}
        row = {
            call: f"{told}, {tries} {'try' if tries == 1 else 'tries'}"
            for call, (told, tries) in outcomes.items()
        }
        report.rows.append({"the service": fault.name, **row})
    return report
