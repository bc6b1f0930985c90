# SPDX-License-Identifier: BSD-2-Clause
"""A gate before a server: it sees each request first, and may refuse it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from tests.testkit.servers import secrets_manager_server
from tests.testkit.web_server import Handler, running

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


class _Handler(Handler):
    server: Gate

    def answer(self, body: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if target == "CreateSecret" and b'"Tags"' not in body:
            target = UNTAGGED
        seen = self.server.see(target or f"{self.command} {self.path}", body)
        if seen is False:
            return 400, [], _REFUSAL
        if isinstance(seen, HTTPStatus):
            return seen, [], b""
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except OSError:  # the server behind ended, as at the end of a test
            return HTTPStatus.BAD_GATEWAY, [], b""
        finally:
            connection.close()


@contextmanager
def gate(
    behind: str, see: Callable[[str, bytes], object], tls: ssl.SSLContext | None = None
) -> Iterator[Gate]:
    """Run a gate, over TLS where that is named."""
    with running(Gate(behind, see), tls) as opened:
        yield opened


class SecretsManagerGate:
    """moto behind a gate: `closed`, it refuses what writes a secret."""

    def __init__(self) -> None:
        self.url = ""
        self.closed = False
        self.refuses: Callable[[str], bool] = lambda _operation: False

    def see(self, operation: str, _body: bytes) -> bool:
        """Return whether an operation may pass."""
        return not (self.closed and operation in _WRITES) and not self.refuses(operation)


@contextmanager
def gated_secrets_manager(directory: Path) -> Iterator[SecretsManagerGate]:
    """Run moto behind a gate."""
    closing = SecretsManagerGate()
    with secrets_manager_server(directory) as server, gate(server.url, closing.see) as opened:
        closing.url = opened.url
        yield closing
