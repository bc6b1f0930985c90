# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What is done for one token, as a module or on the controller, and the task's result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Protocol

from ..core.client import EchoValueClient
from ..core.errors import EchoValueError
from ..core.models import token_hash
from ..core.provision import Outcome, provision, remove
from ..core.store import Store
from .failure import failure
from .token_requests import TokenRequest


class KeptStore(Store, Protocol):
    """A `Store` that says where it keeps what was replaced."""

    @property
    def backup_file(self) -> str | None:
        """The file with the former token, None where there is none."""


@dataclass(frozen=True)
class Place:
    """Where one token is kept, and what the task's result says of it."""

    store: KeptStore
    kind: str
    words: str
    path: str | None = None
    variable: str | None = None
    apply_attributes: Callable[[], bool] = lambda: False  # returns whether that changes something


def perform(
    request: TokenRequest,
    client: EchoValueClient,
    place: Place | None,
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Do what is requested for one token, and return the task's result, the token in it.

    Raises the errors of core/errors.py.
    """
    settled = False
    if request.state == "absent" and place is not None:
        outcome = remove(place.store, dry_run=check_mode)
        if outcome.status == "removed":
            warn(
                "EchoValue cannot revoke a token: the one that was removed here stays valid, and "
                "its credits can be spent by whoever has it."
            )
    else:
        outcome = provision(
            client,
            None if place is None else place.store,
            token=request.token,
            verify=request.verify,
            regenerate=request.regenerate,
            rotation=request.rotation,
            dry_run=check_mode,
        )
        settled = place is not None and place.apply_attributes()
    if outcome.held_back:
        warn(f"{outcome.held_back} Its place: {place and place.words}.")
    return _entry(
        place,
        changed=outcome.changed or settled,
        token=outcome.token,
        hash=outcome.hash,
        status=outcome.status,
        balance=outcome.balance,
        backup_file=None if place is None else place.store.backup_file,
        diff=_diff(outcome, place),
        **_age(request, outcome),
    )


def failed_entry(request: TokenRequest, place: Place | None, error: EchoValueError) -> dict[str, Any]:
    """Return the entry of `tokens` for one that failed: the same keys as that of a good one."""
    nothing = {**dict.fromkeys(("token", "hash", "status", "balance", "backup_file")), **_age(request)}
    return _entry(place, changed=False, **nothing, failed=True, **failure(error))


def _age(request: TokenRequest, outcome: Outcome | None = None) -> dict[str, Any]:
    """Return what the result says of a token's age, where the task has a rule for that."""
    if request.rotation is None:
        return {}
    return {
        "created": outcome and outcome.created,
        "rotation_due": None if outcome is None else outcome.rotation_due,
    }


def _entry(place: Place | None, **known: Any) -> dict[str, Any]:
    return {
        **known,
        "store": place and place.kind,
        "place": place and place.words,
        "path": place and place.path,
        "variable": place and place.variable,
    }


def _diff(outcome: Outcome, place: Place | None) -> dict[str, str]:
    """Return the difference in hashes: a new token's is not known before it is minted."""

    def line(token: str | None) -> str:
        return "" if token is None else f"sha256 {token_hash(token)}\n"

    after = line(outcome.token)
    if outcome.token is None and outcome.status in ("minted", "replaced"):
        after = "a new token\n"
    header = "token" if place is None else place.words
    return {
        "before_header": header,
        "before": line(outcome.previous),
        "after_header": header,
        "after": after,
    }
