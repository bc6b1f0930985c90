# SPDX-License-Identifier: BSD-2-Clause
"""A token in a place, without an engine: which service is asked, what a preview expects, what a state may hold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_echovalue._decisions import life, placed
from pulumi_echovalue._decisions.place import check_place, same_place
from pulumi_echovalue._decisions.placed import Placed, Target
from pulumi_echovalue._decisions.service import Service
from pulumi_echovalue._decisions.token import Kept
from pulumi_echovalue._shared.module_utils.core.errors import (
    ConflictError,
    EchoValueError,
    InvalidInputError,
    StoredTokenUnknownError,
    StoreError,
)
from tests.pulumi.asking import ADOPTED, UNHEARD_OF
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

UNKNOWN = object()


class Stack:
    """One token in a file, and what is said of it."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.url, self.folder = emulator.url, folder
        self.warnings: list[str] = []
        self.file = folder / "token"

    def target(
        self, keepers: str = "1", place: Path | None = None, url: str = "", named: bool = False, **more: Any
    ) -> Target:
        where = {"path": str(place or self.file)}
        service = Service(url or self.url, named=named)
        return Target(service, where, keepers={"a": keepers}, spool=str(self.folder / "spool"), **more)

    def create(self) -> Placed:
        created = life.create(self.target(), set())
        assert isinstance(created, Placed)
        return created

    def update(self, former: Any, target: Target) -> Any:
        return life.update(former, target, {"a": "1"}, self.warnings.append)

    def text(self) -> str:
        return self.file.read_text().strip()


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Stack:
    return Stack(emulator, tmp_path)


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_service_of_the_environment_moves_nothing(
    stack: Stack, emulator: Emulator, other: Emulator
) -> None:
    former = stack.create()
    emulator.reset_stats()
    elsewhere = stack.target(url=other.url)
    assert life.compare(former, elsewhere, {"a": "1"}).updates == ()
    with pytest.raises(InvalidInputError, match="which the environment or the default says"):
        life.compare(former, stack.target("2", url=other.url), {"a": "1"})
    assert life.refresh(former, elsewhere, stack.warnings.append) == former
    assert (other.stats()["requests"], emulator.stats()["mints"]) == ({}, 0)


def test_a_named_service_has_to_know_the_token(stack: Stack, other: Emulator) -> None:
    former = stack.create()
    named = stack.target(url=other.url, named=True)
    assert life.compare(former, named, {"a": "1"}).updates == ("service",)
    with pytest.raises(StoredTokenUnknownError, match="which is named now"):
        stack.update(former, named)
    other.register(stack.text())
    assert stack.update(former, named) == replace(former, service=other.url)
    assert other.stats()["mints"] == 0
    # Rotating at another service mints there, once that is named.
    rotated = stack.update(former, stack.target("2", url=other.url, named=True))
    assert (rotated.hash, other.stats()["mints"]) == (hash_of(stack.text()), 1)


def test_an_import_mints_nothing(stack: Stack, emulator: Emulator) -> None:
    with pytest.raises(InvalidInputError, match="There is no token in"):
        placed.find(stack.target(), None)
    stack.file.write_text(f"{ADOPTED}\n")
    with pytest.raises(InvalidInputError, match="the id names another one"):
        placed.find(stack.target(), "0" * 64)
    with pytest.raises(
        StoredTokenUnknownError, match=f"{hash_of(ADOPTED)} .* which is in the file {stack.file}"
    ):
        placed.find(stack.target(), None)
    emulator.register(ADOPTED)
    found = placed.find(stack.target(), hash_of(ADOPTED))
    assert (found.hash, found.service, found.created) == (hash_of(ADOPTED), stack.url, None)
    assert (stack.text(), emulator.stats()["mints"]) == (ADOPTED, 0)


