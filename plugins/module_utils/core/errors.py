# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong, told so that a person knows what to do next.

EchoValueError
├── InvalidInputError            refused before any request was sent
├── StoreError                   the place that keeps the token cannot be read or written
├── NetworkError                 no answer came: not resolved, refused, reset, not trusted
│   └── RequestTimeoutError      no whole answer came in time
├── ServiceError                 an answer came, but not the one that was hoped for
│   ├── UnauthorizedError        401: the service does not know the token
│   ├── PaymentRequiredError     402: the token is valid, its wallet is empty
│   ├── RateLimitedError         429
│   ├── ServiceUnavailableError  500, 502, 503, 504
│   └── UnexpectedAnswerError    anything else, a login page or a broken body among it
└── AmbiguousMintError           a mint was sent, and nobody can say whether it took place

No message, repr or traceback of these holds a token, a response body or a URL's query.
"""

from __future__ import annotations


class EchoValueError(Exception):
    """Base of all errors of this package: `str()` says what happened, then what to do next."""

    advice = ""

    def __init__(self, what: str, advice: str | None = None) -> None:
        super().__init__(what)
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        return " ".join(part for part in (self.args[0], self.advice) if part)


class InvalidInputError(EchoValueError):
    """A value that was given is refused; no request was sent."""


class StoreError(EchoValueError):
    """The place that keeps the token cannot be read or written."""


class NetworkError(EchoValueError):
    """No answer came.

    `sent` tells whether the request may have reached the service, `permanent` whether a further
    try is of no use.
    """

    advice = "Nothing was changed. Check the network, the proxy variables and base_url; then run again."

    def __init__(self, what: str, *, sent: bool, permanent: bool = False) -> None:
        super().__init__(what)
        self.sent = sent
        self.permanent = permanent


class RequestTimeoutError(NetworkError):
    """No whole answer came within the time-out."""

    advice = "Nothing was changed. Run again later, or raise timeout."


class ServiceError(EchoValueError):
    """An answer other than the one hoped for; `status` is its HTTP status.

    `retry_after` is the time in seconds that the service asked to wait, if it did.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        retry_after: float | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(what, advice)
        self.status = status
        self.retry_after = retry_after


class UnauthorizedError(ServiceError):
    """401: the service does not know this token."""

    advice = "Check that the token is whole and belongs to this base_url. Nothing was changed."


class PaymentRequiredError(ServiceError):
    """402: the token is valid, its wallet is empty."""

    advice = "The token is valid: recharge its wallet by a recharge link. Nothing was changed."


class RateLimitedError(ServiceError):
    """429: too many requests, and the further tries are used up."""

    advice = "Nothing was changed. Run again later, or raise retries."


class ServiceUnavailableError(ServiceError):
    """500, 502, 503 or 504, and the further tries are used up."""

    advice = "Nothing was changed, and the token is not doubted. Run again later."


class UnexpectedAnswerError(ServiceError):
    """An answer that the service does not give: a login page, a redirect, a broken body."""

    advice = "Nothing was changed. Check base_url, and what stands between here and the service."


class AmbiguousMintError(EchoValueError):
    """A mint was sent, and no answer told whether it took place; it is never repeated by itself."""

    advice = (
        "A token may have been minted and lost, with its free credits alone. Nothing was stored, "
        "and what was stored is untouched. Run again to mint another."
    )
