# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Rotation by age: whether a stored token is old enough to give way, and its wallet small enough.

The old token stays valid, so nothing that uses it breaks. What it may lose is the credits in its wallet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .client import EchoValueClient
from .errors import InvalidInputError
from .models import is_int
from .times import read_time, utc_now

DEFAULT_MAX_LOSS = 100  # credits: what a new token has for free


@dataclass(frozen=True)
class Verdict:
    """What the age rule says of one token.

    `created` is the service's own text and `due` whether the token is older than it may be; both are None
    where that is not known. `held_back` says to people why the token stays all the same, "" where nothing
    holds a rotation back.
    """

    created: str | None
    due: bool | None
    held_back: str = ""


@dataclass(frozen=True)
class Rotation:
    """The age rule: rotate a token older than `max_age`, unless its wallet holds over `max_loss` credits.

    `created` is when the service created the token, where the caller remembers that: then nothing is read
    for a credit. `now` is a seam for tests. Raises InvalidInputError.
    """

    max_age: timedelta
    max_loss: int = DEFAULT_MAX_LOSS
    created: str | None = None
    now: Callable[[], datetime] = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_age < timedelta():
            raise InvalidInputError("max_age must not be negative.")
        if not is_int(self.max_loss) or self.max_loss < 0:
            raise InvalidInputError("max_loss must be a whole number of credits, 0 or more.")

    def judge(self, client: EchoValueClient, token: str, balance: int | None) -> Verdict:
        """Return the verdict on a valid token with a balance as the free probe reported it.

        1 credit, unless `created` is known; where the balance is 0 or not known, nothing is read. Raises
        errors of errors.py.
        """
        if balance is None or (balance <= 0 and self.created is None):
            why = "the service did not report its balance for free" if balance is None else _EMPTY
            return Verdict(self.created, None, f"{_UNREAD}: {why}.")
        text = self.created
        if text is None:
            wallet = client.get_wallet(token)
            text, balance = wallet.created, wallet.wallet
        created = read_time(text)
        if created is None or balance is None:
            why = "the service did not report when it was created" if balance else _EMPTY
            return Verdict(text, None, f"{_UNREAD}: {why}.")
        due = self.now() - created > self.max_age
        if due and balance > self.max_loss:
            return Verdict(
                text,
                due,
                "The token is older than it may be, and was not rotated: "
                f"its wallet holds {balance} credits, and a rotation may leave behind {self.max_loss}. "
                "Spend them first, or allow for more.",
            )
        return Verdict(text, due)


_UNREAD = "The age of the token, or its balance, is not known, and it was not rotated"
_EMPTY = "its wallet is empty"


def check_goes_with(*, stored: bool, token: str | None, verify: bool, regenerate: str) -> None:
    """Raise InvalidInputError for what a rotation by age does not go with.

    It is of a token that is `stored` somewhere, and whose balance was proven.
    """
    conflicts = {
        "verify: false, since the balance has to be known": not verify,
        "a token to adopt": token is not None,
        "regenerate: always, which rotates at each run": regenerate == "always",
        "a token that is stored nowhere": not stored,
    }
    for what, is_there in conflicts.items():
        if is_there:
            raise InvalidInputError(f"A rotation by age does not go with {what}.")