@pytest.mark.parametrize("known", [True, False])
def test_a_marked_token_at_a_service_that_is_named(stack: Stack, other: Emulator, known: bool) -> None:
    former = replace(stack.create(), gone=True)
    if known:
        other.register(stack.text())
    named = stack.target(url=other.url, named=True)
    assert life.compare(former, named, {"a": "1"}).updates == ("service",)
    got = stack.update(former, named)
    assert got == replace(former, service=other.url, gone=not known)
    assert other.stats()["mints"] == 0
    assert ("marked as gone" in "".join(stack.warnings)) is not known
    # One that nobody named changes nothing.
    unnamed = stack.target(url=other.url)
    assert life.compare(former, unnamed, {"a": "1"}).updates
    with pytest.raises(InvalidInputError, match="marked as gone"):
        stack.update(former, unnamed)


def test_a_marked_token_that_is_there_again_is_taken_up(stack: Stack, emulator: Emulator) -> None:
    former = replace(stack.create(), gone=True)
    assert stack.update(former, stack.target()) == replace(former, gone=False)
    assert emulator.stats()["mints"] == 1
    assert life.refresh(former, stack.target(), stack.warnings.append).gone is False


@pytest.mark.parametrize("named", [True, False])
def test_keepers_rotate_a_marked_token_too(stack: Stack, other: Emulator, named: bool) -> None:
    former = replace(stack.create(), gone=True)
    before = stack.text()
    got = stack.update(former, stack.target("2", url=other.url if named else "", named=named))
    assert (got.hash, got.gone) == (hash_of(stack.text()), False)
    assert stack.text() != before
    assert got.service == (other.url if named else stack.url)


@pytest.mark.parametrize("target", ["same", "other place", "state"])
def test_a_token_that_was_taken_away_is_not_minted_unasked(
    stack: Stack, emulator: Emulator, target: str
) -> None:
    former = stack.create()
    stack.file.unlink()
    wanted = {
        "same": stack.target(url=emulator.url + "/", named=True),
        "other place": stack.target(place=stack.folder / "other"),
        "state": replace(stack.target(), place=None),
    }[target]
    with pytest.raises(StoreError, match="There is no token in"):
        stack.update(former, wanted)
    assert emulator.stats()["mints"] == 1


def test_a_gone_token_of_the_state_is_minted_into_the_place(stack: Stack, emulator: Emulator) -> None:
    former = Kept(ADOPTED, emulator.url, gone=True)
    assert set(life.compare(former, stack.target(), {"a": "1"}).updates) == {"gone", "place"}
    got = stack.update(former, stack.target())
    assert (got.hash, emulator.stats()["mints"]) == (hash_of(stack.text()), 1)


