# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What many tokens in one task have in common: a service that is away, and a list of failures."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..core.errors import (
    AmbiguousMintError,
    EchoValueError,
    NetworkError,
    ServiceUnavailableError,
    StoreError,
)

_MOST_LISTED = 5  # failures that the message lists one by one
_OUTAGE = 60.0  # seconds of nothing but failures to reach the service, after which the rest is not tried


class Outage:
    """Notes how long the service has been away: the retries of all tokens could add up to hours."""

    def __init__(self) -> None:
        self._since: float | None = None

    def note(self, error: EchoValueError | None) -> None:
        """Take note of how a token ended."""
        if not isinstance(error, (NetworkError, ServiceUnavailableError, AmbiguousMintError)):
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()

    def check(self) -> None:
        """Raise NetworkError where no token has ended otherwise for `_OUTAGE` seconds."""
        since = self._since
        if since is not None and time.monotonic() - since >= _OUTAGE:
            raise NetworkError(
                f"It was not tried, since the service could not be reached for {_OUTAGE:g} s.", sent=False
            )


def unforeseen(error: Exception) -> StoreError:
    """Return the error for a fault of ours, whose text may hold anything."""
    fault = f"An unforeseen {type(error).__name__} stopped it."
    return StoreError(fault, "Please report it: it is a fault of this software.")


def listed(texts: Sequence[str], where: str) -> str:
    """Return the texts of failures as one, the first of them; all are in the result's `where`."""
    more = len(texts) - _MOST_LISTED
    return " | ".join(texts[:_MOST_LISTED]) + (f" | and {more} more, listed in {where}." if more > 0 else "")
