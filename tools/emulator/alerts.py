# SPDX-License-Identifier: BSD-2-Clause
"""The low-balance alert: when it is due, what it says in each format, how it is sent.

A message has the form that its receiver documents. It goes only to a webhook on this machine: what
a test has put in as an example must reach nobody. E-mail is written down, not sent.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .ledger import Ledger

_TIMEOUT = 10  # seconds, as the service gives a webhook

Webhook = dict[str, Any]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Alert:
    """An alert for a webhook; the ledger knows it by `number`."""

    number: int
    webhook: Webhook
    facts: Facts


def due(ledger: Ledger, token_hash: str, cost: int) -> Alert | None:
    """Write down the alert that a call of `cost` has brought about; return it if there is a webhook."""
    account = ledger.fell_low(token_hash, cost)
    if account is None:
        return None
    settings = json.loads(account.settings)
    webhook = settings.get("low_balance_webhook")
    threshold = settings["low_balance_threshold"]
    facts = {"wallet": account.wallet, "threshold": threshold, "token_hash": token_hash}
    reported = {"email": settings.get("low_balance_email"), "webhook_host": webhook and _host(webhook)}
    number = ledger.add_alert({**facts, **reported})
    return Alert(number, webhook, facts) if webhook else None


def send(database: str, alert: Alert, ca: str) -> None:
    """Send `alert` in the background, once, and write down in `database` what came of it."""

    def work() -> None:
        try:
            status, error = _post(alert.webhook, message(alert.webhook, alert.facts), ca), None
        except (OSError, ValueError, http.client.HTTPException) as caught:
            status, error = None, f"{type(caught).__name__}: {caught}"
        with closing(Ledger(database)) as ledger:
            ledger.end_alert(alert.number, status, error)

    threading.Thread(target=work, daemon=True).start()  # a webhook that hangs holds up no stop


def message(webhook: Webhook, facts: Facts) -> Any:
    """Return the JSON value that `webhook` receives."""
    chosen = webhook.get("format")
    return FORMATS[chosen](webhook, facts) if chosen else facts


def _host(webhook: Webhook) -> str | None:
    try:
        return urlsplit(webhook["url"]).hostname
    except ValueError:
        return None


def _text(facts: Facts) -> str:
    return (
        f"EchoValue: {facts['wallet']} credits are left, under the threshold of {facts['threshold']},"
        f" for the token with the hash {facts['token_hash']}."
    )


def _pagerduty(webhook: Webhook, facts: Facts) -> Any:
    payload = {"summary": _text(facts), "source": "echovalue", "severity": "warning", "custom_details": facts}
    return {**webhook.get("options", {}), "event_action": "trigger", "payload": payload}


def _custom(webhook: Webhook, facts: Facts) -> Any:
    text = json.dumps(webhook.get("template", facts))
    for name, value in facts.items():
        text = text.replace(f"{{{{{name}}}}}", str(value))
    return json.loads(text)


FORMATS: dict[str, Callable[[Webhook, Facts], Any]] = {
    "slack": lambda _, facts: {"text": _text(facts)},
    "discord": lambda _, facts: {"content": _text(facts)},
    "teams": lambda _, facts: {"text": _text(facts)},
    "telegram": lambda webhook, facts: {**webhook.get("options", {}), "text": _text(facts)},
    "pagerduty": _pagerduty,
    "custom": _custom,
}


def _post(webhook: Webhook, value: Any, ca: str) -> int:
    host = _host(webhook) or ""
    if not ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
        raise ValueError("nothing is sent to a host that is not this machine")
    parts = urlsplit(webhook["url"])
    context = ssl.create_default_context(cafile=ca or None)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"content-type": "application/json", **webhook.get("headers", {})}
    with closing(
        http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT, context=context)
    ) as connection:
        connection.request("POST", target, json.dumps(value), headers)
        return connection.getresponse().status
