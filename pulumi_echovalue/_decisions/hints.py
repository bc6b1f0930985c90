# SPDX-License-Identifier: BSD-2-Clause
"""What a user of Pulumi sees of a failure: what the core says, and a hint of Pulumi's own."""

from __future__ import annotations

from .._shared.module_utils.core.errors import (
    EchoValueError,
    InvalidInputError,
    PaymentRequiredError,
    RateLimitedError,
    StoreError,
    UnauthorizedError,
)

_LINK = "get_recharge_link, in other languages getRechargeLink, gives one."
_ADDRESS = (
    "{service} was requested. The address comes from the program, else from the stack's config "
    "echovalue:baseUrl, else from ECHOVALUE_BASE_URL."
)
# Of the service that the state remembers, or that a program passes with a token; by the engine's call.
_REMEMBERED = {
    "read": (
        "{service} was requested, which the state remembers. If the service has moved, name its new address "
        "(pulumi config set echovalue:baseUrl URL), and run `pulumi up` without a refresh: it proves the "
        "token there."
    ),
    "update": (
        "{service} was requested, which the state remembers. If the service has moved, name its new address: "
        "pulumi config set echovalue:baseUrl URL."
    ),
    "delete": (
        "{service} was requested, which the state remembers. If it is gone for good, let the alert go "
        "without it: `pulumi state delete URN` (`pulumi stack --show-urns` lists the URN), then run again; "
        "or set the option retainOnDelete and run `pulumi up` before the next destroy."
    ),
    "invoke": (
        "{service} was requested, the service that is passed with the token. If it has moved, name its new "
        "address (pulumi config set echovalue:baseUrl URL), and run `pulumi up`."
    ),
}
_LOST = (
    "{service} was requested, the service that is passed with the token. If it truly lost the token, `pulumi "
    "refresh` marks it as gone, and the next `pulumi up` replaces it."
)


def explain(error: Exception, method: str, remembered: object = None) -> str:
    """Return all that a person may see of a failure in a `method` that the engine calls.

    `remembered` is the base URL of the service in the resource's state.
    """
    if isinstance(error, EchoValueError):
        return " ".join(part for part in (str(error), _hint(error, method.lower(), remembered)) if part)
    # Its text may hold anything.
    return (
        f"{type(error).__name__} in {method}: a fault of pulumi-echovalue. "
        "Please report it, with the versions of Python, pulumi and pulumi-echovalue."
    )


def _hint(error: EchoValueError, method: str, remembered: object) -> str:
    if isinstance(error, PaymentRequiredError):
        return _LINK
    if not error.service or isinstance(error, (InvalidInputError, RateLimitedError, StoreError)):
        return ""
    if error.service != remembered:
        hint = _ADDRESS
    elif method == "invoke" and isinstance(error, UnauthorizedError):
        hint = _LOST
    else:
        hint = _REMEMBERED[method]
    return hint.format(service=error.service)
