# SPDX-License-Identifier: BSD-2-Clause
"""A gate before a server: it sees each request first, and may refuse it."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from tests.testkit.servers import secrets_manager_server

# moto knows no permissions.
UNTAGGED = "CreateSecret without tags"
_WRITES = ("CreateSecret", UNTAGGED, "PutSecretValue", "UpdateSecretVersionStage")
_REFUSAL = b'{"__type": "AccessDeniedException", "message": "not allowed"}'


class Gate(ThreadingHTTPServer):
    """Hands on to the server at `behind` what `see(operation, body)` says nothing against.

    An operation is that of AWS, UNTAGGED among them, or the method and path. What is refused is answered
    with the status that `see` returns, or as AWS does where that is False.
    """

    daemon_threads = True

    def __init__(self, behind: str, see: Callable[[str, bytes], object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.see = see
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if target == "CreateSecret" and b'"Tags"' not in body:
            target = UNTAGGED
        seen = self.server.see(target or f"{self.command} {self.path}", body)
        if seen is False:
            self._answer(400, [], _REFUSAL)
            return
        if isinstance(seen, HTTPStatus):
            self._answer(seen, [], b"")
            return
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        connection.close()

    do_GET = do_LIST = do_PUT = do_POST  # noqa: N815 - the names that the base class calls

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def gate(
    behind: str, see: Callable[[str, bytes], object], tls: ssl.SSLContext | None = None
) -> Iterator[Gate]:
    """Run a gate, over TLS where that is named."""
    with Gate(behind, see) as running:
        if tls:
            running.url = running.url.replace("http:", "https:")
            running.socket = tls.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


class SecretsManagerGate:
    """moto behind a gate: `closed`, it refuses what writes a secret."""

    def __init__(self) -> None:
        self.url = ""
        self.closed = False
        self.refuses: Callable[[str], bool] = lambda _operation: False

    def see(self, operation: str, _body: bytes) -> bool:
        """Tell whether an operation may pass."""
        return not (self.closed and operation in _WRITES) and not self.refuses(operation)


@contextmanager
def gated_secrets_manager(directory: Path) -> Iterator[SecretsManagerGate]:
    """Run moto behind a gate."""
    closing = SecretsManagerGate()
    with secrets_manager_server(directory) as server, gate(server.url, closing.see) as running:
        closing.url = running.url
        yield closing
