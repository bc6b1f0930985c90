# SPDX-License-Identifier: BSD-2-Clause
"""The decisions that both providers share, about two services: the token's own and another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_echovalue._decisions import token as lifecycle
from pulumi_echovalue._decisions.service import Service, check_config_keys, find_service
from pulumi_echovalue._decisions.token import Changes, Kept, check_keepers
from pulumi_echovalue._shared.module_utils.core.errors import (
    EchoValueError,
    InvalidInputError,
    StoredTokenUnknownError,
)
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tests.testkit.service_faults import emulated
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

ELSEWHERE = "https://elsewhere.example"
ASKED = {"GET /recharge": 1}


@pytest.fixture
def known(emulator: Emulator) -> Iterator[None]:
    """Let the emulator know the token."""
    emulator.register(ADOPTED)
    yield
    emulator.forget(ADOPTED_HASH)


def test_where_the_service_comes_from(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"baseUrl": ELSEWHERE}
    assert find_service("https://given.example/", config) == Service("https://given.example", named=True)
    assert find_service(None, config) == Service(ELSEWHERE, named=True)
    assert find_service(None, {}) == Service(emulator.url, named=False)
    monkeypatch.delenv("ECHOVALUE_BASE_URL")
    assert find_service(None, {"baseUrl": None}) == Service("https://api.echovalue.dev", named=False)


def test_where_timeout_and_retries_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHOVALUE_TIMEOUT", "2.5")
    monkeypatch.setenv("ECHOVALUE_RETRIES", "0")
    found = find_service(ELSEWHERE, {})
    assert (found.timeout, found.retries) == (2.5, 0)
    found = find_service(ELSEWHERE, {"timeout": "20", "retries": 7.0})
    assert (found.timeout, found.retries) == (20, 7)


@pytest.mark.parametrize(
    ("key", "variable", "wrong", "reported"),
    [
        ("timeout", "ECHOVALUE_TIMEOUT", "10s", "timeout must be a number."),
        ("timeout", "ECHOVALUE_TIMEOUT", "0", "timeout must be a number of seconds above 0, and "),
        ("timeout", "ECHOVALUE_TIMEOUT", "nan", "timeout must be a number of seconds above 0, and "),
        ("retries", "ECHOVALUE_RETRIES", "2.5", "retries must be a whole number."),
        ("retries", "ECHOVALUE_RETRIES", "inf", "retries must be a whole number."),
        ("retries", "ECHOVALUE_RETRIES", "-1", "retries must be 0 or more."),
        ("baseUrl", "ECHOVALUE_BASE_URL", "ftp://nowhere", "base_url is refused: it must start with"),
    ],
)
def test_a_wrong_setting_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, key: str, variable: str, wrong: str, reported: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        find_service(None, {key: wrong})
    assert str(caught.value).startswith(reported)
    assert f"It comes from the config's echovalue:{key}. No request was sent." in str(caught.value)
    monkeypatch.setenv(variable, wrong)
    with pytest.raises(InvalidInputError, match=f"It comes from the environment's {variable}"):
        find_service(None, {})


@pytest.mark.parametrize("key", ["baseURL", "base_url", "url"])
def test_a_key_that_is_close_to_one_is_refused(key: str) -> None:
    check_config_keys(["baseUrl", "owner"])  # the second is like none of ours
    with pytest.raises(InvalidInputError, match=r"did you mean echovalue:baseUrl\?"):
        check_config_keys([key])


def test_keepers_are_texts() -> None:
    """YAML reads `release: 2026` as a number, and the engine's protocol has no other than floats."""
    texts = {"release": "2026", "share": "0.5", "live": "true", "name": "a"}
    assert check_keepers({"release": 2026.0, "share": 0.5, "live": True, "name": "a"}) == texts
    for wrong in ([1.0], {}, None):
        with pytest.raises(InvalidInputError, match="no string is the value of: a, b"):
            check_keepers({"b": wrong, "a": wrong, "c": "1"})
    with pytest.raises(InvalidInputError, match="keepers must be a mapping"):
        check_keepers(["a"])


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.usefixtures("known")
def test_its_own_service_is_asked(emulator: Emulator, named: bool) -> None:
    requested = Service(emulator.url, named)
    kept = Kept(ADOPTED, emulator.url)
    assert lifecycle.refresh(kept, requested) == kept
    assert lifecycle.refresh(Kept(ADOPTED, None), requested) == kept  # which is written down
    assert lifecycle.refresh(kept, Service(ELSEWHERE, named=False)) == kept
    assert emulator.stats()["requests"] == {"GET /recharge": 3}


