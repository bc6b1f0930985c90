# SPDX-License-Identifier: BSD-2-Clause
"""A web server in a thread of the test, whose answers the test writes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Sends what `answer` returns of each request: a status, headers and a content."""

    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        raise NotImplementedError

    def do_GET(self) -> None:
        status, headers, content = self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_LIST = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that the base class calls

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def running(server: Any, tls: ssl.SSLContext | None = None) -> Iterator[Any]:
    """Serve until the context ends, over TLS where that is named."""
    with server:
        if tls:
            server.url = server.url.replace("http:", "https:")
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
