# SPDX-License-Identifier: BSD-2-Clause
"""The decision, over a scripted client and a store in memory that notes the order of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import fingerprint, token_hash
from plugins.module_utils.core.provision import Outcome, copy_token, remove
from plugins.module_utils.core.store import PendingToken, Slot
from tests.unit.support import LINK, OTHER, THIRD, TOKEN, run, text

VALID = text(LINK, x_balance="50")
UNKNOWN = text("Unauthorized", 401)
EMPTY = text("Insufficient credits", 402)
MINTED = text(OTHER)
ALWAYS = {"regenerate": "always"}
IF_INVALID = {"regenerate": "if_invalid"}


class Memory:
    """A store in memory; `events` lists what was called, in order."""

    def __init__(
        self,
        token: str | None = None,
        writable: bool = True,
        left: PendingToken | None = None,
        dry_run: bool = False,
    ) -> None:
        self.token = token
        self.writable = writable
        self.left = left
        self.dry_run = dry_run
        self.overtaken_by: list[str | None] = []  # what others put there, one for each write that fails
        self.events: list[str] = []

    @contextmanager
    def lock(self) -> Iterator[None]:
        self.events.append("lock")
        yield
        self.events.append("unlock")

    def read(self) -> str | None:
        self.events.append("read")
        return self.token

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        self.events.append("prepare")
        if not self.writable:
            raise errors.StoreError("It is read-only.", "Make it writable.")
        yield None if self.dry_run else self

    def pending(self) -> PendingToken | None:
        return self.left

    def drop_pending(self) -> None:
        self.events.append("drop_pending")
        self.left = None

    def commit(self, token: str) -> None:
        self.events.append("commit")
        if self.overtaken_by:
            self.left = PendingToken(token, fingerprint(self.token))
            self.token = self.overtaken_by.pop(0)
            raise errors.ConflictError("Another writer was faster.")
        self.token, self.left = token, None

    def remove(self) -> None:
        self.events.append("remove")
        if self.overtaken_by:
            self.token = self.overtaken_by.pop(0)
            raise errors.ConflictError("Another writer was faster.")
        self.token = None


@pytest.mark.parametrize(
    ("stored", "answers", "options", "outcome"),
    [
        (None, [MINTED], {}, Outcome("minted", OTHER, None, None, True)),
        (TOKEN, [VALID], {}, Outcome("kept", TOKEN, TOKEN, 50)),
        (TOKEN, [EMPTY], {}, Outcome("kept", TOKEN, TOKEN, 0)),
        (TOKEN, [EMPTY], IF_INVALID, Outcome("kept", TOKEN, TOKEN, 0)),
        (TOKEN, [], {"verify": False}, Outcome("kept", TOKEN, TOKEN)),
        (TOKEN, [], {"verify": False, **IF_INVALID}, Outcome("kept", TOKEN, TOKEN)),
        (TOKEN, [UNKNOWN, MINTED], IF_INVALID, Outcome("replaced", OTHER, TOKEN, None, True)),
        (TOKEN, [MINTED], ALWAYS, Outcome("replaced", OTHER, TOKEN, None, True)),
        (None, [MINTED], ALWAYS, Outcome("minted", OTHER, None, None, True)),
        (None, [VALID], {"token": OTHER}, Outcome("adopted", OTHER, None, 50, True)),
        (None, [EMPTY], {"token": OTHER}, Outcome("adopted", OTHER, None, 0, True)),
        (None, [VALID], {"token": OTHER, "verify": False}, Outcome("adopted", OTHER, None, 50, True)),
        (TOKEN, [VALID], {"token": OTHER}, Outcome("adopted", OTHER, TOKEN, 50, True)),
        (OTHER, [VALID], {"token": OTHER}, Outcome("kept", OTHER, OTHER, 50)),
        (OTHER, [], {"token": OTHER, "verify": False}, Outcome("kept", OTHER, OTHER)),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_decided(
    stored: str | None, answers: list[Response], options: dict[str, Any], outcome: Outcome, dry_run: bool
) -> None:
    store = Memory(stored, dry_run=dry_run)
    if dry_run and MINTED in answers:
        answers = [answer for answer in answers if answer is not MINTED]
        outcome = Outcome(outcome.status, None, outcome.previous, outcome.balance, True)
    got = run(store, *answers, dry_run=dry_run, **options)
    assert got == outcome
    assert store.token == (stored if dry_run else outcome.token)
    assert ("commit" in store.events) == (outcome.changed and not dry_run)
    assert TOKEN not in repr(got)
    assert OTHER not in repr(got)


@pytest.mark.parametrize(
    ("stored", "answers", "options", "kind"),
    [
        (TOKEN, [UNKNOWN], {}, errors.StoredTokenUnknownError),
        (TOKEN, [UNKNOWN], {"token": OTHER}, errors.UnauthorizedError),
        (OTHER, [UNKNOWN], {"token": OTHER, **IF_INVALID}, errors.UnauthorizedError),
        (None, [UNKNOWN], {"token": OTHER, **IF_INVALID}, errors.UnauthorizedError),
        (TOKEN, [text("", 403)], IF_INVALID, errors.UnexpectedAnswerError),
        (TOKEN, [text("", 404)], IF_INVALID, errors.UnexpectedAnswerError),
        (TOKEN, [text("", 503)], IF_INVALID, errors.ServiceUnavailableError),
        (TOKEN, [text("<html>")], IF_INVALID, errors.UnexpectedAnswerError),
        (None, [text("", 500)], {}, errors.AmbiguousMintError),
        (None, [], {"token": OTHER, **ALWAYS}, errors.InvalidInputError),
        (None, [], {"token": "short"}, errors.InvalidInputError),
        (None, [], {"regenerate": "sometimes"}, errors.InvalidInputError),
    ],
)
def test_what_is_refused_changes_nothing(
    stored: str | None, answers: list[Response], options: dict[str, Any], kind: type[Exception]
) -> None:
    store = Memory(stored)
    with pytest.raises(kind) as caught:
        run(store, *answers, **options)
    if isinstance(caught.value, errors.UnauthorizedError):
        assert caught.value.status == 401
        assert "(HTTP 401)" in str(caught.value)
    assert store.token == stored
    assert "commit" not in store.events


def test_the_order_of_a_mint() -> None:
    store = Memory(TOKEN)

    def noted(event: str, answer: Response) -> Response:
        store.events.append(event)
        return answer

    run(store, lambda: noted("probe", UNKNOWN), lambda: noted("mint", MINTED), regenerate="if_invalid")
    assert store.events == ["lock", "read", "probe", "prepare", "mint", "commit", "unlock"]


@pytest.mark.parametrize("stored", [None, TOKEN])
def test_nothing_is_minted_for_a_place_that_cannot_be_written(stored: str | None) -> None:
    with pytest.raises(errors.StoreError):
        run(Memory(stored, writable=False), regenerate="always")


# What a run left that died after its mint.
FIRST = PendingToken(OTHER, "")
REPLACEMENT = PendingToken(OTHER, fingerprint(TOKEN))


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("stored", "left", "outcome"),
    [
        (TOKEN, None, Outcome("removed", None, TOKEN, None, True)),
        (TOKEN, FIRST, Outcome("removed", None, TOKEN, None, True)),
        (None, FIRST, Outcome("absent", changed=True)),
        (None, None, Outcome("absent")),
    ],
)
def test_removing(stored: str | None, left: PendingToken | None, outcome: Outcome, dry_run: bool) -> None:
    store = Memory(stored, left=left)
    assert remove(store, dry_run=dry_run) == outcome
    assert (store.token, store.left) == ((stored, left) if dry_run else (None, None))


@pytest.mark.parametrize(
    ("stored", "left", "answers", "options", "outcome"),
    [
        # An interrupted mint, and an interrupted rotation, are finished.
        (None, FIRST, [VALID], {}, Outcome("minted", OTHER, None, 50, True)),
        (TOKEN, REPLACEMENT, [VALID], {}, Outcome("minted", OTHER, TOKEN, 50, True)),
        (None, FIRST, [], {"verify": False}, Outcome("minted", OTHER, None, None, True)),
        (None, FIRST, [VALID], ALWAYS, Outcome("minted", OTHER, None, 50, True)),
        # What it was to replace is gone: nothing is overwritten.
        (None, REPLACEMENT, [VALID], {}, Outcome("minted", OTHER, None, 50, True)),
        # What another writer put there meanwhile stays.
        (TOKEN, FIRST, [VALID], {}, Outcome("kept", TOKEN, TOKEN, 50)),
        # One to adopt comes first, whether it waits itself or another does.
        (TOKEN, REPLACEMENT, [VALID], {"token": OTHER}, Outcome("adopted", OTHER, TOKEN, 50, True)),
        (
            TOKEN,
            PendingToken(THIRD, ""),
            [VALID],
            {"token": OTHER},
            Outcome("adopted", OTHER, TOKEN, 50, True),
        ),
        # One that the service does not know is as good as none.
        (None, PendingToken(TOKEN, ""), [UNKNOWN, MINTED], {}, Outcome("minted", OTHER, changed=True)),
    ],
)
def test_a_pending_token(
    stored: str | None,
    left: PendingToken,
    answers: list[Response],
    options: dict[str, Any],
    outcome: Outcome,
) -> None:
    store = Memory(stored, left=left)
    assert run(store, *answers, **options) == outcome
    assert (store.token, store.left) == (outcome.token, None)
    if outcome.token == left.token:
        dry = Memory(stored, left=left, dry_run=True)
        assert run(dry, *answers, dry_run=True, **options) == outcome
        assert (dry.token, dry.left) == (stored, left)


def test_a_stored_token_is_kept_beside_a_stuck_pending_one() -> None:
    store = Memory(TOKEN, writable=False, left=REPLACEMENT)
    assert run(store, VALID, VALID) == Outcome("kept", TOKEN, TOKEN, 50)


@pytest.mark.parametrize(("answers", "regenerate"), [([VALID, UNKNOWN], "if_invalid"), ([VALID], "always")])
def test_none_is_minted_beside_a_stuck_pending_token(answers: list[Response], regenerate: str) -> None:
    """Not even where the place takes a write a moment later: the slot is that of the pending token."""
    store = Memory(TOKEN, writable=False, left=REPLACEMENT)
    with pytest.raises(errors.StoreError, match="read-only"):
        run(store, *answers, regenerate=regenerate)
    assert (store.token, store.events.count("prepare")) == (TOKEN, 1)


@pytest.mark.parametrize(("stored", "regenerate"), [(None, "never"), (None, "always"), (THIRD, "always")])
def test_the_loser_of_a_race_keeps_what_is_stored(stored: str | None, regenerate: str) -> None:
    store = Memory(stored)
    store.overtaken_by = [TOKEN]
    assert run(store, MINTED, VALID, regenerate=regenerate) == Outcome("kept", TOKEN, TOKEN, 50)
    assert (store.token, store.left) == (TOKEN, None)


def test_a_changed_neighbour_costs_no_second_mint() -> None:
    store = Memory(TOKEN)
    store.overtaken_by = [TOKEN, TOKEN]
    assert run(store, MINTED, regenerate="always") == Outcome("replaced", OTHER, TOKEN, None, True)
    assert store.token == OTHER


def test_after_three_lost_races_the_run_says_so() -> None:
    store = Memory()
    store.overtaken_by = [None, None, None]
    with pytest.raises(errors.ConflictError):
        run(store, MINTED)
    assert store.events.count("commit") == 3
    assert store.left == FIRST


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_a_place_a_token_is_only_handed_on(dry_run: bool) -> None:
    expected = Outcome("minted", None if dry_run else OTHER, None, None, True)
    assert run(None, *([] if dry_run else [MINTED]), dry_run=dry_run) == expected
    assert run(None, VALID, token=OTHER, dry_run=dry_run) == Outcome("adopted", OTHER, None, 50)
    with pytest.raises(errors.UnauthorizedError):
        run(None, UNKNOWN, token=OTHER)


def test_removing_what_another_writer_stores_meanwhile() -> None:
    store = Memory(TOKEN)
    store.overtaken_by = [OTHER]
    assert remove(store) == Outcome("removed", None, OTHER, None, True)
    store.overtaken_by = [None]
    store.token = TOKEN
    assert remove(store) == Outcome("absent")


@pytest.mark.parametrize(
    ("stored", "waits", "dry_run", "dropped"),
    [
        (None, None, False, 0),
        (None, TOKEN, False, 0),  # which is put in place from there
        (None, THIRD, False, 1),
        (None, THIRD, True, 0),
        # Of a run that died between its write and the end of what waits.
        (TOKEN, TOKEN, False, 1),
        (TOKEN, THIRD, False, 1),
        (TOKEN, THIRD, True, 0),
    ],
)
def test_another_pending_token_goes_before_an_adoption(
    stored: str | None, waits: str | None, dry_run: bool, dropped: int
) -> None:
    left = None if waits is None else PendingToken(waits, fingerprint(stored))
    store = Memory(stored, left=left, dry_run=dry_run)
    outcome = run(store, VALID, token=TOKEN, dry_run=dry_run)
    assert outcome.status == ("kept" if stored else "adopted")
    assert store.events.count("drop_pending") == dropped
    assert (store.token, store.left) == ((stored, left) if dry_run else (TOKEN, None))


def test_an_adopted_token_that_is_dead_takes_nothing_away() -> None:
    store = Memory(TOKEN, left=PendingToken(THIRD, ""))
    with pytest.raises(errors.UnauthorizedError):
        run(store, UNKNOWN, token=TOKEN)
    assert store.left is not None


def test_a_dry_run_drops_nothing_pending() -> None:
    store = Memory(left=PendingToken(TOKEN, ""), dry_run=True)
    assert run(store, UNKNOWN, dry_run=True) == Outcome("minted", changed=True)
    assert store.left == PendingToken(TOKEN, "")


def test_only_the_token_that_was_named_is_rotated() -> None:
    store = Memory(TOKEN)
    options = {"regenerate": "always", "rotates": token_hash(TOKEN)}
    assert run(store, MINTED, **options) == Outcome("replaced", OTHER, TOKEN, None, True)
    assert store.token == OTHER
    # Another one is the rotation already, of a run that died: it is proven, and kept.
    assert run(store, VALID, **options) == Outcome("kept", OTHER, OTHER, 50)
    with pytest.raises(errors.StoredTokenUnknownError):
        run(store, UNKNOWN, **options)
    assert store.token == OTHER


def test_an_adoption_may_leave_another_token() -> None:
    store = Memory(OTHER)
    with pytest.raises(errors.ConflictError, match=token_hash(OTHER)):
        run(store, token=TOKEN, overwrite=False)
    assert store.token == OTHER
    assert run(Memory(TOKEN), VALID, token=TOKEN, overwrite=False).status == "kept"
    assert run(Memory(), VALID, token=TOKEN, overwrite=False).status == "adopted"


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("stored", "left", "status"),
    [
        (None, None, "adopted"),
        (OTHER, None, "adopted"),
        (TOKEN, None, "kept"),
        (TOKEN, PendingToken(THIRD, ""), "kept"),
        (None, PendingToken(THIRD, ""), "adopted"),
    ],
)
def test_a_copy_holds_the_token_of_its_place(
    stored: str | None, left: PendingToken | None, status: str, dry_run: bool
) -> None:
    store = Memory(stored, left=left, dry_run=dry_run)
    outcome = copy_token(store, TOKEN, dry_run=dry_run)
    assert outcome == Outcome(status, TOKEN, stored, None, status == "adopted")
    assert (store.token, store.left) == ((stored, left) if dry_run else (TOKEN, None))
    assert ("commit" in store.events) == (status == "adopted" and not dry_run)


def test_a_copy_that_another_writer_changes_is_compared_again() -> None:
    store = Memory(OTHER)
    store.overtaken_by = [THIRD]
    assert (copy_token(store, TOKEN).status, store.token) == ("adopted", TOKEN)
    store = Memory(OTHER)
    store.overtaken_by = [TOKEN]
    assert copy_token(store, TOKEN).status == "kept"
    store.overtaken_by = [OTHER, OTHER, OTHER]
    store.token = OTHER
    with pytest.raises(errors.ConflictError):
        copy_token(store, TOKEN)
