# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""How a failed task reports an error: `msg` for people, with the options that help; `reason`."""

from __future__ import annotations

from ..core.errors import (
    EchoValueError,
    NetworkError,
    PaymentRequiredError,
    RateLimitedError,
    RequestTimeoutError,
    StoredTokenUnknownError,
    UnauthorizedError,
    UnexpectedAnswerError,
    is_not_installed,
)

# The core's own advice names no option.
_HINTS: dict[type[EchoValueError], str] = {
    NetworkError: "The options are base_url, ca_path and validate_certs.",
    RequestTimeoutError: "Or raise timeout.",
    RateLimitedError: "Or raise retries, or lower concurrency.",
    UnauthorizedError: "The option is base_url.",
    UnexpectedAnswerError: "The option is base_url.",
    PaymentRequiredError: "Make one with echovalue.cloud.echovalue_recharge_link.",
    StoredTokenUnknownError: "If the token is truly gone, set regenerate: if_invalid, which mints a new "
    "one in its place, and keeps the old one as a backup.",
}


def cause_of_import(library: str, error: ImportError) -> str:
    """Return a sentence on why an installed library cannot be imported; "" where it is not installed."""
    if is_not_installed(library, error):
        return ""
    return f" It is installed, and cannot be used: {error}."


def failure(error: EchoValueError) -> dict[str, str]:
    """Return `msg` and `reason` of a failed result."""
    return {"msg": error.explain(_HINTS), "reason": error.reason}
