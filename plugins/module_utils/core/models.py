# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What the service deals in, and the one rule of what a token looks like."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import InvalidInputError

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10

MAX_TOKEN_LENGTH = 512
TOKEN_FORM = (
    "a token is one line of 10 to 512 visible ASCII characters without spaces, "  # noqa: S105 - a rule in words
    "and without quotes around it"
)
# The format is opaque; this much keeps it one safe HTTP header value and one line of a file.
# Under 10 characters the service itself answers 401.
_TOKEN = re.compile(rf"[!-~]{{10,{MAX_TOKEN_LENGTH}}}")


def is_int(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number; True and False, which Python counts as such, do not count."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_token(value: object) -> str | None:
    """Return the token in a passed, stored or sent value; None where it holds none.

    Trailing newlines are ignored. Quotes around a value are those of a file's format, as in dotenv files.
    """
    text = value.rstrip("\r\n") if isinstance(value, str) else ""
    is_quoted = text[:1] == text[-1:] and text.startswith(("'", '"'))
    return text if _TOKEN.fullmatch(text) and not is_quoted else None


def check_token(token: object) -> str:
    """Return the token in a passed value; raise InvalidInputError where it holds none."""
    found = read_token(token)
    if found is None:
        raise InvalidInputError(
            f"That is not a token: {TOKEN_FORM}.",
            "No request was sent. Check where it comes from (quotes, line breaks, an empty variable).",
        )
    return found


def token_hash(token: str) -> str:
    """Return the sha256 of a token in hex, by which the service and all outputs name it."""
    return hashlib.sha256(token.encode()).hexdigest()


def fingerprint(token: str | None) -> str:
    """Return the start of a token's hash, which names it in a file's name; for None an empty text."""
    return "" if token is None else token_hash(token)[:16]


@dataclass(frozen=True)
class Probe:
    """What the free probe found: is the token valid, and its credits where the service said so."""

    valid: bool
    balance: int | None = None


@dataclass(frozen=True)
class Wallet:
    """A token's wallet.

    `wallet` counts credits (None where a free reading did not report them), `created` is the service's
    own text (None where not read), `hash` the token's sha256, `cost` the credits the reading took.
    """

    wallet: int | None
    created: str | None
    hash: str
    cost: int | None


WEBHOOK_FIELDS = ("url", "headers", "format", "template", "options")


@dataclass(frozen=True)
class Alert:
    """A token's low-balance alert: sent when its wallet falls under `threshold` credits; 0 is off.

    `email` is empty, and `webhook` None, where none is set. `webhook` has those of
    WEBHOOK_FIELDS that are set; all but `format` may hold secrets.
    """

    threshold: int = 0
    email: str = ""
    webhook: Mapping[str, Any] | None = field(default=None, repr=False)


def set_fields(webhook: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a webhook that are set: an empty one is as good as none."""
    return {name: webhook[name] for name in WEBHOOK_FIELDS if webhook.get(name)}


@dataclass(frozen=True)
class RechargeLink:
    """A payment link for `amount` million operations; `contains_token` makes `url` a secret."""

    url: str = field(repr=False)
    amount: int
    balance: int | None
    contains_token: bool
