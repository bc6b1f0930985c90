# SPDX-License-Identifier: BSD-2-Clause
"""The control API under `/_emulator`: see what happened, set what shall happen.

It is not part of the service: not in its document, not counted, never faulted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .faults import Fault
from .ledger import Ledger


def routes(ledger: Ledger) -> list[Route]:
    """Return the routes of the control API over `ledger`."""
    calls: list[tuple[str, str, Callable[[Ledger, Request, Any], Any]]] = [
        ("GET", "/stats", lambda *_: ledger.stats()),
        ("DELETE", "/stats", lambda *_: ledger.reset_stats()),
        ("GET", "/requests", lambda *_: ledger.requests()),
        ("GET", "/alerts", lambda *_: ledger.alerts()),
        ("POST", "/faults", _add_faults),
        ("DELETE", "/faults", lambda *_: ledger.clear_faults()),
        ("GET", "/tokens", lambda *_: ledger.tokens()),
        ("POST", "/tokens", _register),
        ("PUT", "/tokens/{hash}", _set_account),
        ("DELETE", "/tokens/{hash}", _forget),
        ("POST", "/tokens/{hash}/calls", _add_call),
        ("PUT", "/options", _set_options),
    ]
    return [Route(path, partial(_answer, ledger, call), methods=[method]) for method, path, call in calls]


async def _answer(ledger: Ledger, call: Callable[[Ledger, Request, Any], Any], request: Request) -> Response:
    """Answer with what `call` returns as JSON; 404 for an unknown token, 400 for bad data."""
    try:
        body = await request.body()
        result = call(ledger, request, json.loads(body) if body else None)
    except LookupError:
        return PlainTextResponse("Unknown token", 404)
    except (AttributeError, TypeError, ValueError, sqlite3.IntegrityError) as error:
        # These name the argument or the rule that was broken, never a value.
        return PlainTextResponse(str(error), 400)
    return Response(status_code=204) if result is None else JSONResponse(result)


def _add_faults(ledger: Ledger, _: Request, data: Any) -> None:
    faults = data if isinstance(data, list) else [data]
    for number, fault in enumerate(faults):
        options = dict(fault)
        call, times = options.pop("call", "*"), options.pop("times", 1)
        Fault(**options)  # refuses what is not a fault
        faults[number] = (call, times, options)
    with ledger.transaction():
        for fault in faults:
            ledger.add_fault(*fault)


def _register(ledger: Ledger, _: Request, data: Any) -> dict[str, str]:
    return {"hash": ledger.register(**data)}


def _set_account(ledger: Ledger, request: Request, data: Any) -> None:
    if not ledger.set_account(request.path_params["hash"], **data):
        raise LookupError


def _forget(ledger: Ledger, request: Request, _: Any) -> None:
    if not ledger.forget(request.path_params["hash"]):
        raise LookupError


def _add_call(ledger: Ledger, request: Request, data: Any) -> None:
    ledger.add_call(request.path_params["hash"], **data)


def _set_options(ledger: Ledger, _: Request, data: Any) -> None:
    ledger.set_options(**data)
