# SPDX-License-Identifier: BSD-2-Clause
"""Everything that can come back instead of an answer, for each call: the table of docs/reliability.md."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import trustme

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import EchoValueError
from plugins.module_utils.core.models import Alert, token_hash
from plugins.module_utils.core.provision import provision
from plugins.module_utils.files.token_file import TokenFile
from tests.testkit.raw_server import RawServer
from tests.testkit.service_faults import FAULTS, TOKEN, Fault, http
from tools.proof.report import Report

_NEW = "fedcba9876543210fedcba9876543210"
_TIMEOUT = 1.0  # seconds for one exchange
_RETRIES = 1

_TRUE_ANSWERS = {
    "POST /token": _NEW,
    "GET /recharge": "https://buy.stripe.com/p?client_reference_id=abc",
    "GET /token": f'{{"wallet": 7, "created": "2026-01-01T00:00:00.00Z", "hash": "{token_hash(TOKEN)}"}}',
    "GET /token/settings": '{"low_balance_threshold": 50}',
    "PUT /token/settings": "OK",
    "GET /token/logs": '{"logs": [{"id": "a", "cost": 1}], "n": 1}',
}
# What makes each call, the first two to provision a token file; the outcome in words.
_CALLS: dict[str, Callable[[EchoValueClient, TokenFile], str]] = {
    "POST /token": lambda client, file: provision(client, file).status,
    "GET /recharge": lambda client, file: provision(client, file, regenerate="if_invalid").status,
    "GET /token": lambda client, _file: f"wallet {client.get_wallet(TOKEN).wallet}",
    "GET /token/settings": lambda client, _file: f"threshold {client.get_settings(TOKEN)[0].threshold}",
    "PUT /token/settings": lambda client, _file: f"set for {client.put_settings(TOKEN, Alert(50))}",
    "GET /token/logs": lambda client, _file: f"entries {len(client.get_logs(TOKEN))}",
}


@contextmanager
def served(fault: Fault, call: str, authority: trustme.CA) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
    """Run a server with the fault; yield how a client reaches it, and a list of the requests it gets."""
    kind = fault.certificate
    if kind == "proxy refuses":
        server = RawServer(lambda stream: stream.sendall(http("", "407 Proxy Authentication Required")))
    else:
        server = RawServer(
            lambda stream: fault.send(stream, _TRUE_ANSWERS[call]),
            tls=_context(kind, authority),
            reads=fault.reads,
        )
    with server, tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        bundle.write(authority.cert_pem.bytes())
        bundle.flush()
        options: dict[str, Any] = {"base_url": server.url, "verify": kind == "unknown" or bundle.name}
        if not fault.listens:
            options["base_url"] = "http://127.0.0.1:1"
        elif kind == "plain":
            options["base_url"] = server.url.replace("http:", "https:")
        elif kind.startswith("proxy"):
            proxy = server.port if kind == "proxy refuses" else 1
            options.update(
                base_url="https://echovalue.invalid", proxies={"https": f"http://127.0.0.1:{proxy}"}
            )
        yield options, [] if kind == "proxy refuses" else server.requests


def _context(kind: str, authority: trustme.CA) -> ssl.SSLContext | None:
    if kind not in ("expired", "other host", "unknown", "trusted"):
        return None
    host = "echovalue.example.com" if kind == "other host" else "127.0.0.1"
    past = datetime(2020, 1, 1, tzinfo=timezone.utc) if kind == "expired" else None
    certificate = authority.issue_cert(host, not_before=past and past - timedelta(days=9), not_after=past)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _ask(call: str, fault: Fault, authority: trustme.CA, report: Report) -> str:
    """Make one call under one fault, as a task does; return the outcome in words, and the tries."""
    where = f"{call}, {fault.name}"
    with ExitStack() as stack:
        options, requests = stack.enter_context(served(fault, call, authority))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="echovalue-proof-")))
        file = directory / "token"
        if call == "GET /recharge":
            file.write_text(TOKEN + "\n")
        client = EchoValueClient(timeout=_TIMEOUT, retries=_RETRIES, **options)
        stack.callback(client.close)
        start = time.monotonic()
        try:
            reported = _CALLS[call](client, TokenFile(str(file)))
            if call == "POST /token":
                report.expect(file.read_text() == _NEW + "\n", f"{where}: what is kept is not what was sent")
        except EchoValueError as error:
            reported = error.reason
            text = f"{error} {error!r}"
            report.expect(TOKEN not in text and _NEW not in text, f"{where}: a token is shown")
            report.expect("?" not in text, f"{where}: a query is shown")
        except Exception as error:  # noqa: BLE001 - it would be a traceback
            reported = type(error).__name__
            report.problems.append(f"{where}: {error!r}")
        seconds = time.monotonic() - start
        most = (_RETRIES + 1) * _TIMEOUT + _RETRIES * (2.5 if "Retry-After" in fault.name else 0.5)
        report.expect(
            seconds < most + _slack(), f"{where}: it took {seconds:.1f} s, and {most:g} s are the most"
        )
        if call == "GET /recharge" and fault.name != "401":
            report.expect(file.read_text() == TOKEN + "\n", f"{where}: the token was replaced")
            report.expect(not any(b"POST" in one for one in requests), f"{where}: a token was minted")
        if call in ("POST /token", "GET /token/logs"):
            expected = fault.mint if call == "POST /token" else fault.reading
            wrong = reported != expected if expected != "ok" else reported not in ("minted", "entries 1")
            report.expect(not wrong, f"{where}: {reported} instead of {expected}")
        if reported == "ambiguous_mint":
            report.expect(len(requests) <= 1, f"{where}: a mint in doubt was sent {len(requests)} times")
        return f"{reported}, {len(requests)} {'try' if len(requests) == 1 else 'tries'}"


def _slack() -> float:
    """Return the seconds that a busy machine may add."""
    return 2.0 + os.getloadavg()[0]


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("The service at fault")
    authority = trustme.CA()
    tried = FAULTS[:: 3 if short else 1]
    with ThreadPoolExecutor(16) as pool:
        asked = {
            (fault.name, call): pool.submit(_ask, call, fault, authority, report)
            for fault in tried
            for call in _TRUE_ANSWERS
        }
    for fault in tried:
        outcomes = {call: asked[fault.name, call].result() for call in _TRUE_ANSWERS}
        report.row(the_service=fault.name, **outcomes)
    return report
