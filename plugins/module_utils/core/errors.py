# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What can go wrong: a text for people, a `reason` for programs.

EchoValueError                    reason
├── InvalidInputError             invalid_input      refused before any request was sent
├── StoreError                    store              the place that keeps the token cannot be read or written
│   └── ConflictError             conflict           another writer changed the place meanwhile
├── NetworkError                  network            no answer came: not resolved, refused, reset, not trusted
│   └── RequestTimeoutError       timeout            no whole answer came in time
├── ServiceError                                     an answer came, but not the one that was hoped for
│   ├── UnauthorizedError         unauthorized       401: the service does not know the token
│   │   └── StoredTokenUnknownError                  ... which is the one that the place keeps
│   ├── PaymentRequiredError      payment_required   402: the token is valid, its wallet is empty
│   ├── RateLimitedError          rate_limited       429
│   ├── ServiceUnavailableError   unavailable        any 5xx
│   └── UnexpectedAnswerError     unexpected_answer  anything else, a login page or a broken body among it
└── AmbiguousMintError            ambiguous_mint     a mint was sent, and nobody can say whether it took place

No message, repr or traceback of these holds a token, a response body or a URL's query. The advice
names no option of Ansible or Pulumi: each of them adds its own by `explain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NOTHING_MINTED = "No token was minted, and nothing was changed."


class EchoValueError(Exception):
    """Base of all errors of this package: `str()` says what happened, then what to do next."""

    reason: str
    advice = ""
    service = ""  # the base URL that was requested, where the caller has noted it

    def __init__(self, what: str, advice: str | None = None) -> None:
        super().__init__(what)
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        return " ".join(part for part in (self.args[0], self.advice) if part)

    def explain(self, hints: Mapping[type[EchoValueError], str]) -> str:
        """Return the text and the hint for the nearest class of this error that has one."""
        hint = next((hints[kind] for kind in type(self).__mro__ if kind in hints), "")
        return " ".join(part for part in (str(self), hint) if part)


class InvalidInputError(EchoValueError):
    """A value that was passed is refused; no request was sent."""

    reason = "invalid_input"
    advice = "No request was sent."


class StoreError(EchoValueError):
    """The place that keeps the token cannot be read or written."""

    reason = "store"


class ConflictError(StoreError):
    """Another writer changed the place after it was read; what they put there stays."""

    reason = "conflict"
    advice = "What is there now is untouched. Run again."


class NetworkError(EchoValueError):
    """No answer came.

    `sent` says whether the request may have reached the service, `permanent` whether another
    try is of no use.
    """

    reason = "network"
    advice = "Nothing was changed. Check the network, the proxy and the service's address; then run again."

    def __init__(self, what: str, *, sent: bool, permanent: bool = False) -> None:
        super().__init__(what)
        self.sent = sent
        self.permanent = permanent


class RequestTimeoutError(NetworkError):
    """No whole answer came within the time-out."""

    reason = "timeout"
    advice = "Nothing was changed. Run again later."


class ServiceError(EchoValueError):
    """An answer other than the one hoped for; `status` is its HTTP status.

    `retry_after` is the time in seconds that the service requested to wait, if it did.
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

    reason = "unauthorized"
    advice = "Nothing was changed. Check that the token is whole and that this is the service that minted it."


class StoredTokenUnknownError(UnauthorizedError):
    """401 for the token that the place keeps."""

    advice = (
        "It was left as it is, and none was minted. Check that this is the service that minted it, "
        "or put the right token in its place."
    )


class PaymentRequiredError(ServiceError):
    """402: the token is valid, its wallet is empty."""

    reason = "payment_required"
    advice = "The token is valid: recharge its wallet by a recharge link. Nothing was changed."


class RateLimitedError(ServiceError):
    """429: too many requests, and the retries are used up."""

    reason = "rate_limited"
    advice = "Nothing was changed. Run again later."


class ServiceUnavailableError(ServiceError):
    """A 5xx, and the retries are used up."""

    reason = "unavailable"
    advice = "Nothing was changed, and the token is not doubted. Run again later."


class UnexpectedAnswerError(ServiceError):
    """An answer that the service does not give: a login page, a redirect, a broken body."""

    reason = "unexpected_answer"
    advice = "Nothing was changed. Check the service's address, and what is between here and the service."


class AmbiguousMintError(EchoValueError):
    """A mint was sent, and no answer said whether it took place; it is never repeated by itself."""

    reason = "ambiguous_mint"
    advice = (
        "A token may have been minted and lost, with only its free credits. Nothing was stored, "
        "and what was stored is untouched. Run again to mint another."
    )


def is_not_installed(library: str, error: Exception) -> bool:
    """Return whether an import failed since the library is not installed; else it is broken."""
    return isinstance(error, ModuleNotFoundError) and error.name == library


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error of a library and all that it wraps, in args, `reason`, cause and context."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        item = todo.pop()
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            todo += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
