# SPDX-License-Identifier: BSD-2-Clause
"""Rotation by age: when it is due, what holds it back, and what it does not go with."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import fingerprint, token_hash
from plugins.module_utils.core.provision import Outcome
from plugins.module_utils.core.rotation import Rotation
from plugins.module_utils.core.store import PendingToken
from plugins.module_utils.core.times import read_length
from tests.unit.support import LINK, OTHER, THIRD, TOKEN, run, text
from tests.unit.test_provision import EMPTY, MINTED, UNKNOWN, VALID, Memory

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=timezone.utc)
OLD = "2026-08-30T15:40:09.77Z"
YOUNG = "2026-09-15T15:40:09.77Z"
UNREAD = "The age of the token, or its balance, is not known, and it was not rotated"
LOSS = (
    "The token is older than it may be, and was not rotated: its wallet holds 101 credits, and a rotation "
    "may leave behind 100. Spend them first, or allow for more."
)


def rotation(max_loss: int = 100) -> Rotation:
    return Rotation(timedelta(days=90), max_loss, now=lambda: NOW)


def account(created: object, left: int = 49, token: str = TOKEN) -> Response:
    body = {"wallet": left, "created": created, "hash": token_hash(token)}
    return Response(200, {"content-type": "application/json"}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answers", "created", "due", "held_back"),
    [
        ([VALID, account(YOUNG)], YOUNG, False, ""),
        ([VALID, account("2026-08-31T12:00:00Z")], "2026-08-31T12:00:00Z", False, ""),  # to the second
        ([VALID, account("2027-01-01T00:00:00.00Z")], "2027-01-01T00:00:00.00Z", False, ""),
        ([VALID, account(OLD, 101)], OLD, True, LOSS),
        ([text(LINK, x_balance="1"), account(YOUNG, 1)], YOUNG, False, ""),
        ([EMPTY], None, None, "its wallet is empty"),
        ([VALID, EMPTY], None, None, "its wallet is empty"),
        ([text(LINK)], None, None, "the service did not report its balance for free"),
        ([text(LINK, x_balance="-1")], None, None, "its wallet is empty"),
        ([VALID, account("yesterday")], "yesterday", None, "the service did not report when it was created"),
        ([VALID, account(None)], None, None, "the service did not report when it was created"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_token_that_stays(
    answers: list[Response], created: str | None, due: bool | None, held_back: str, dry_run: bool
) -> None:
    """Nothing is read that costs, where the balance does not allow it."""
    store = Memory(TOKEN, dry_run=dry_run)
    got = run(store, *answers, rotation=rotation(), dry_run=dry_run)
    assert (got.status, got.token, got.previous, got.changed) == ("kept", TOKEN, TOKEN, False)
    assert (got.created, got.rotation_due) == (created, due)
    assert got.balance == run(Memory(TOKEN), answers[0]).balance
    assert got.held_back in (held_back, f"{UNREAD}: {held_back}.")
    assert store.events == ["lock", "read", "unlock"]


def test_the_least_rule_and_what_a_caller_remembers() -> None:
    assert Rotation(timedelta(), 0, OLD).judge(EchoValueClient(), TOKEN, None).created == OLD


@pytest.mark.parametrize("left", [100, 0])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_token_that_is_rotated(left: int, dry_run: bool) -> None:
    store = Memory(TOKEN, dry_run=dry_run)
    answers = [VALID, account(OLD, left), *([] if dry_run else [MINTED])]
    got = run(store, *answers, rotation=rotation(), dry_run=dry_run)
    assert got == Outcome("replaced", None if dry_run else OTHER, TOKEN, None, True, rotation_due=False)
    assert store.token == (TOKEN if dry_run else OTHER)


def test_without_a_rule_nothing_is_said_of_age() -> None:
    for outcome in (run(Memory(TOKEN), VALID), run(Memory(), MINTED)):
        assert (outcome.created, outcome.rotation_due, outcome.held_back) == (None, None, "")


def test_a_new_token_is_not_due() -> None:
    """Its age is not read."""
    outcome = run(Memory(), MINTED, rotation=rotation())
    assert (outcome.status, outcome.created, outcome.rotation_due) == ("minted", None, False)


def test_an_unknown_token_is_not_a_matter_of_age() -> None:
    with pytest.raises(errors.StoredTokenUnknownError):
        run(Memory(TOKEN), UNKNOWN, rotation=rotation())
    replaced = run(Memory(TOKEN), UNKNOWN, MINTED, rotation=rotation(), regenerate="if_invalid")
    assert replaced.token == OTHER


@pytest.mark.parametrize("answer", [text("", 503), text("", 403), text("<html>"), account(OLD, token=OTHER)])
def test_doubt_rotates_nothing(answer: Response) -> None:
    store = Memory(TOKEN)
    with pytest.raises(errors.ServiceError):
        run(store, VALID, answer, rotation=rotation())
    assert store.token == TOKEN


def test_the_loser_of_two_rotations_keeps_the_other_token() -> None:
    store = Memory(TOKEN)
    store.overtaken_by = [THIRD]
    outcome = run(store, VALID, account(OLD), MINTED, VALID, rotation=rotation())
    assert outcome == Outcome("kept", THIRD, THIRD, 50)
    assert (store.token, store.left) == (THIRD, None)


def test_a_changed_neighbour_costs_one_mint_and_one_credit() -> None:
    store = Memory(TOKEN)
    store.overtaken_by = [TOKEN]
    outcome = run(store, VALID, account(OLD), MINTED, rotation=rotation())
    assert outcome == Outcome("replaced", OTHER, TOKEN, None, True, rotation_due=False)
    assert store.token == OTHER


def test_an_age_is_read_once_where_the_slot_is_refused_at_first() -> None:
    class Refusing(Memory):
        refusals = 1

        def prepare(self):  # type: ignore[no-untyped-def]
            if self.refusals:
                self.refusals -= 1
                raise errors.ConflictError("Another writer changed it.")
            return super().prepare()

    answers = (VALID, account(OLD), VALID, MINTED)
    assert run(Refusing(TOKEN), *answers, rotation=rotation()).status == "replaced"


def test_an_interrupted_rotation_is_finished_without_another() -> None:
    store = Memory(TOKEN, left=PendingToken(OTHER, fingerprint(TOKEN)))
    assert run(store, VALID, rotation=rotation()) == Outcome("minted", OTHER, TOKEN, 50, True)
    assert (store.token, store.left) == (OTHER, None)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"verify": False}, "verify"), ({"token": OTHER}, "adopt"), ({"regenerate": "always"}, "always")],
)
def test_what_does_not_go_with_it(options: dict[str, Any], word: str) -> None:
    store = Memory(TOKEN)
    with pytest.raises(errors.InvalidInputError, match=word):
        run(store, rotation=rotation(), **options)
    with pytest.raises(errors.InvalidInputError, match="nowhere"):
        run(None, rotation=rotation())
    assert store.events == []


@pytest.mark.parametrize("wrong", [(timedelta(-1), 0), (timedelta(1), -1), (timedelta(1), True)])
def test_rules_that_make_no_sense(wrong: tuple[timedelta, int]) -> None:
    with pytest.raises(errors.InvalidInputError):
        Rotation(*wrong)


LENGTHS = {"90d": 7_776_000, " 12w ": 7_257_600, "36h": 129_600, "1.5h": 5_400, "10m": 600, "0s": 0}


@pytest.mark.parametrize("passed", LENGTHS)
def test_lengths(passed: str) -> None:
    assert read_length(passed, "max_age") == timedelta(seconds=LENGTHS[passed])


@pytest.mark.parametrize(
    "wrong", ["90", "", "d", "-1d", "90 d", "90D", "1y", "1d2h", "999999999w", "\u0661d"]
)
def test_what_is_no_length(wrong: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"^max_age must be a number with one of"):
        read_length(wrong, "max_age")


@pytest.mark.parametrize(
    ("answer", "created", "status", "due"),
    [
        (VALID, OLD, "replaced", False),
        (EMPTY, OLD, "replaced", False),  # nothing is lost with it
        (VALID, YOUNG, "kept", False),
        (text(LINK, x_balance="101"), OLD, "kept", True),
        (text(LINK), OLD, "kept", None),
    ],
)
def test_a_time_that_is_remembered_costs_no_credit(
    answer: Response, created: str, status: str, due: bool | None
) -> None:
    rule = Rotation(timedelta(days=90), 100, created, now=lambda: NOW)
    got = run(Memory(TOKEN), answer, *([MINTED] if status == "replaced" else []), rotation=rule)
    assert (got.status, got.rotation_due) == (status, due)


def test_only_the_token_that_was_named_grows_old() -> None:
    rule = Rotation(timedelta(days=90), 100, OLD, now=lambda: NOW)
    got = run(Memory(OTHER), VALID, rotation=rule, rotates=token_hash(TOKEN))
    assert (got.status, got.created, got.rotation_due) == ("kept", None, None)
