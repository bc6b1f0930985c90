# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""One key of one secret, as each place has it, and the errors that all of them report."""

from __future__ import annotations

from typing import Protocol

from ...module_utils.core.errors import NOTHING_MINTED, ConflictError, StoreError
from ...module_utils.core.models import TOKEN_FORM, read_token

REHEARSAL = "no-token-but-a-rehearsal-of-the-write"  # in place of a token that is not minted yet


class Driver(Protocol):
    """One key of one secret. A method raises StoreError, or ConflictError where another writer was faster.

    No text of an error holds a token, or a secret of the connection.
    """

    words: str  # the place, as a person says it
    secret: tuple[str, ...]  # all that distinguishes this secret from every other, as the client resolved it
    key: str
    path: str | None = None  # the file, as the task names it; None where the place is none
    backup_file: str | None = None  # where a place that is a file keeps what was replaced

    def read(self) -> str | None:
        """Return what the key holds, None where there is none, and note the secret's version."""

    def check_writable(self) -> None:
        """Rehearse the write, as far as the manager lets; change nothing."""

    def write(self, token: str) -> None:
        """Set the key, if the secret is still the version that `read` noted; all else in it stays."""

    def remove(self) -> None:
        """Take the key away, under the same condition."""

    def apply_attributes(self, *, dry_run: bool) -> bool:
        """Give what `read` found the requested attributes; return whether that changes something."""
        return False

    def read_former(self) -> str | None:
        """Return what the key held before the last write, as the place still has it.

        None where it has none, or where a limit or an expiry is known to take it. May raise anything.
        """
        return None


def stored_token(driver: Driver) -> str | None:
    """Return the token that a driver reads; an empty value is a place to fill.

    Raises StoreError where something else is there.
    """
    value = driver.read()
    token = read_token(value)
    if value and token is None:
        raise StoreError(
            f"{driver.words} exists and holds no token: {TOKEN_FORM}.",
            f"{NOTHING_MINTED} Take it away, or put the right token there.",
        )
    return token


def conflict(driver: Driver) -> ConflictError:
    """Return the error for a secret that another writer changed after it was read."""
    return ConflictError(f"{driver.words} was changed by another writer meanwhile.")


def refused(driver: Driver, done: str, why: str) -> StoreError:
    """Return the error for a secret that could not be `done`, such as read or written; see also `write`."""
    return StoreError(f"{driver.words} could not be {done} ({why}).", NOTHING_MINTED)


def unwritable(driver: Driver, why: str, advice: str = "") -> StoreError:
    """Return the error for a secret that can be read, and that no write can change."""
    return StoreError(f"{driver.words} cannot be written: {why}.", f"{NOTHING_MINTED} {advice}".rstrip())
