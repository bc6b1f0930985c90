# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The adapter of requests that HttpTransport sends through: its time-out bounds a whole exchange.

It also notes whether a request began to leave: what failed before that cannot have minted.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from typing import Any

_OLDEST = (2, 25)  # of requests
missing: ImportError | None = None  # why requests cannot be used
try:
    import requests
    from requests.adapters import HTTPAdapter

    if tuple(map(int, requests.__version__.split(".")[:2])) < _OLDEST:
        missing = ImportError(f"{requests.__version__} is older than {'.'.join(map(str, _OLDEST))}")
except Exception as error:  # noqa: BLE001 - not installed, or broken: HttpTransport raises it
    missing = error if isinstance(error, ImportError) else ImportError(f"{type(error).__name__}: {error}")
    HTTPAdapter = object  # type: ignore[assignment,misc]

# Whether the exchange under way in this thread has begun to send its request.
exchange = threading.local()


class _DeadlineReader(io.RawIOBase):
    """Reads a socket with what is left of the time-out, so that one byte at a time ends too."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response whose read time-out, as urllib3 set it on the socket, bounds all reads together."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _ExchangeMixin:
    """Notes when a request starts to leave; what failed before that cannot have minted."""

    response_class: Any = _DeadlineResponse

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            exchange.sent = False  # a proxy's CONNECT is not the request

    def send(self, data: Any) -> None:
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()
        exchange.sent = True
        super().send(data)  # type: ignore[misc]


def _noting(pool: Any) -> Any:
    """Return a class of pools like `pool`, whose connections note when a request leaves."""
    if issubclass(pool.ConnectionCls, _ExchangeMixin):
        return pool
    connection = type(pool.ConnectionCls.__name__, (_ExchangeMixin, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def _note_all(manager: Any) -> Any:
    """Make a manager of connections, direct or through any kind of proxy, use such pools; return it."""
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _noting(pool) for scheme, pool in pools.items()}
    return manager


class Adapter(HTTPAdapter):
    """Makes requests use the connections above, directly and through proxies."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _note_all(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        return _note_all(super().proxy_manager_for(proxy, **kwargs))
