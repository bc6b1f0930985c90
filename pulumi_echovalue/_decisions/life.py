# SPDX-License-Identifier: BSD-2-Clause
"""The life of a token, wherever it is: in the state (token.py), or in a place (placed.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._shared.module_utils.core.errors import InvalidInputError
from . import placed
from . import token as in_state
from .placed import Placed, Target, Token
from .token import Changes, CreatedHere, Kept, Warn

# The outputs of a token in a place that nothing but its creation or update can know.
_OF_PLACE = ("place", "stored_at", "resolved")
_MAX_DAYS = 36500


def check_together(inputs: Mapping[str, Any]) -> None:
    """Raise InvalidInputError for arguments that exclude each other."""
    if inputs.get("place") is not None and inputs.get("existing_token") is not None:
        raise InvalidInputError(
            "existing_token does not go with place: it would be in the state.",
            "Nothing was done. Put the token into the place with the store's own tool, or with Ansible: it "
            "is taken up from there.",
        )
    if inputs.get("place") is None and inputs.get("max_age_days") is not None:
        raise InvalidInputError(
            "max_age_days goes only with place.",
            "Nothing was done. For a token of the state, use keepers with a value that changes with time.",
        )


def check_max_age_days(value: Any) -> float:
    """Return a number of days; raise InvalidInputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MAX_DAYS:
        raise InvalidInputError(f"max_age_days must be a number of days, from 0 to {_MAX_DAYS}.")
    return value


def check_max_loss(value: Any) -> int:
    """Return a number of credits; raise InvalidInputError for anything else."""
    # All numbers of the engine's protocol are floats.
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise InvalidInputError("max_loss must be a whole number of credits, 0 or more.")
    return number


def stored(state: Mapping[str, Any], id_: str) -> Token:
    """Return what a state holds. Raises InvalidInputError for a state that was edited by hand."""
    return placed.stored(state) or in_state.stored(state, id_)


def create(target: Target, created_here: CreatedHere) -> Token:
    """Take up, adopt or mint the token. Nothing that can fail follows."""
    if target.place is not None:
        return placed.create(target)
    return in_state.create(target.service, target.existing_token, created_here)


def compare(former: Token, target: Target, keepers: object) -> Changes:
    """Return what the inputs request; `keepers` are the former ones. Nothing is sent.

    Raises InvalidInputError as `token.decide` does.
    """
    if isinstance(former, Kept) and target.place is None:
        return in_state.compare(former, target.service, target.existing_token, (keepers, target.keepers))
    return placed.compare(former, target, keepers)


def refresh(former: Token, target: Target, warn: Warn) -> Token:
    """Prove the token, where it is; one that its service does not know is marked, with a warning."""
    if isinstance(former, Placed):
        return placed.refresh(former, target, warn)
    return _warned(in_state.refresh(former, target.service), warn)


def update(former: Token, target: Target, keepers: object, warn: Warn) -> Token:
    """Do what `compare` found to be an update; `keepers` are the former ones."""
    if isinstance(former, Kept) and target.place is None:
        return _warned(in_state.move(former, target.service, target.existing_token), warn)
    return placed.update(former, target, keepers, warn)


def delete(
    state: Mapping[str, Any], id_: str, find_url: Callable[[], str], created_here: CreatedHere, warn: Warn
) -> None:
    """Let a token leave the stack, with a warning: it stays valid. No request has to succeed."""
    former = placed.stored(state)
    if former is not None:
        warn(placed.deletion_warning(former))
    else:
        in_state.delete(state, id_, find_url, created_here, warn)


def outputs(token: Token) -> dict[str, Any]:
    """Return what the state is to remember; `token`, where it has one, is a secret."""
    if isinstance(token, Placed):
        return placed.outputs(token)
    mark = {"gone": True} if token.gone else {}
    return {"token": token.token, "hash": token.hash, "service": token.service, **mark}


def expected(former: Token, target: Target, keepers: object, unknown: object) -> dict[str, Any]:
    """Return the outputs that a preview of an update expects, with `unknown` for what only the update knows.

    Nothing is sent. Raises as `compare` does.
    """
    changes = compare(former, target, keepers)
    service = target.service.url if target.service.named else former.service
    known = {**outputs(former), "service": service}
    if target.place is None:
        return (
            known if isinstance(former, Kept) else {"token": unknown, "hash": former.hash, "service": service}
        )
    known.pop("token", None)
    if "place" in changes.updates:
        known.update(dict.fromkeys(_OF_PLACE, unknown))
    if may_rotate(changes, target):
        known["hash"] = known["place"] = unknown  # what reads the place has to wait
        known.pop("gone", None)
        known["created"] = unknown
    return known


def may_rotate(changes: Changes, target: Target) -> bool:
    """Return whether an update may put another token into its place."""
    return target.place is not None and bool({"keepers", "gone", "max_age_days"} & set(changes.updates))


def _warned(kept: Kept, warn: Warn) -> Kept:
    if kept.gone:
        warn(in_state.missing_token_warning(kept.service, kept.hash))
    return kept