@pytest.mark.parametrize(
    ("remembered", "named", "marked"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_whose_answer_marks_a_token(emulator: Emulator, remembered: bool, named: bool, marked: bool) -> None:
    kept = Kept(ADOPTED, emulator.url if remembered else None)
    requested = Service(emulator.url, named)
    if marked:
        assert lifecycle.refresh(kept, requested) == Kept(ADOPTED, emulator.url, gone=True)
    else:
        with pytest.raises(StoredTokenUnknownError, match="left as it is") as caught:
            lifecycle.refresh(kept, requested)
        assert f"pulumi config set echovalue:baseUrl {emulator.url}" in str(caught.value)
    assert emulator.stats()["requests"] == ASKED


@pytest.mark.parametrize("wallet", [7, 0])
def test_an_answer_that_the_token_is_valid_clears_the_mark(emulator: Emulator, wallet: int) -> None:
    emulator.register(ADOPTED, wallet)
    marked = Kept(ADOPTED, emulator.url, gone=True)
    assert lifecycle.refresh(marked, Service(ELSEWHERE, named=False)) == Kept(ADOPTED, emulator.url)
    emulator.forget(ADOPTED_HASH)


@pytest.mark.parametrize("gone", [True, False])
def test_an_answer_that_says_neither_changes_nothing(emulator: Emulator, gone: bool) -> None:
    emulator.fault("GET /recharge", "status", status=403)
    with pytest.raises(EchoValueError, match="HTTP 403"):
        lifecycle.refresh(Kept(ADOPTED, emulator.url, gone), Service(emulator.url, named=True))


OWN = "https://own.example"
KEPT, MARKED = Kept(ADOPTED, OWN), Kept(ADOPTED, OWN, gone=True)
ANOTHER = "another-token"
SAME, ROTATED = ({"a": "1"}, {"a": "1"}), ({"a": "1"}, {"a": "2"})


@pytest.mark.parametrize(
    ("requested", "existing_token", "keepers", "expected"),
    [
        (Service(OWN, named=False), None, SAME, Changes()),
        (Service(OWN, named=False), None, (None, {}), Changes()),
        (Service(OWN, named=False), None, ({}, None), Changes()),
        (Service(OWN, named=False), None, ROTATED, Changes(("keepers",))),
        (Service(OWN, named=False), ADOPTED, SAME, Changes()),
        (Service(OWN, named=False), ADOPTED, ROTATED, Changes(updates=("keepers",))),
        (Service(OWN, named=False), ANOTHER, SAME, Changes(("existing_token",))),
        (Service(OWN, named=False), ANOTHER, ROTATED, Changes(("existing_token", "keepers"))),
        # Another service is a change where it is named, and else none: it replaces nothing either.
        (Service(ELSEWHERE, named=True), None, SAME, Changes(updates=("service",))),
        (Service(ELSEWHERE, named=True), ADOPTED, SAME, Changes(updates=("service",))),
        (Service(ELSEWHERE, named=True), None, ROTATED, Changes(("keepers",), ("service",))),
        (Service(ELSEWHERE, named=False), None, SAME, Changes()),
        (Service(ELSEWHERE, named=False), ADOPTED, SAME, Changes()),
        (Service(ELSEWHERE, named=False), None, ROTATED, None),
        (Service(ELSEWHERE, named=False), ANOTHER, ROTATED, None),
    ],
)
def test_what_inputs_request(
    requested: Service, existing_token: str | None, keepers: tuple[object, object], expected: Changes | None
) -> None:
    if expected is not None:
        assert lifecycle.compare(KEPT, requested, existing_token, keepers) == expected
        return
    with pytest.raises(InvalidInputError, match=r"is of https://own\.example, and would be") as caught:
        lifecycle.compare(KEPT, requested, existing_token, keepers)
    assert "Nothing was changed" in str(caught.value)


@pytest.mark.parametrize(
    ("requested", "existing_token", "keepers", "expected"),
    [
        # Its own service, named or not: a replacement, but of the token that the program names.
        (Service(OWN, named=True), None, SAME, Changes(("gone",))),
        (Service(OWN, named=False), None, SAME, Changes(("gone",))),
        (Service(OWN, named=False), None, ROTATED, Changes(("gone", "keepers"))),
        (Service(OWN, named=True), ANOTHER, SAME, Changes(("gone", "existing_token"))),
        (Service(OWN, named=True), ADOPTED, SAME, Changes(updates=("gone",))),
        (Service(OWN, named=False), ADOPTED, ROTATED, Changes(updates=("gone", "keepers"))),
        # Another one that is named: proven there by an update, but for what replaces as ever.
        (Service(ELSEWHERE, named=True), None, SAME, Changes((), ("service",))),
        (Service(ELSEWHERE, named=True), ADOPTED, SAME, Changes((), ("gone", "service"))),
        (Service(ELSEWHERE, named=True), None, ROTATED, Changes(("keepers",), ("service",))),
        (Service(ELSEWHERE, named=True), ANOTHER, SAME, Changes(("existing_token",), ("service",))),
        # Another one that nobody names: an update, which fails.
        (Service(ELSEWHERE, named=False), None, SAME, Changes((), ("gone",))),
        (Service(ELSEWHERE, named=False), ADOPTED, SAME, Changes((), ("gone",))),
        (Service(ELSEWHERE, named=False), None, ROTATED, Changes((), ("gone", "keepers"))),
        (Service(ELSEWHERE, named=False), ANOTHER, SAME, Changes((), ("gone", "existing_token"))),
    ],
)
def test_what_becomes_of_a_marked_token(
    emulator: Emulator,
    requested: Service,
    existing_token: str | None,
    keepers: tuple[object, object],
    expected: Changes,
) -> None:
    assert lifecycle.compare(MARKED, requested, existing_token, keepers) == expected
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize("existing_token", [None, ADOPTED])
def test_a_marked_token_is_proven_where_a_service_is_named(
    emulator: Emulator, existing_token: str | None
) -> None:
    requested = Service(emulator.url, named=True)
    if existing_token is None:
        assert lifecycle.move(MARKED, requested) == Kept(ADOPTED, emulator.url, gone=True)
    else:
        with pytest.raises(StoredTokenUnknownError, match="existing_token names that very token"):
            lifecycle.move(MARKED, requested, existing_token)
    emulator.register(ADOPTED)
    assert lifecycle.move(MARKED, requested, existing_token) == Kept(ADOPTED, emulator.url)
    emulator.forget(ADOPTED_HASH)


def test_a_marked_token_at_its_own_named_service(emulator: Emulator) -> None:
    marked, requested = Kept(ADOPTED, emulator.url, gone=True), Service(emulator.url, named=False)
    with pytest.raises(StoredTokenUnknownError, match="none was minted"):
        lifecycle.move(marked, requested, ADOPTED)
    emulator.register(ADOPTED)
    assert lifecycle.move(marked, requested, ADOPTED) == Kept(ADOPTED, emulator.url)
    emulator.forget(ADOPTED_HASH)


@pytest.mark.parametrize("existing_token", [None, ADOPTED])
def test_a_marked_token_is_not_sent_to_an_unnamed_service(
    emulator: Emulator, existing_token: str | None
) -> None:
    with pytest.raises(InvalidInputError, match=r"marked as gone: it is of https://own\.example") as caught:
        lifecycle.move(MARKED, Service(emulator.url, named=False), existing_token)
    assert "Nothing was changed" in str(caught.value)
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize("service", [ELSEWHERE, None])
@pytest.mark.usefixtures("known")
def test_a_named_service_that_knows_the_token_becomes_its_own(
    emulator: Emulator, service: str | None
) -> None:
    requested = Service(emulator.url, named=True)
    for become in (lifecycle.move, lifecycle.refresh):
        assert become(Kept(ADOPTED, service), requested) == Kept(ADOPTED, emulator.url)


def test_a_named_service_without_the_token_is_an_error(emulator: Emulator) -> None:
    for become in (lifecycle.move, lifecycle.refresh):
        with pytest.raises(StoredTokenUnknownError, match="left as it is") as caught:
            become(Kept(ADOPTED, ELSEWHERE), Service(emulator.url, named=True))
        assert ELSEWHERE in str(caught.value)
        assert ADOPTED not in str(caught.value)
    assert emulator.stats()["mints"] == 0


def test_an_unnamed_service_is_not_asked(emulator: Emulator) -> None:
    kept = Kept(ADOPTED, ELSEWHERE)
    assert lifecycle.move(kept, Service(emulator.url, named=False)) == kept
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize(
    ("fault", "reported"),
    [
        (None, "stays valid, with 42 credits"),
        ("401", "is unknown to http://127.0.0.1:"),
        ("402", "stays valid, with 0 credits"),
        ("500", "stays valid, with a balance that could not be read now"),
        ("silence", "stays valid, with a balance that could not be read now"),
    ],
)
def test_a_deletion_asks_once_and_succeeds(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, fault: str | None, reported: str
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(lifecycle, "_DELETE_TIMEOUT", 0.3)
    emulator.register(ADOPTED, wallet=42)
    if fault:
        emulator.fault("*", times=0, **emulated(fault))
    lifecycle.delete({"token": ADOPTED}, ADOPTED_HASH, lambda: emulator.url, set(), warnings.append)
    assert f"the one with hash {ADOPTED_HASH} leaves the stack and {reported}" in warnings[0]
    assert ADOPTED not in warnings[0]
    assert emulator.stats()["total"] == 1


def test_a_token_adopted_again_does_not_leave_the_stack(emulator: Emulator) -> None:
    """As by `--replace` of a Token with existing_token: the new one is created first."""
    warnings: list[str] = []
    emulator.register(ADOPTED)
    created_here: set[str] = set()
    kept = lifecycle.create(Service(emulator.url, named=False), ADOPTED, created_here)
    lifecycle.delete({"token": ADOPTED}, kept.hash, lambda: emulator.url, created_here, warnings.append)
    assert warnings == []
    assert emulator.stats()["requests"] == ASKED


@pytest.mark.parametrize(
    ("state", "reported"),
    [
        ({}, "holds no token"),
        ({"token": None}, "holds no token"),
        ({"token": "short"}, "That is not a token"),
        ({"token": ADOPTED[::-1]}, "the id of a token is its hash"),
    ],
)
def test_a_state_that_was_edited_by_hand(state: dict[str, Any], reported: str) -> None:
    with pytest.raises(InvalidInputError, match=reported) as caught:
        lifecycle.stored(state, ADOPTED_HASH)
    assert ADOPTED not in str(caught.value)
    assert lifecycle.stored({"token": ADOPTED}, ADOPTED_HASH) == Kept(ADOPTED, None)