def test_a_token_of_the_state_moves_and_rotates_at_once(stack: Stack, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    former = Kept(ADOPTED, emulator.url)
    got = stack.update(former, stack.target("2"))
    assert got.hash == hash_of(stack.text()) != hash_of(ADOPTED)
    assert emulator.stats()["mints"] == 1
    backups = [path.read_text().strip() for path in stack.folder.glob("token.*~")]
    assert backups == [ADOPTED]
    assert str(next(stack.folder.glob("token.*~"))) in "".join(stack.warnings)


def test_another_token_in_the_new_place_is_a_conflict(stack: Stack, emulator: Emulator) -> None:
    former = stack.create()
    other = stack.folder / "other"
    other.write_text(f"{ADOPTED}\n")
    emulator.register(ADOPTED)
    with pytest.raises(ConflictError, match="Another token is stored there"):
        stack.update(former, stack.target(place=other))
    assert other.read_text().strip() == ADOPTED
    other.write_text(f"{stack.text()}\n")
    assert stack.update(former, stack.target(place=other)).hash == former.hash


def test_a_token_of_another_writer_is_the_rotation(stack: Stack, emulator: Emulator) -> None:
    former = stack.create()
    emulator.register(ADOPTED)
    stack.file.write_text(f"{ADOPTED}\n")
    assert life.refresh(former, stack.target(), stack.warnings.append).hash == hash_of(ADOPTED)
    assert stack.update(former, stack.target("2")).hash == hash_of(ADOPTED)
    stack.file.write_text(f"{UNHEARD_OF}\n")
    for step in (stack.create, lambda: stack.update(former, stack.target("3"))):
        with pytest.raises(StoredTokenUnknownError, match="does not know the stored token"):
            step()
    assert (stack.text(), emulator.stats()["mints"]) == (UNHEARD_OF, 1)


def test_another_file_by_a_link_is_another_store(stack: Stack) -> None:
    former = stack.create()
    elsewhere = stack.folder / "elsewhere"
    elsewhere.mkdir()
    stack.file.rename(elsewhere / "token")
    stack.file.symlink_to(elsewhere / "token")
    for step in (
        lambda: life.refresh(former, stack.target(), stack.warnings.append),
        lambda: stack.update(former, stack.target("2")),
        lambda: placed.deletion_warning(former),
    ):
        with pytest.raises(StoreError, match=r"another store \(path\)"):
            step()


def test_what_reads_a_token_in_its_place(stack: Stack) -> None:
    placed_now = stack.create()
    remembered = (placed_now.resolved, placed_now.stored_at)
    assert placed.read_token(placed_now.place, stack.url, remembered=remembered) == stack.text()
    with pytest.raises(StoreError, match="in the former place; this environment leads to"):
        placed.read_token(placed_now.place, stack.url, remembered=({"path": "/x"}, "the former place"))
    with pytest.raises(placed.AnotherTokenError, match="not the one with hash abc"):
        placed.read_token(placed_now.place, stack.url, hash_="abc")
    stack.file.unlink()
    with pytest.raises(placed.AnotherTokenError, match="There is no token"):
        placed.read_token(placed_now.place, stack.url)


def test_rotation_by_age(stack: Stack, emulator: Emulator) -> None:
    former = stack.create()
    long_ago = "2020-02-29T23:59:59.77Z"
    emulator.set_created(former.hash, long_ago)
    emulator.set_wallet(former.hash, 5000)
    unread, old = replace(former, created=None), replace(former, created=long_ago)
    aged = stack.target(max_age_days=30.0)
    for token, updates in ((former, ()), (unread, ("created",)), (old, ("max_age_days",))):
        assert life.compare(token, aged, {"a": "1"}).updates == updates
    # Reading the age takes a credit once; the wallet holds more than may be left behind.
    assert stack.update(unread, aged) == old
    assert "holds 4999 credits" in stack.warnings[-1]
    assert stack.update(old, aged) == old
    assert (emulator.stats()["credits_spent"], emulator.stats()["mints"]) == (1, 1)
    rotated = stack.update(old, stack.target(max_age_days=30.0, max_loss=5000.0))
    assert rotated.hash == hash_of(stack.text()) != former.hash
    assert life.compare(rotated, aged, {"a": "1"}).updates == ()


def test_an_empty_place_is_marked(stack: Stack, emulator: Emulator) -> None:
    former = stack.create()
    stack.file.unlink()
    marked = life.refresh(former, stack.target(), stack.warnings.append)
    assert marked == replace(former, gone=True)
    assert "There is no token in" in stack.warnings[-1]
    elsewhere = stack.folder / "other"
    moved = stack.update(marked, stack.target(place=elsewhere))
    assert moved.hash == hash_of(elsewhere.read_text().strip())
    assert emulator.stats()["mints"] == 2


def test_adopting_into_the_state_replaces_a_token_in_a_place(stack: Stack) -> None:
    target = replace(stack.target(), place=None, existing_token=ADOPTED)
    changes = life.compare(stack.create(), target, {"a": "1"})
    assert (changes.replaces, changes.updates) == (("existing_token",), ("place",))


def test_a_token_that_moves_keeps_the_time_of_its_creation(stack: Stack, emulator: Emulator) -> None:
    former = stack.create()
    assert former.created
    moved = stack.update(former, stack.target(place=stack.folder / "other"))
    assert (moved.hash, moved.created) == (former.hash, former.created)
    assert emulator.stats()["credits_spent"] == 0


def test_what_a_preview_expects(stack: Stack) -> None:
    former = stack.create()
    whole = life.outputs(former)

    def expected(target: Target, of: Any = former) -> dict[str, Any]:
        return life.expected(of, target, {"a": "1"}, UNKNOWN)

    assert expected(stack.target()) == whole
    unknown = {name for name, value in expected(stack.target("2")).items() if value is UNKNOWN}
    assert unknown == {"hash", "place", "created"}
    moved = expected(stack.target(place=stack.folder / "other"))
    assert {name for name, value in moved.items() if value is UNKNOWN} == {"place", "stored_at", "resolved"}
    back = expected(replace(stack.target(), place=None))
    assert back == {"token": UNKNOWN, "hash": former.hash, "service": former.service}
    from_state = expected(stack.target(), Kept(ADOPTED, former.service))
    assert "token" not in from_state
    assert from_state["hash"] == hash_of(ADOPTED)


@pytest.mark.parametrize("missing", ["hash", "service", "stored_at", "resolved"])
def test_a_state_that_lost_something(stack: Stack, missing: str) -> None:
    state = life.outputs(stack.create())
    assert life.stored(state, "any")
    del state[missing]
    with pytest.raises(InvalidInputError, match=f"has no {missing}"):
        life.stored(state, "any")


def test_a_token_back_in_the_state_keeps_its_first_id(stack: Stack) -> None:
    first = stack.create()
    second = stack.update(first, stack.target("2"))
    kept = life.update(second, replace(stack.target("2"), place=None), {"a": "2"}, stack.warnings.append)
    state = life.outputs(kept)
    assert life.stored(state, first.hash) == kept
    warnings: list[str] = []
    life.delete(state, first.hash, lambda: stack.url, set(), warnings.append)
    assert kept.hash in warnings[0]
    state["hash"] = first.hash
    with pytest.raises(InvalidInputError, match="holds the token with hash") as caught:
        life.stored({**state, "token": ADOPTED}, first.hash)
    assert ADOPTED not in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"place": {"path": "/a"}, "existing_token": ADOPTED}, "does not go with place"),
        ({"max_age_days": 1}, "goes only with place"),
    ],
)
def test_arguments_that_exclude_each_other(inputs: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInputError, match=why) as caught:
        life.check_together(inputs)
    assert ADOPTED not in str(caught.value)


