# SPDX-License-Identifier: BSD-2-Clause
"""What a user of Pulumi can do about a failure, beside what the core advises."""

from __future__ import annotations

from collections.abc import Mapping

from ._core.errors import EchoValueError, NetworkError, UnauthorizedError, UnexpectedAnswerError

_ADDRESS = (
    "The service's address comes from the program, else from the stack's config echovalue:baseUrl, "
    "else from ECHOVALUE_BASE_URL."
)
HINTS: Mapping[type[EchoValueError], str] = {
    NetworkError: _ADDRESS,
    UnauthorizedError: _ADDRESS,
    UnexpectedAnswerError: _ADDRESS,
}
# Where the token of the stack was asked about.
KEPT_TOKEN_HINTS: Mapping[type[EchoValueError], str] = {
    **HINTS,
    UnauthorizedError: (
        "If the service truly lost it, `pulumi refresh` lets it go, and the next `pulumi up` mints another."
    ),
}
