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

    def known(found: bool) -> None:
        if not found:
            raise LookupError

    # Each call gets the hash in the path, if one is, and the data.
    calls: list[tuple[str, str, Callable[[str, Any], Any]]] = [
        ("GET", "/stats", lambda *_: ledger.stats()),
        ("DELETE", "/stats", lambda *_: ledger.reset_stats()),
        ("GET", "/requests", lambda *_: ledger.requests()),
        ("GET", "/alerts", lambda *_: ledger.alerts()),
        ("POST", "/faults", lambda _, data: _add_fault(ledger, **data)),
        ("DELETE", "/faults", lambda *_: ledger.clear_faults()),
        ("GET", "/tokens", lambda *_: ledger.tokens()),
        ("POST", "/tokens", lambda _, data: {"hash": ledger.register(**data)}),
        ("PUT", "/tokens/{hash}", lambda digest, data: known(ledger.set_account(digest, **data))),
        ("DELETE", "/tokens/{hash}", lambda digest, _: known(ledger.forget(digest))),
        ("POST", "/tokens/{hash}/calls", lambda digest, data: ledger.add_call(digest, **data)),
        ("PUT", "/options", lambda _, data: ledger.set_options(**data)),
    ]
    return [Route(path, partial(_answer, call), methods=[method]) for method, path, call in calls]


async def _answer(call: Callable[[str, Any], Any], request: Request) -> Response:
    """Answer with what `call` returns as JSON; 404 for an unknown token, 400 for bad data."""
    try:
        body = await request.body()
        result = call(request.path_params.get("hash", ""), json.loads(body) if body else None)
    except LookupError:
        return PlainTextResponse("Unknown token", 404)
    except (AttributeError, TypeError, ValueError, sqlite3.IntegrityError) as error:
        # These name the argument or the rule that was broken, never a value.
        return PlainTextResponse(str(error), 400)
    return Response(status_code=204) if result is None else JSONResponse(result)


def _add_fault(ledger: Ledger, call: str = "*", times: int = 1, **options: Any) -> None:
    Fault(**options)  # refuses what is not a fault
    ledger.add_fault(call, times, options)
