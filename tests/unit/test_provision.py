# SPDX-License-Identifier: BSD-2-Clause
"""The decision, over a scripted client and a store in memory that notes the order of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import fingerprint, token_hash
from plugins.module_utils.core.provision import Outcome, copy_token, provision, remove
from plugins.module_utils.core.store import PendingToken, Slot
from tests.unit.support import LINK, OTHER, TOKEN, scripted, text

THIRD = "third-token-of-the-tests-0123456"
VALID = text(LINK, x_balance="50")
UNKNOWN = text("Unauthorized", 401)
EMPTY = text("Insufficient credits", 402)
MINTED = text(OTHER)


class Memory:
    """A store in memory; `events` tells what was called, in order."""

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
            raise errors.ConflictError("Somebody was faster.")
        self.token, self.left = token, None

    def remove(self) -> None:
        self.events.append("remove")
        if self.overtaken_by:
            self.token = self.overtaken_by.pop(0)
            raise errors.ConflictError("Somebody was faster.")
        self.token = None


@pytest.mark.parametrize(
    ("stored", "answers", "options", "outcome"),
    [
        (None, [MINTED], {}, Outcome("minted", OTHER, None, None, True)),
        (TOKEN, [VALID], {}, Outcome("kept", TOKEN, TOKEN, 50)),
        (TOKEN, [EMPTY], {}, Outcome("kept", TOKEN, TOKEN, 0)),
        (TOKEN, [EMPTY], {"regenerate": "if_invalid"}, Outcome("kept", TOKEN, TOKEN, 0)),
        (TOKEN, [], {"verify": False}, Outcome("kept", TOKEN, TOKEN)),
        (TOKEN, [], {"verify": False, "regenerate": "if_invalid"}, Outcome("kept", TOKEN, TOKEN)),
        (
            TOKEN,
            [UNKNOWN, MINTED],
            {"regenerate": "if_invalid"},
            Outcome("replaced", OTHER, TOKEN, None, True),
        ),
        (TOKEN, [MINTED], {"regenerate": "always"}, Outcome("replaced", OTHER, TOKEN, None, True)),
        (None, [MINTED], {"regenerate": "always"}, Outcome("minted", OTHER, None, None, True)),
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
    stored: str | None, answers: list[Response], options: dict[str, object], outcome: Outcome, dry_run: bool
) -> None:
    mints = MINTED in answers
    client, script, _pauses = scripted(*[a for a in answers if not (dry_run and a is MINTED)])
    store = Memory(stored, dry_run=dry_run)
    got = provision(client, store, dry_run=dry_run, **options)  # type: ignore[arg-type]
    if dry_run and mints:
        outcome = Outcome(outcome.status, None, outcome.previous, outcome.balance, True)
    assert got == outcome
    assert script.answers == []
    assert store.token == (stored if dry_run else outcome.token)
    assert ("commit" in store.events) == (outcome.changed and not dry_run)
    assert TOKEN not in repr(got)
    assert OTHER not in repr(got)


@pytest.mark.parametrize(
    ("stored", "answers", "options", "kind"),
    [
        (TOKEN, [UNKNOWN], {}, errors.StoredTokenUnknownError),
        (TOKEN, [UNKNOWN], {"token": OTHER}, errors.UnauthorizedError),
        (OTHER, [UNKNOWN], {"token": OTHER, "regenerate": "if_invalid"}, errors.UnauthorizedError),
        (None, [UNKNOWN], {"token": OTHER, "regenerate": "if_invalid"}, errors.UnauthorizedError),
        (TOKEN, [text("", 403)], {"regenerate": "if_invalid"}, errors.UnexpectedAnswerError),
        (TOKEN, [text("", 404)], {"regenerate": "if_invalid"}, errors.UnexpectedAnswerError),
        (TOKEN, [text("", 503)], {"regenerate": "if_invalid"}, errors.ServiceUnavailableError),
        (TOKEN, [text("<html>")], {"regenerate": "if_invalid"}, errors.UnexpectedAnswerError),
        (None, [text("", 500)], {}, errors.AmbiguousMintError),
        (None, [], {"token": OTHER, "regenerate": "always"}, errors.InvalidInputError),
        (None, [], {"token": "short"}, errors.InvalidInputError),
        (None, [], {"regenerate": "sometimes"}, errors.InvalidInputError),
    ],
)
def test_what_is_refused_changes_nothing(
    stored: str | None, answers: list[Response], options: dict[str, object], kind: type[Exception]
) -> None:
    client, script, _pauses = scripted(*answers, retries=0)
    store = Memory(stored)
    with pytest.raises(kind) as caught:
        provision(client, store, **options)  # type: ignore[arg-type]
    if isinstance(caught.value, errors.UnauthorizedError):
        assert caught.value.status == 401
        assert "(HTTP 401)" in str(caught.value)
    assert script.answers == []
    assert store.token == stored
    assert "commit" not in store.events


def test_the_order_of_a_mint() -> None:
    store = Memory(TOKEN)
    client, script, _pauses = scripted(UNKNOWN, MINTED)
    script_call = script.__call__

    def transport(request: object) -> Response:
        store.events.append("probe" if "recharge" in request.url else "mint")  # type: ignore[attr-defined]
        return script_call(request)  # type: ignore[arg-type]

    client._transport = transport
    provision(client, store, regenerate="if_invalid")
    assert store.events == ["lock", "read", "probe", "prepare", "mint", "commit", "unlock"]


@pytest.mark.parametrize("stored", [None, TOKEN])
def test_nothing_is_minted_for_a_place_that_cannot_be_written(stored: str | None) -> None:
    client, script, _pauses = scripted()
    with pytest.raises(errors.StoreError):
        provision(client, Memory(stored, writable=False), regenerate="always")
    assert script.requests == []


@pytest.mark.parametrize("dry_run", [False, True])
def test_removing(dry_run: bool) -> None:
    store = Memory(TOKEN)
    assert remove(store, dry_run=dry_run) == Outcome("removed", None, TOKEN, None, True)
    assert store.token == (TOKEN if dry_run else None)
    assert remove(Memory()) == Outcome("absent")


# What a run left that died after its mint.
FIRST = PendingToken(OTHER, "")
REPLACEMENT = PendingToken(OTHER, fingerprint(TOKEN))


@pytest.mark.parametrize(
    ("stored", "left", "answers", "options", "outcome", "after"),
    [
        # An interrupted mint, and an interrupted rotation, are finished.
        (None, FIRST, [VALID], {}, Outcome("minted", OTHER, None, 50, True), OTHER),
        (TOKEN, REPLACEMENT, [VALID], {}, Outcome("minted", OTHER, TOKEN, 50, True), OTHER),
        (None, FIRST, [], {"verify": False}, Outcome("minted", OTHER, None, None, True), OTHER),
        (None, FIRST, [VALID], {"regenerate": "always"}, Outcome("minted", OTHER, None, 50, True), OTHER),
        # What it was to replace is gone: nothing is overwritten.
        (None, REPLACEMENT, [VALID], {}, Outcome("minted", OTHER, None, 50, True), OTHER),
        # What somebody put there meanwhile stays.
        (TOKEN, FIRST, [VALID], {}, Outcome("kept", TOKEN, TOKEN, 50), TOKEN),
        # One to adopt comes first, whether it waits itself or another does.
        (TOKEN, REPLACEMENT, [VALID], {"token": OTHER}, Outcome("adopted", OTHER, TOKEN, 50, True), OTHER),
        (
            TOKEN,
            PendingToken(THIRD, ""),
            [VALID],
            {"token": OTHER},
            Outcome("adopted", OTHER, TOKEN, 50, True),
            OTHER,
        ),
        # One that the service does not know is as good as none.
        (
            None,
            PendingToken(TOKEN, ""),
            [UNKNOWN, MINTED],
            {},
            Outcome("minted", OTHER, None, None, True),
            OTHER,
        ),
    ],
)
def test_a_token_that_waits(
    stored: str | None,
    left: PendingToken,
    answers: list[Response],
    options: dict[str, object],
    outcome: Outcome,
    after: str | None,
) -> None:
    client, script, _pauses = scripted(*answers)
    store = Memory(stored, left=left)
    assert provision(client, store, **options) == outcome  # type: ignore[arg-type]
    assert (store.token, store.left, script.answers) == (after, None, [])
    if outcome.token == left.token:
        dry = Memory(stored, left=left, dry_run=True)
        client, script, _pauses = scripted(*answers)
        assert provision(client, dry, dry_run=True, **options) == outcome  # type: ignore[arg-type]
        assert (dry.token, dry.left) == (stored, left)


def test_a_stored_token_is_kept_beside_a_stuck_pending_one() -> None:
    client, _script, _pauses = scripted(VALID, VALID)
    store = Memory(TOKEN, writable=False, left=REPLACEMENT)
    assert provision(client, store) == Outcome("kept", TOKEN, TOKEN, 50)


@pytest.mark.parametrize(("answers", "regenerate"), [([VALID, UNKNOWN], "if_invalid"), ([VALID], "always")])
def test_none_is_minted_beside_a_stuck_pending_token(answers: list[Response], regenerate: str) -> None:
    """Not even where the place takes a write a moment later: the slot is that of the pending token."""
    client, script, _pauses = scripted(*answers)
    store = Memory(TOKEN, writable=False, left=REPLACEMENT)
    with pytest.raises(errors.StoreError, match="read-only"):
        provision(client, store, regenerate=regenerate)
    assert (store.token, store.events.count("prepare"), script.answers) == (TOKEN, 1, [])


@pytest.mark.parametrize("regenerate", ["never", "always"])
@pytest.mark.parametrize("stored", [None, THIRD])
def test_the_loser_of_a_race_keeps_what_stands_there(regenerate: str, stored: str | None) -> None:
    if stored is not None and regenerate == "never":
        return  # nothing is written then
    client, script, _pauses = scripted(MINTED, VALID)
    store = Memory(stored)
    store.overtaken_by = [TOKEN]
    assert provision(client, store, regenerate=regenerate) == Outcome("kept", TOKEN, TOKEN, 50)
    assert (store.token, store.left, script.answers) == (TOKEN, None, [])


def test_a_changed_neighbour_costs_no_second_mint() -> None:
    client, script, _pauses = scripted(MINTED)
    store = Memory(TOKEN)
    store.overtaken_by = [TOKEN, TOKEN]
    assert provision(client, store, regenerate="always") == Outcome("replaced", OTHER, TOKEN, None, True)
    assert (store.token, script.answers) == (OTHER, [])


def test_after_three_lost_races_the_run_says_so() -> None:
    client, script, _pauses = scripted(MINTED)
    store = Memory()
    store.overtaken_by = [None, None, None]
    with pytest.raises(errors.ConflictError):
        provision(client, store)
    assert store.events.count("commit") == 3
    assert store.left == FIRST
    assert script.answers == []


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_a_place_a_token_is_only_handed_on(dry_run: bool) -> None:
    client, _script, _pauses = scripted(*([] if dry_run else [MINTED]))
    expected = Outcome("minted", None if dry_run else OTHER, None, None, True)
    assert provision(client, None, dry_run=dry_run) == expected
    client, _script, _pauses = scripted(VALID)
    assert provision(client, None, token=OTHER, dry_run=dry_run) == Outcome("adopted", OTHER, None, 50)
    client, _script, _pauses = scripted(UNKNOWN)
    with pytest.raises(errors.UnauthorizedError):
        provision(client, None, token=OTHER)


def test_removing_what_somebody_else_puts_there_meanwhile() -> None:
    store = Memory(TOKEN)
    store.overtaken_by = [OTHER]
    assert remove(store) == Outcome("removed", None, OTHER, None, True)
    store.overtaken_by = [None]
    store.token = TOKEN
    assert remove(store) == Outcome("absent")


def test_removing_takes_what_waits_too() -> None:
    store = Memory(TOKEN, left=FIRST)
    assert remove(store).status == "removed"
    assert (store.token, store.left) == (None, None)


@pytest.mark.parametrize(
    ("waits", "dry_run", "drops"), [(OTHER, False, False), (THIRD, False, True), (THIRD, True, False)]
)
def test_only_another_pending_token_goes_before_an_adoption(waits: str, dry_run: bool, drops: bool) -> None:
    store = Memory(left=PendingToken(waits, ""), dry_run=dry_run)
    client, _script, _pauses = scripted(VALID)
    assert provision(client, store, token=OTHER, dry_run=dry_run).status == "adopted"
    assert ("drop_pending" in store.events) == drops


@pytest.mark.parametrize(("waits", "dry_run"), [(TOKEN, False), (THIRD, False), (THIRD, True)])
def test_a_token_that_is_adopted_again_leaves_nothing_waiting(waits: str, dry_run: bool) -> None:
    """Of a run that died between its write and the end of what waits."""
    store = Memory(TOKEN, left=PendingToken(waits, fingerprint(OTHER)), dry_run=dry_run)
    client, _script, _pauses = scripted(VALID)
    assert provision(client, store, token=TOKEN, dry_run=dry_run).status == "kept"
    assert (store.token, store.left is None) == (TOKEN, not dry_run)


def test_an_adopted_token_that_is_dead_takes_nothing_away() -> None:
    store = Memory(TOKEN, left=PendingToken(THIRD, ""))
    client, _script, _pauses = scripted(UNKNOWN)
    with pytest.raises(errors.UnauthorizedError):
        provision(client, store, token=TOKEN)
    assert store.left is not None


def test_adopting_drops_nothing_where_nothing_waits() -> None:
    store = Memory()
    client, _script, _pauses = scripted(VALID)
    provision(client, store, token=OTHER)
    assert "drop_pending" not in store.events


def test_adopting_the_stored_token_drops_a_pending_one() -> None:
    store = Memory(OTHER, left=PendingToken(THIRD, fingerprint(OTHER)))
    client, _script, _pauses = scripted(VALID)
    assert provision(client, store, token=OTHER) == Outcome("kept", OTHER, OTHER, 50)
    assert store.token == OTHER


def test_a_dry_run_drops_nothing_that_waits() -> None:
    store = Memory(left=PendingToken(TOKEN, ""), dry_run=True)
    client, _script, _pauses = scripted(UNKNOWN)
    assert provision(client, store, dry_run=True) == Outcome("minted", changed=True)
    assert store.left == PendingToken(TOKEN, "")


def test_only_the_token_that_was_named_is_rotated() -> None:
    client, _script, _pauses = scripted(MINTED)
    store = Memory(TOKEN)
    got = provision(client, store, regenerate="always", rotates=token_hash(TOKEN))
    assert (got.status, got.token, store.token) == ("replaced", OTHER, OTHER)
    # Another one is the rotation already, of a run that died: it is proven, and kept.
    client, _script, _pauses = scripted(VALID)
    got = provision(client, store, regenerate="always", rotates=token_hash(TOKEN))
    assert (got.status, got.token, got.changed) == ("kept", OTHER, False)
    client, _script, _pauses = scripted(UNKNOWN)
    with pytest.raises(errors.StoredTokenUnknownError):
        provision(client, store, regenerate="always", rotates=token_hash(TOKEN))
    assert store.token == OTHER


def test_an_adoption_may_leave_another_token_alone() -> None:
    client, script, _pauses = scripted(VALID)
    store = Memory(OTHER)
    with pytest.raises(errors.ConflictError, match=token_hash(OTHER)):
        provision(client, store, token=TOKEN, overwrite=False)
    assert (store.token, len(script.requests)) == (OTHER, 0)
    client, script, _pauses = scripted(VALID, VALID)
    assert provision(client, Memory(TOKEN), token=TOKEN, overwrite=False).status == "kept"
    assert provision(client, Memory(), token=TOKEN, overwrite=False).status == "adopted"


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
    assert (outcome.status, outcome.changed) == (status, status == "adopted")
    assert (store.token, store.left) == ((stored, left) if dry_run else (TOKEN, None))
    assert ("commit" in store.events) == (status == "adopted" and not dry_run)


def test_a_copy_that_another_writer_changes_is_compared_again() -> None:
    store = Memory(OTHER)
    store.overtaken_by = [THIRD]
    assert copy_token(store, TOKEN).status == "adopted"
    store = Memory(OTHER)
    store.overtaken_by = [TOKEN]
    assert copy_token(store, TOKEN).status == "kept"
    store.overtaken_by = [OTHER, OTHER, OTHER]
    store.token = OTHER
    with pytest.raises(errors.ConflictError):
        copy_token(store, TOKEN)