@pytest.mark.parametrize("value", [-1, True, "90", 1e9, None])
def test_an_age_that_is_none(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="max_age_days must be"):
        life.check_max_age_days(value)
    with pytest.raises(InvalidInputError, match="max_loss must be"):
        life.check_max_loss(value if value != 1e9 else 1.5)


def test_what_a_preview_does_not_know_is_not_checked() -> None:
    def is_unknown(value: object) -> bool:
        return value is UNKNOWN

    for place in (
        {"path": UNKNOWN},
        {"hashi_vault": UNKNOWN},
        {"hashi_vault": {"path": UNKNOWN, "connection": UNKNOWN}},
        {"hashi_vault": {"path": "a", "connection": {"url": UNKNOWN}}},
        {"sops": {"file": UNKNOWN}},
        {"command": {"argv": [UNKNOWN, "b"]}},
        {"command": {"argv": UNKNOWN}},
    ):
        assert check_place(place, is_unknown) == place
        assert same_place(place, place)
        assert not same_place(place, UNKNOWN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("/a", "must be a mapping of one place"),
        ({"hashi_vault": "apps"}, "hashi_vault must be a mapping"),
        ({"hashi_vault": {"path": 1}}, "hashi_vault.path must be text"),
        (
            {"hashi_vault": {"path": "a", "custom_metadata": "b"}},
            "hashi_vault.custom_metadata must be a mapping",
        ),
        ({"command": {"argv": ["a"], "timeout": True}}, "command.timeout must be a number"),
        ({"command": {"argv": "a"}}, "command.argv must be a list, with one item"),
        ({"command": {"argv": ["a", 1]}}, "command.argv must be a list of texts"),
        ({"command": {"argv": [""]}}, "command.argv is needed"),
        ({"command": {"argv": []}}, "command.argv is needed"),
    ],
)
def test_a_place_that_makes_no_sense(place: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        check_place(place)


def test_an_error_of_a_store_has_no_hint_about_the_service(stack: Stack) -> None:
    from pulumi_echovalue._decisions.hints import explain

    stack.file.write_text("no token\n")
    with pytest.raises(EchoValueError) as caught:
        stack.create()
    text = explain(caught.value, "Create")
    assert "holds no token" in text
    assert "was requested" not in text
    assert json.dumps(life.check_max_loss(5.0)) == "5"
