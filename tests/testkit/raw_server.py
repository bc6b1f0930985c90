# SPDX-License-Identifier: BSD-2-Clause
"""A server on loopback whose connections a test handles byte for byte."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable

Handle = Callable[[socket.socket], None]


class RawServer:
    """Hands each connection to `handle`, once its request is read, if `reads`; over TLS if `tls`."""

    def __init__(self, handle: Handle, *, tls: ssl.SSLContext | None = None, reads: bool = True) -> None:
        self.requests: list[bytes] = []
        self.accepted = 0  # connections
        self._handle = handle
        self._tls = tls
        self._reads = reads
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: Any) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _peer = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        wrapped = self._tls.wrap_socket if self._tls else lambda plain, **_: plain
        with connection, suppress(OSError), wrapped(connection, server_side=True) as stream:
            if self._reads:
                self.requests.append(_request_from(stream))
            self._handle(stream)


@contextmanager
def raw_server(handle: Handle) -> Iterator[str]:
    """Run a server; yield its base URL."""
    with RawServer(handle) as server:
        yield server.url


def _request_from(stream: socket.socket) -> bytes:
    """Return a whole request: what is not read when a connection is closed resets it."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += (piece := stream.recv(65536))
        if not piece or not read[:1].isalpha():  # it has left, or this is no HTTP
            return read
    length = re.search(rb"content-length: (\d+)", read, re.IGNORECASE)
    while length and len(read.partition(b"\r\n\r\n")[2]) < int(length[1]):
        read += stream.recv(65536)
    return read
