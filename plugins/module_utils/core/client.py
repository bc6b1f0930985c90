# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The calls of the EchoValue service: one request path, and a check of all that comes back."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable
from urllib.parse import unquote, unquote_plus, urlencode, urlsplit

from .errors import (
    AmbiguousMintError,
    InvalidInputError,
    NetworkError,
    PaymentRequiredError,
    ServiceError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from .messages import Request, Response, Transport
from .models import (
    Alert,
    Probe,
    RechargeLink,
    Wallet,
    check_token,
    is_int,
    read_token,
    set_fields,
    token_hash,
)
from .retry import Retrying, had_no_effect
from .service_url import DEFAULT_BASE_URL, ServiceUrl, is_host

DEFAULT_TIMEOUT = 10.0  # seconds
MAX_TIMEOUT = 86_400.0  # seconds; of some weeks the system makes an error
DEFAULT_CONNECTIONS = 8  # open at a time
DEFAULT_RETRIES = 4
AMOUNTS = (1, 3)  # million operations that a recharge link can be for
MAX_LOGS = 100  # entries of the log that one request can ask for

_WEB_PAGE = re.compile(rb"\s*<(!doctype|\?xml|html|head|body|meta|script)\b", re.IGNORECASE)


def check_amount(amount: object) -> None:
    """Raise InvalidInputError where a recharge link cannot be for `amount` million operations."""
    if not is_int(amount) or amount not in AMOUNTS:
        raise InvalidInputError("amount must be 1 or 3 (million operations).")


def check_timeout(timeout: float, name: str = "timeout") -> None:
    """Raise InvalidInputError for a time-out that nobody can wait for; `name` is how it was passed."""
    if not 0 < timeout <= MAX_TIMEOUT:
        raise InvalidInputError(f"{name} must be a number of seconds above 0, and {MAX_TIMEOUT:g} at most.")


class EchoValueClient:
    """A client of one EchoValue service; several threads may share it.

    `base_url` see ServiceUrl; `timeout` in seconds for one whole exchange; `retries` is the number
    of retries; `verify`, `proxies` and `connections` see transport.HttpTransport.
    `transport`, `sleep` and `clock` are seams for tests. `close` ends its connections.

    All calls raise the errors of errors.py.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_BASE_URL,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        connections: int = DEFAULT_CONNECTIONS,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = ServiceUrl.parse(base_url)
        check_timeout(timeout)
        if retries < 0:
            raise InvalidInputError("retries must be 0 or more.")
        if connections < 1:
            raise InvalidInputError("There must be 1 or more connections at a time.")
        self._timeout = timeout
        self._transport_options: dict[str, Any] = {
            "verify": verify,
            "proxies": proxies,
            "connections": connections,
        }
        self._transport = transport
        self._transport_lock = threading.Lock()
        self._close: Callable[[], None] = lambda: None
        self._retrying = Retrying(retries, sleep, clock)

    @property
    def base_url(self) -> str:
        """The service's normalised base URL."""
        return str(self._url)

    def close(self) -> None:
        """End the connections that this client opened."""
        self._close()

    def create_token(self) -> str:
        """Mint a token and return it; free.

        Sent again only where it cannot have minted; any doubt is an AmbiguousMintError.
        """
        try:
            answer = self._request("POST", "/token", form={"token": "new"})
            token = read_token(_text(answer))
            if token is None:
                raise _unexpected(answer, "what it sent as a new token is not a token")
        except (NetworkError, ServiceError) as error:
            if had_no_effect(error):
                raise
            raise AmbiguousMintError(error.args[0]) from None
        return token

    def get_wallet(self, token: str, *, details: bool = True) -> Wallet:
        """Return the wallet of `token`.

        With `details` it is read whole, for 1 credit; without, the free probe reports only the balance.
        An empty wallet (402) is an answer: `wallet` 0, `created` None.
        """
        token = check_token(token)
        if not details:
            return Wallet(self._read_balance(token), None, token_hash(token), 0)
        try:
            answer = self._request("GET", "/token", headers=_authorized(token))
        except PaymentRequiredError:
            return Wallet(0, None, token_hash(token), 0)
        data = _json(answer)
        wallet = data.get("wallet")
        if not is_int(wallet):
            raise _unexpected(answer, "the wallet it sent has no whole number of credits")
        if data.get("hash") != token_hash(token):
            raise _unexpected(answer, "the wallet it sent is not of the requested token")
        created = data.get("created")
        return Wallet(
            wallet, created if isinstance(created, str) else None, data["hash"], _cost_of_paid(answer)
        )

    def get_recharge_link(self, token: str, amount: int = 1) -> RechargeLink:
        """Return a payment link for `amount` (1 or 3) million operations; free."""
        check_amount(amount)
        token = check_token(token)
        answer = self._request("GET", "/recharge", headers=_authorized(token), query={"amount": str(amount)})
        url = _text(answer)
        if not is_https_url(url):
            raise _unexpected(answer, "what it sent as a payment link is no https URL")
        return RechargeLink(
            url=url,
            amount=amount,
            balance=_credits(answer, "x-balance"),
            contains_token=any(token in text for text in (url, unquote(url), unquote_plus(url))),
        )

    def probe(self, token: str) -> Probe:
        """Return whether the service knows `token`, and its balance; free.

        401 means unknown. Anything else than an answer of `_read_balance` is *not known*, and raised.
        """
        try:
            return Probe(True, self._read_balance(token))
        except UnauthorizedError:
            return Probe(False)

    def _read_balance(self, token: str) -> int | None:
        """Return the balance of a valid token, by requesting a recharge link: a link or 402 mean valid."""
        try:
            return self.get_recharge_link(token).balance
        except PaymentRequiredError:
            return 0

    def get_settings(self, token: str) -> tuple[Alert, int]:
        """Return the low-balance alert of `token`, and the credits that this took: 1."""
        answer = self._request("GET", "/token/settings", headers=_authorized(token))
        data = _json(answer)
        threshold = data.get("low_balance_threshold") or 0
        email = data.get("low_balance_email") or ""
        webhook = data.get("low_balance_webhook") or {}
        if not is_int(threshold) or not isinstance(email, str) or not isinstance(webhook, dict):
            raise _unexpected(answer, "the settings it sent have not the form of settings")
        return Alert(threshold, email, set_fields(webhook) or None), _cost_of_paid(answer)

    def put_settings(self, token: str, alert: Alert, *, clear_email: bool = False) -> int:
        """Set the low-balance alert of `token`; return the credits that this took: 1.

        `clear_email` says that there is an e-mail address to be cleared. Sent again like a reading,
        since it is idempotent, though each try may take the credit.
        """
        settings: dict[str, Any] = {"low_balance_threshold": alert.threshold}
        if alert.email or clear_email:
            settings["low_balance_email"] = alert.email
        if alert.webhook:
            settings["low_balance_webhook"] = alert.webhook
        try:
            answer = self._request("PUT", "/token/settings", headers=_authorized(token), json=settings)
            _text(answer)
        except (NetworkError, ServiceError) as error:
            if not had_no_effect(error):
                error.advice = "Nobody can say whether the alert was set. Run again: it is read first."
            elif isinstance(error, ServiceError) and error.status == 400:
                error.advice = (
                    "It refuses this threshold or webhook. Nothing was changed; the refusal may have "
                    "cost 1 credit."
                )
            raise
        return _cost_of_paid(answer)

    def get_logs(self, token: str, n: int = 5, category: str | None = None) -> list[dict[str, Any]]:
        """Return the newest `n` (1 to 100) entries of the service's log of `token`, as it sent them; free.

        `category`, such as `token` or `kv`, is the one that their `endpoint` has.
        """
        if not is_int(n) or not 1 <= n <= MAX_LOGS:
            raise InvalidInputError(f"n must be from 1 to {MAX_LOGS}.")
        query = {"n": str(n), **({"type": category} if category else {})}
        answer = self._request("GET", "/token/logs", headers=_authorized(token), query=query)
        logs = _json(answer).get("logs")
        if not isinstance(logs, list) or not all(isinstance(entry, dict) for entry in logs):
            raise _unexpected(answer, "the log it sent has not the form of a log")
        return logs

    def _request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Response:
        """Send a request, again where that is safe, and return the answer if its status is 200."""
        request = Request(
            method,
            f"{self._url}{path}" + (f"?{urlencode(query)}" if query else ""),
            self._timeout,
            headers or {},
            form,
            json,
        )
        return self._retrying.send(self._connect(), request)

    def _connect(self) -> Transport:
        with self._transport_lock:
            if self._transport is None:
                # Only here: requests takes long to import, and a run that sends no request does without.
                from .transport import HttpTransport

                self._transport = transport = HttpTransport(self._url, **self._transport_options)
                self._close = transport.close
            return self._transport


def is_https_url(text: str) -> bool:
    """Return whether `text` is a URL that starts with https:// and a host."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme == "https" and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # of brackets, or of the port
        return False


def _authorized(token: str) -> dict[str, str]:
    return {"x-token": check_token(token)}


def _credits(answer: Response, header: str) -> int | None:
    """Return a header's whole number; older deployments do not send it."""
    value = answer.headers.get(header, "").strip()
    digits = value[1:] if value.startswith("-") else value
    return int(value) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def _cost_of_paid(answer: Response) -> int:
    """Return the credits that a paid call took; an older deployment does not report them, and takes 1."""
    cost = _credits(answer, "x-cost")
    return 1 if cost is None else cost


def _json(answer: Response) -> dict[str, Any]:
    """Return a body that is a JSON object."""
    try:
        data = json.loads(_text(answer))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _unexpected(answer, "what it sent is no JSON object")
    return data


def _text(answer: Response) -> str:
    """Return a body as text, without line ends behind it; a page for people is not an answer."""
    if "html" in answer.headers.get("content-type", "").lower() or _WEB_PAGE.match(answer.body):
        raise _unexpected(answer, "it sent a web page, as a login page or a proxy does")
    try:
        return answer.body.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _unexpected(answer, "what it sent is no text") from None


def _unexpected(answer: Response, why: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"The service answered HTTP {answer.status}, but {why}.", status=answer.status
    )
