# SPDX-License-Identifier: BSD-2-Clause
"""What a user of Pulumi is told of a failure: what the core says, and a hint of Pulumi's own."""

from __future__ import annotations

from collections.abc import Mapping

from .._shared.module_utils.core.errors import (
    EchoValueError,
    NetworkError,
    PaymentRequiredError,
    UnauthorizedError,
    UnexpectedAnswerError,
)

_ADDRESS = (
    "The service's address comes from the program, else from the stack's config echovalue:baseUrl, "
    "else from ECHOVALUE_BASE_URL."
)
HINTS: Mapping[type[EchoValueError], str] = {
    NetworkError: _ADDRESS,
    PaymentRequiredError: "get_recharge_link, in other languages getRechargeLink, gives one.",
    UnauthorizedError: _ADDRESS,
    UnexpectedAnswerError: _ADDRESS,
}
# For a question about a token that the stack keeps.
KEPT_TOKEN_HINTS: Mapping[type[EchoValueError], str] = {
    **HINTS,
    UnauthorizedError: (
        "If the service truly lost it, `pulumi refresh` marks it as gone, and the next `pulumi up` "
        "replaces it."
    ),
}


def tell(error: Exception, where: str, hints: Mapping[type[EchoValueError], str] = HINTS) -> str:
    """Return all that a person may see of a failure in the method `where`."""
    if isinstance(error, EchoValueError):
        return error.explain(hints)
    # Its text may hold anything.
    return (
        f"{type(error).__name__} in {where}: a fault of pulumi-echovalue. "
        "Please report it, with the versions of Python, pulumi and pulumi-echovalue."
    )
