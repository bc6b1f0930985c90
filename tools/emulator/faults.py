# SPDX-License-Identifier: BSD-2-Clause
"""Faults on demand: wrong answers, late ones, broken ones, none at all.

A fault acts at up to three points: before the work (`late`), on what the client receives (`status`,
`html`, `redirect`, `body`, `huge`) and on how the bytes reach it (`hang`, `drop`, `truncate`,
`trickle`). The last need the connection itself, which `Connection` puts into the ASGI scope.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.client import responses as phrases

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Receive, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_WORKING = {"late", "hang", "truncate", "trickle"}
_REPLACING = {"status", "html", "redirect", "body", "huge"}
KINDS = _WORKING | _REPLACING | {"drop"}

_LOGIN_PAGE = "<!doctype html><title>Log in</title><form>Password <input type=password></form>"
_CHUNK = 65_536


class Connection(HttpToolsProtocol):
    """A TCP connection that its requests can tell apart and break."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Number the connection; at random, for workers share no counter."""
        super().connection_made(transport)
        self.number = random.getrandbits(62)

    def on_message_begin(self) -> None:
        """Let the request find its connection."""
        super().on_message_begin()
        self.scope["extensions"] = {"connection": self}  # type: ignore[dict-item]

    def shutdown(self) -> None:
        """Close even when an answer is due: a hanging request must not hold up a stop."""
        super().shutdown()
        self.transport.close()


@dataclass(frozen=True)
class Fault:
    """One fault as the control API takes it; a kind uses the options that mean something to it."""

    kind: str
    after_work: bool | None = None  # whether the call is done; None: as usual for the kind
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    content_type: str = "text/plain"
    location: str = "/login"
    seconds: float = 1.0
    bytes: int = 10_000_000
    chunked: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of: {', '.join(sorted(KINDS))}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599")

    @property
    def works(self) -> bool:
        """Whether the call is done although the client may never hear of it."""
        return self.kind in _WORKING if self.after_work is None else self.after_work

    @property
    def delay(self) -> float:
        """Seconds to wait before the work."""
        return self.seconds if self.kind == "late" else 0.0

    @property
    def answers(self) -> bool:
        """Whether the client receives a status at all."""
        return self.kind not in {"hang", "drop"}

    def replace(self, real: Response | None) -> Response:
        """Return what to send the client, where `real` is the true answer if there is one."""
        if self.kind == "html":
            return HTMLResponse(self.body or _LOGIN_PAGE, self.status or 200, self.headers)
        if self.kind == "redirect":
            return Response(
                status_code=self.status or 302, headers={"location": self.location, **self.headers}
            )
        if self.kind == "huge":
            size = {} if self.chunked else {"content-length": str(self.bytes)}
            return StreamingResponse(
                _filler(self.bytes), self.status or 200, {**size, **self.headers}, self.content_type
            )
        if self.kind in _REPLACING or real is None:
            status = self.status or (200 if self.kind == "body" else 503)
            return Response(self._content(status, real), status, self.headers, self.content_type)
        return real

    def _content(self, status: int, real: Response | None) -> bytes:
        if self.body is not None:
            return self.body.encode("utf-8", "surrogateescape")  # "\udcff" is a byte that is no text
        if real and status < 300:
            return bytes(real.body)
        return phrases.get(status, "").encode()

    async def deliver(self, response: Response, request: Request, send: Send) -> None:
        """Send `response` as far as the fault lets it through."""
        if self.answers and self.kind not in {"truncate", "trickle"}:
            await response(request.scope, request.receive, send)
            return
        transport = request.scope["extensions"]["connection"].transport
        if self.kind == "truncate":
            transport.write(_raw(response)[: -max(1, len(response.body) // 2)])
        elif self.kind == "trickle":
            for byte in _raw(response):
                if transport.is_closing():
                    break
                transport.write(bytes([byte]))
                await asyncio.sleep(self.seconds)
        if self.kind != "hang":
            transport.close()
        await _gone(request.receive)


async def _filler(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // _CHUNK):
        yield b"x" * _CHUNK
    yield b"x" * (size % _CHUNK)


def _raw(response: Response) -> bytes:
    """Return the answer as it goes over the wire."""
    status = response.status_code
    lines = [f"HTTP/1.1 {status} {phrases.get(status, '')}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*lines, b"", b""]) + bytes(response.body)


async def _gone(receive: Receive) -> None:
    """Wait until the connection is closed; the server would answer 500 if a call ended before."""
    while (await receive())["type"] != "http.disconnect":
        pass
