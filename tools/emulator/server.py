# SPDX-License-Identifier: BSD-2-Clause
"""The running server: a port, the worker processes that share it, and their clean end."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from . import control
from .faults import Connection
from .ledger import Ledger
from .openapi import DOCUMENT
from .service import Service

_BACKLOG = 2048


class Server(uvicorn.Server):
    """A server that reports when it accepts connections."""

    def __init__(self, ledger: Ledger, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application(ledger),
                http=Connection,
                loop="uvloop",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=0,  # whoever waits then meets a fault
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then report it."""
        await super().startup(sockets)
        self._ready()


def application(ledger: Ledger) -> Starlette:
    """Return the ASGI application over `ledger`: the service, its document, the control API."""
    return Starlette(
        routes=[
            Mount("/_emulator", routes=control.routes(ledger)),
            Route("/openapi.json", lambda _: JSONResponse(DOCUMENT)),
            Mount("/", Service(ledger)),
        ],
        exception_handlers={Exception: _report},
    )


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """Return `count` sockets that listen on one port of `host`, this machine; port 0 is any.

    Each worker gets a socket of its own, for the kernel then spreads connections evenly.
    """
    if count < 1:
        raise ValueError("at least one worker is needed")
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError("only a loopback host, such as 127.0.0.1, is served")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # One that does not share comes first: it refuses a port that another server has.
    alone = socket.create_server((str(address), port), family=family, backlog=_BACKLOG)
    if count == 1:
        return [alone]
    with alone:
        port = alone.getsockname()[1]
    return [
        socket.create_server((str(address), port), family=family, backlog=_BACKLOG, reuse_port=True)
        for _ in range(count)
    ]


def serve(
    listeners: list[socket.socket], database: str, ready: Callable[[], None], parent: int | None
) -> None:
    """Serve each of `listeners` in a process, until SIGTERM or SIGINT.

    `ready` is called once the server accepts connections. The end of what the descriptor `parent`
    reads, where it is passed, is the server's end too.
    """
    with _processes(len(listeners)) as number, closing(Ledger(database)) as ledger:
        listener = listeners.pop(number)
        for other in listeners:
            other.close()
        server = Server(ledger, (lambda: None) if number else ready)
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, server.handle_exit)
        if parent is not None:
            _end_with(parent)
        server.run([listener])


@contextmanager
def _processes(count: int) -> Iterator[int]:
    """Be `count` processes from here on, which end with the first; yield which one this is."""
    lifeline, held = os.pipe()
    children: list[int] = []
    for number in range(1, count):
        child = os.fork()
        if child == 0:
            os.close(held)
            _end_with(lifeline)
            try:
                yield number
            finally:
                os._exit(0)  # what the first process has opened is the first one's to clean up
        children.append(child)
    try:
        yield 0
    finally:
        for child in children:
            os.kill(child, signal.SIGTERM)
        for child in children:
            os.waitpid(child, 0)


def _end_with(pipe: int) -> None:
    """Stop this process when nobody holds the other end of `pipe` any more."""

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _report(_: Request, error: Exception) -> Response:
    traceback.print_exception(type(error), error, error.__traceback__)
    return PlainTextResponse("Internal Server Error", 500)
