# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""When a request is sent again: where that may help, and can do no harm."""

from __future__ import annotations

import email.utils
import random
import time
from typing import Callable

from .errors import (
    NetworkError,
    PaymentRequiredError,
    RateLimitedError,
    ServiceError,
    ServiceUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from .messages import Request, Response, Transport

_FIRST_DELAY = 0.5  # seconds before the first retry; doubled each time
_DOUBLINGS = 9  # are enough for the longest
_LONGEST_DELAY = 30.0  # seconds; caps the doubling and what Retry-After requests


class Retrying:
    """Sends requests, each with `retries` retries; several threads may share it.

    `sleep` and `clock` are seams for tests.
    """

    def __init__(self, retries: int, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._retries = retries
        self._sleep = sleep
        self._clock = clock
        self._resume_at = 0.0  # until then a 429 keeps all threads quiet

    def send(self, transport: Transport, request: Request) -> Response:
        """Return the response if its status is 200; raise NetworkError or ServiceError."""
        tries = 0
        while True:
            error: NetworkError | ServiceError
            quiet = self._resume_at - self._clock()
            if quiet > 0:
                self._sleep(quiet)
            try:
                answer = transport(request)
            except (NetworkError, ServiceError) as caught:
                error = caught
            else:
                if answer.status == 200:
                    return answer
                error = _error_of(answer)
            delay = _delay(tries, error)
            if isinstance(error, RateLimitedError):  # all others are to be quiet too
                self._resume_at = max(self._resume_at, self._clock() + delay)
            if tries >= self._retries or not _may_repeat(request.method, error):
                raise error
            if not isinstance(error, RateLimitedError):
                self._sleep(delay)
            tries += 1


def _may_repeat(method: str, error: NetworkError | ServiceError) -> bool:
    """Return whether a retry may help, and can do no harm: a POST mints, all else is idempotent."""
    if isinstance(error, NetworkError):
        helps = not error.permanent
    else:
        helps = isinstance(error, (RateLimitedError, ServiceUnavailableError))
    return helps and (method != "POST" or had_no_effect(error))


def had_no_effect(error: NetworkError | ServiceError) -> bool:
    """Return whether the failed request provably had no effect: never sent, rejected, or redirected."""
    if isinstance(error, NetworkError):
        return not error.sent
    # 408 and 499 are of proxies that gave up, while the service may have gone on.
    return error.status == 503 or (300 <= error.status < 500 and error.status not in (408, 499))


def _delay(tries: int, error: NetworkError | ServiceError) -> float:
    """Exponential backoff with jitter, so that many callers spread; at least Retry-After; capped."""
    backoff = _FIRST_DELAY * 2.0 ** min(tries, _DOUBLINGS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret in it
    asked = getattr(error, "retry_after", None) or 0.0
    return min(max(backoff, asked), _LONGEST_DELAY)


def _error_of(answer: Response) -> ServiceError:
    what = f"The service answered HTTP {answer.status}."
    if 300 <= answer.status < 400:
        what = f"The service answered HTTP {answer.status}, a redirect, which was not followed."
    kind: type[ServiceError] = {
        401: UnauthorizedError,
        402: PaymentRequiredError,
        429: RateLimitedError,
    }.get(answer.status, ServiceUnavailableError if answer.status >= 500 else UnexpectedAnswerError)
    return kind(what, status=answer.status, retry_after=_retry_after(answer))


def _retry_after(answer: Response) -> float | None:
    """Return the seconds that Retry-After requests, in seconds or as an HTTP date."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
