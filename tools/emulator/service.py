# SPDX-License-Identifier: BSD-2-Clause
"""The service's calls, as its documentation gives them.

One request is one transaction: the work and its record are kept together or not at all, and only
then does the client hear of it. So every token that was answered is there after a crash.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import alerts
from .faults import Fault
from .ledger import FREE_CREDITS, Account, Ledger, Options, hash_of, timestamp

MINIMUM_TOKEN = 10
LOG_SIZES = {str(n) for n in range(1, 101)}
PRODUCTS = {"1": "emulator1million", "3": "emulator3million"}
CATEGORIES = {
    "/token": "token",
    "/token/logs": "token",
    "/token/settings": "settings",
    "/recharge": "service",
}
SETTINGS = {"low_balance_threshold": int, "low_balance_email": str, "low_balance_webhook": dict}
WEBHOOK = {"url": str, "headers": dict, "format": str, "template": dict, "options": dict}


@dataclass(frozen=True)
class Answer:
    """What a call comes to; `balance` is None when there is no wallet to speak of."""

    body: str
    status: int = 200
    media_type: str = "text/plain"
    cost: int = 0
    balance: int | None = None
    allow: str | None = None
    minted: bool = False


class RefusedError(Exception):
    """A call that ends in an error; what it has cost stays spent."""

    def __init__(self, status: int, text: str, cost: int = 0, balance: int | None = None) -> None:
        super().__init__(text)
        self.answer = Answer(text, status, cost=cost, balance=balance)


@dataclass(frozen=True)
class Visit:
    """A request that has come in whole."""

    request: Request
    body: bytes
    token: str  # empty when there is none
    token_hash: str
    options: Options
    began: float


class Service:
    """The ASGI application for everything that is not the control API."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.calls: dict[str, dict[str, Callable[[Visit], Answer]]] = {
            "/token": {"GET": self.get_wallet, "POST": self.mint},
            "/recharge": {"GET": self.recharge},
            "/token/logs": {"GET": self.get_logs},
            "/token/settings": {"GET": self.get_settings, "PUT": self.put_settings},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, through a fault when one waits for it."""
        request = Request(scope, receive)
        began = time.perf_counter()
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        options = self.ledger.options()
        fault = None
        if options.faulty:
            found = self.ledger.take_fault(f"{request.method} {scope['path']}")
            fault = Fault(**found) if found else None
        delay = options.latency + (fault.delay if fault else 0)
        if delay:
            await asyncio.sleep(delay)
        token = request.headers.get("x-token", "")
        visit = Visit(request, body, token, hash_of(token.encode("latin-1")), options, began)
        response = self.respond(visit, fault)
        if fault:
            await fault.deliver(response, request, send)
        else:
            await response(scope, receive, send)

    def respond(self, visit: Visit, fault: Fault | None) -> Response:
        """Do the call and write it down, in one transaction; return what to send the client."""
        alert = None
        with self.ledger.transaction():
            answer = self.work(visit) if fault is None or fault.works else None
            if answer and answer.cost:
                alert = alerts.due(self.ledger, visit.token_hash, answer.cost)
            response = _response(answer, visit.options) if answer else None
            if fault:
                response = fault.replace(response)
            assert response is not None
            reported = response.status_code if fault is None or fault.answers else None
            self.ledger.record(_entry(visit, answer or Answer(""), reported))
        if alert:
            alerts.send(self.ledger.path, alert, visit.options.webhook_ca)
        return response

    def work(self, visit: Visit) -> Answer:
        """Do the call that method and path name."""
        methods = self.calls.get(visit.request.scope["path"])
        if methods is None:
            return Answer("Not Found", 404)
        call = methods.get(visit.request.method)
        if call is None:
            return Answer("Method Not Allowed", 405, allow=", ".join(methods))
        try:
            return call(visit)
        except RefusedError as refused:
            return refused.answer

    # The calls

    def mint(self, visit: Visit) -> Answer:
        """POST /token: a new token with its free credits."""
        kind = visit.request.headers.get("content-type", "")
        is_form = kind.startswith("application/x-www-form-urlencoded")
        if not is_form or parse_qs(visit.body.decode("latin-1")).get("token") != ["new"]:
            raise RefusedError(400, "Bad Request")
        return Answer(self.ledger.mint(), balance=FREE_CREDITS, minted=True)

    def get_wallet(self, visit: Visit) -> Answer:
        """GET /token: the wallet, for one credit."""
        account = self.payer(visit)
        wallet = {"wallet": account.wallet, "created": account.created, "hash": visit.token_hash}
        return _json(account, wallet, 1)

    def recharge(self, visit: Visit) -> Answer:
        """GET /recharge: a payment link."""
        account = self.holder(visit)
        product = PRODUCTS.get(visit.request.query_params.get("amount", "1"))
        if product is None:
            raise RefusedError(400, "Bad Request", balance=account.wallet)
        reference = visit.token_hash if visit.options.links == "hash" else quote(visit.token, "")
        link = f"https://buy.stripe.com/{product}?client_reference_id={reference}"
        return Answer(link, balance=account.wallet)

    def get_logs(self, visit: Visit) -> Answer:
        """GET /token/logs: the newest requests made with the token, of one category or of all."""
        account = self.holder(visit)
        asked = visit.request.query_params.get("n", "5")
        if asked not in LOG_SIZES:
            raise RefusedError(400, "Bad Request", balance=account.wallet)
        category = visit.request.query_params.get("type") or None
        logs = self.ledger.logs(visit.token_hash, int(asked), category)
        return _json(account, {"logs": logs, "n": len(logs)}, 0)

    def get_settings(self, visit: Visit) -> Answer:
        """GET /token/settings: the low-balance alerts, for one credit."""
        account = self.payer(visit)
        return _json(account, json.loads(account.settings), 1)

    def put_settings(self, visit: Visit) -> Answer:
        """PUT /token/settings: new low-balance alerts, for one credit even when refused."""
        account = self.payer(visit)
        try:
            settings = json.loads(visit.body)
        except (ValueError, RecursionError):
            settings = None
        if not _valid(settings):
            raise RefusedError(400, "Bad Request", 1, account.wallet)
        if visit.options.put == "merge":
            settings = {**json.loads(account.settings), **settings}
        if settings.get("low_balance_email") == "":
            del settings["low_balance_email"]
        self.ledger.set_settings(visit.token_hash, json.dumps(settings))
        return Answer("OK", cost=1, balance=account.wallet)

    # Who calls

    def holder(self, visit: Visit) -> Account:
        """Return the account of the token that calls, or refuse it."""
        account = self.ledger.account(visit.token_hash)
        if account is None or len(visit.token) < MINIMUM_TOKEN:
            raise RefusedError(401, "Unauthorized")
        return account

    def payer(self, visit: Visit) -> Account:
        """Return the account after it paid one credit, or refuse it."""
        self.holder(visit)
        account = self.ledger.spend(visit.token_hash)
        if account is None:
            raise RefusedError(402, "Insufficient credits", balance=0)
        return account


def _json(account: Account, value: Any, cost: int) -> Answer:
    return Answer(json.dumps(value), media_type="application/json", cost=cost, balance=account.wallet)


def _response(answer: Answer, options: Options) -> Response:
    headers = {"allow": answer.allow} if answer.allow else {}
    if options.balance_headers and answer.balance is not None:
        headers.update({"x-balance": str(answer.balance), "x-cost": str(answer.cost)})
    return Response(answer.body, answer.status, headers, answer.media_type)


def _entry(visit: Visit, answer: Answer, reported: int | None) -> dict[str, Any]:
    scope = visit.request.scope
    return {
        "timestamp": timestamp(),
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "header_names": b" ".join([name for name, _ in scope["headers"]]).decode("latin-1"),
        "user_agent": visit.request.headers.get("user-agent"),
        "token_hash": visit.token_hash if visit.token else None,
        "connection": scope["extensions"]["connection"].number,
        "status": reported,
        "endpoint": CATEGORIES.get(scope["path"]),
        "status_code": answer.status,
        "error": answer.body if answer.status >= 400 else None,
        "milliseconds": round((time.perf_counter() - visit.began) * 1000),
        "minted": answer.minted,
        "cost": answer.cost,
        "balance": answer.balance,
    }


def _valid(settings: Any) -> bool:
    """Say whether `settings` is what the document's schema `Settings` describes."""
    if not isinstance(settings, dict) or not settings.keys() <= SETTINGS.keys():
        return False
    if not all(type(value) is SETTINGS[name] for name, value in settings.items()):
        return False
    webhook = settings.get("low_balance_webhook", {"url": "https://"})
    return (
        settings.get("low_balance_threshold", 0) >= 0
        and all(type(value) is WEBHOOK.get(name) for name, value in webhook.items())
        and webhook.get("url", "").startswith("https://")
        and webhook.get("format", "slack") in alerts.FORMATS
        and all(type(value) is str for value in webhook.get("headers", {}).values())
    )
