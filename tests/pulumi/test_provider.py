# SPDX-License-Identifier: BSD-2-Clause
"""The provider's methods, called as the engine's process calls them, against the emulator."""

from __future__ import annotations

import base64
import hashlib
import inspect
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import UNKNOWN

from pulumi_echovalue._decisions import token as lifecycle
from pulumi_echovalue._dynamic import kept_tokens
from pulumi_echovalue.provider import TokenError, TokenProvider
from tests.pulumi.asking import GIVEN, GIVEN_HASH
from tests.testkit.service_faults import emulated
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

KEPT = {"token": GIVEN, "hash": GIVEN_HASH, "keepers": {"a": "1"}}  # as version 0.1.0 wrote it
ELSEWHERE = "https://elsewhere.example"

# What the state of version 0.1.0 holds. It never changes: see the provider's module.
PICKLE = "gASVMgAAAAAAAACMGXB1bHVtaV9lY2hvdmFsdWUucHJvdmlkZXKUjA1Ub2tlblByb3ZpZGVylJOUKYGULg=="


@pytest.fixture
def token_provider(emulator: Emulator) -> TokenProvider:
    """A provider whose service is the emulator, set up as in the engine's process."""
    pulumi.runtime.configure(pulumi.runtime.Settings(project="shop", stack="dev"))
    made = TokenProvider()
    made.configure(ConfigureRequest(Config({}, "shop")))
    return made


def value(output: dict[str, Any]) -> str:
    """Return the value that carries the engine's mark of a secret."""
    assert output.keys() == {"4dabf18193072939515e22adb298388d", "value"}
    assert output["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    return output["value"]


def failure(call: Any, *arguments: Any) -> str:
    """Return how the SDK tells the failure of a call to the engine."""
    with pytest.raises(TokenError) as caught:
        call(*arguments)
    assert GIVEN not in str(caught.value)
    return str(caught.value)


def test_the_state_refers_to_the_provider_by_name_alone() -> None:
    used = TokenProvider()
    assert serialize_provider(used) == PICKLE
    assert len(base64.b64decode(PICKLE)) < 64
    assert list(inspect.signature(TokenProvider).parameters) == []


def test_create_mints(token_provider: TokenProvider, emulator: Emulator) -> None:
    result = token_provider.create({"keepers": {"a": "1"}})
    assert result.outs
    token = value(result.outs["token"])
    assert result.id == result.outs["hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert (result.outs["keepers"], result.outs["service"]) == ({"a": "1"}, emulator.url)
    assert emulator.stats()["requests"] == {"POST /token": 1}


def test_nothing_follows_a_mint_that_can_fail(token_provider: TokenProvider, emulator: Emulator) -> None:
    emulator.fault("GET /recharge", "status", status=500, times=0)
    emulator.fault("GET /token", "status", status=500, times=0)
    before = emulator.tokens()
    minted = token_provider.create({}).id
    assert {token["hash"] for token in emulator.tokens() if token not in before} == {minted}


@pytest.mark.parametrize("wallet", [100, 0])
def test_create_adopts_what_is_proven(token_provider: TokenProvider, emulator: Emulator, wallet: int) -> None:
    emulator.register(GIVEN, wallet)
    result = token_provider.create({"existing_token": GIVEN})
    assert result.outs
    assert value(result.outs.pop("token")) == GIVEN
    assert (result.id, result.outs) == (GIVEN_HASH, {"hash": GIVEN_HASH, "service": emulator.url})
    assert emulator.stats()["requests"] == {"GET /recharge": 1}


@pytest.mark.parametrize("status", [401, 403])
def test_create_adopts_nothing_else(token_provider: TokenProvider, emulator: Emulator, status: int) -> None:
    emulator.register(GIVEN)
    emulator.fault("GET /recharge", "status", status=status, body=GIVEN)
    assert "Nothing was changed" in failure(token_provider.create, {"existing_token": GIVEN})
    assert emulator.stats()["mints"] == 0


def test_read(token_provider: TokenProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.register(GIVEN, wallet=0)
    kept = {**KEPT, "service": emulator.url}
    result = token_provider.read(GIVEN_HASH, kept)
    assert result.outs
    assert value(result.outs["token"]) == GIVEN
    assert (result.id, {**result.outs, "token": GIVEN}) == (GIVEN_HASH, kept)
    for fault in ("400", "403", "404", "a login page with 200", "redirect to another host"):
        emulator.fault("GET /recharge", **emulated(fault))
        assert "The service answered HTTP" in failure(token_provider.read, GIVEN_HASH, kept)
    assert capsys.readouterr().err == ""
    emulator.forget(GIVEN_HASH)
    result = token_provider.read(GIVEN_HASH, kept)
    assert result.outs
    assert (result.id, result.outs["gone"], value(result.outs["token"])) == (GIVEN_HASH, True, GIVEN)
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ")
    assert GIVEN_HASH in warning
    assert GIVEN not in warning


def test_a_hint_is_of_pulumi(token_provider: TokenProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHOVALUE_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ECHOVALUE_RETRIES", "0")
    text = failure(token_provider.read, GIVEN_HASH, KEPT)
    assert "the stack's config echovalue:baseUrl, else from ECHOVALUE_BASE_URL" in text
    text = failure(token_provider.read, GIVEN_HASH, {**KEPT, "service": "http://127.0.0.1:9"})
    assert "http://127.0.0.1:9 was requested, which the state remembers. If the service has moved" in text
    assert "ECHOVALUE_BASE_URL" not in text


@pytest.mark.parametrize(
    ("change", "changes", "replaces"),
    [
        ({}, False, []),
        ({"__provider": "another"}, False, []),
        ({"token": None, "hash": None, "service": None}, False, []),
        ({"keepers": {"a": "2"}}, True, ["keepers"]),
        ({"keepers": {"a": UNKNOWN}}, True, ["keepers"]),
        ({"keepers": UNKNOWN}, True, ["keepers"]),
        ({"keepers": None}, True, ["keepers"]),
        ({"existing_token": GIVEN}, False, []),
        ({"existing_token": GIVEN, "keepers": {"a": "2"}}, True, []),
        ({"existing_token": "another-token"}, True, ["existing_token"]),
        ({"existing_token": UNKNOWN}, True, ["existing_token"]),
        ({"keepers": {}, "existing_token": "another-token"}, True, ["existing_token", "keepers"]),
        ({"base_url": ELSEWHERE}, True, []),
        ({"base_url": UNKNOWN}, True, []),
        ({"base_url": ""}, False, []),
    ],
)
@pytest.mark.parametrize("remembered", [True, False], ids=["of-now", "of-0.1.0"])
def test_diff(
    token_provider: TokenProvider,
    emulator: Emulator,
    change: dict[str, Any],
    changes: bool,
    replaces: list[str],
    remembered: bool,
) -> None:
    kept = {**KEPT, "service": emulator.url} if remembered else KEPT
    result = token_provider.diff(GIVEN_HASH, kept, {"keepers": {"a": "1"}, **change})
    assert (result.changes, result.replaces, result.delete_before_replace) == (changes, replaces, False)
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize(
    ("news", "replaces"),
    [
        ({}, ["gone"]),
        ({"base_url": ELSEWHERE}, []),
        ({"base_url": UNKNOWN}, []),
        ({"base_url": ELSEWHERE, "existing_token": UNKNOWN}, ["existing_token"]),
    ],
)
def test_diff_of_a_marked_token(
    token_provider: TokenProvider, emulator: Emulator, news: dict[str, Any], replaces: list[str]
) -> None:
    marked = {**KEPT, "service": emulator.url, "gone": True}
    result = token_provider.diff(GIVEN_HASH, marked, {"keepers": {"a": "1"}, **news})
    assert (result.changes, result.replaces) == (True, replaces)
    assert emulator.stats()["total"] == 0


def test_update_of_a_marked_token(
    token_provider: TokenProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    marked = {**KEPT, "service": ELSEWHERE, "gone": True}
    assert "is marked as gone" in failure(token_provider.update, GIVEN_HASH, marked, {})
    assert emulator.stats()["total"] == 0
    named = {"base_url": emulator.url}
    outs = token_provider.update(GIVEN_HASH, marked, named).outs
    assert outs
    assert (outs["service"], outs["gone"]) == (emulator.url, True)
    assert "the next up replaces it" in capsys.readouterr().err
    emulator.register(GIVEN)
    outs = token_provider.update(GIVEN_HASH, marked, {**named, "existing_token": GIVEN}).outs
    assert outs
    assert outs["service"] == emulator.url
    assert "gone" not in outs
    emulator.forget(GIVEN_HASH)


def test_a_token_that_only_updates_is_known_to_its_alert(
    token_provider: TokenProvider, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.register(GIVEN)
    olds = {"token": GIVEN, "hash": GIVEN_HASH, "service": emulator.url, "keepers": {"a": "1"}}
    for news, service in (
        ({"keepers": {"a": "2"}, "existing_token": GIVEN}, emulator.url),
        ({"keepers": {"a": "1"}, "place": {"path": "/a"}}, emulator.url),
        ({"keepers": {"a": "2"}, "place": {"path": "/a"}}, None),
        ({"keepers": {"a": "2"}}, None),
    ):
        monkeypatch.setattr(kept_tokens, "_services", {})
        assert token_provider.diff(GIVEN_HASH, olds, news).changes
        assert kept_tokens.service_of(GIVEN_HASH) == service


def test_no_keepers_are_as_empty_ones(token_provider: TokenProvider) -> None:
    kept = {"token": GIVEN, "hash": GIVEN_HASH}
    assert token_provider.diff(GIVEN_HASH, kept, {"keepers": {}}).changes is False
    assert token_provider.diff(GIVEN_HASH, {**kept, "keepers": {}}, {}).changes is False


def test_an_adopted_token_stays_without_the_argument(token_provider: TokenProvider) -> None:
    kept = {**KEPT, "existing_token": GIVEN}
    assert token_provider.diff(GIVEN_HASH, kept, {"keepers": {"a": "1"}}).changes is False


def test_update_keeps_the_token(token_provider: TokenProvider, emulator: Emulator) -> None:
    news = {"keepers": {"a": "2"}, "existing_token": GIVEN}
    outs = token_provider.update(GIVEN_HASH, {**KEPT, "service": ELSEWHERE}, news).outs
    assert outs
    assert value(outs.pop("token")) == GIVEN
    assert outs == {"keepers": {"a": "2"}, "hash": GIVEN_HASH, "service": ELSEWHERE}
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, "stays valid, with 42 credits"),
        ("401", "is unknown to http://127.0.0.1:"),
        ("402", "stays valid, with 0 credits"),
        ("500", "stays valid, with a balance that could not be read now"),
        ("silence", "stays valid, with a balance that could not be read now"),
    ],
)
def test_delete_warns_and_succeeds(
    token_provider: TokenProvider,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str | None,
    told: str,
) -> None:
    monkeypatch.setattr(lifecycle, "_DELETE_TIMEOUT", 0.3)
    emulator.register(GIVEN, wallet=42)
    if fault:
        emulator.fault("*", times=0, **emulated(fault))
    token_provider.delete(GIVEN_HASH, KEPT)
    warning = capsys.readouterr().err
    assert f"the one with hash {GIVEN_HASH} leaves the stack and {told}" in warning
    assert GIVEN not in warning
    assert emulator.stats()["total"] == 1  # asked once


@pytest.mark.parametrize("props", [{**KEPT, "base_url": "ftp://nowhere"}, {}])
def test_delete_succeeds_with_any_state(token_provider: TokenProvider, props: dict[str, Any]) -> None:
    token_provider.delete(GIVEN_HASH, props)


@pytest.mark.parametrize(
    ("news", "told"),
    [
        ({"existing_token": "short"}, "existing_token: That is not a token"),
        ({"existing_token": GIVEN + "\n" + GIVEN}, "existing_token: That is not a token"),
        ({"existing_token": ""}, "existing_token: That is not a token"),
        ({"existing_token": 12345678901.0}, "existing_token: That is not a token"),
        ({"base_url": "http://example.com"}, "base_url: base_url is refused: plain http"),
        ({"keepers": {"a": [1.0]}}, "keepers: keepers must map strings to strings"),
        ({"keepers": {"a": None}}, "keepers: keepers must map strings to strings"),
        ({"keepers": ["a"]}, "keepers: keepers must be a mapping"),
    ],
)
def test_check_refuses(token_provider: TokenProvider, news: dict[str, Any], told: str) -> None:
    result = token_provider.check({}, news)
    (found,) = result.failures
    assert found.reason.startswith(told)
    assert GIVEN not in found.reason
    # The engine prints the value of a property that a failure names.
    assert found.property == ""


@pytest.mark.parametrize(
    "news",
    [
        {},
        {"keepers": {"a": "1"}, "base_url": "https://example.com"},
        {"existing_token": UNKNOWN, "keepers": UNKNOWN, "base_url": UNKNOWN},
        {"keepers": {"a": UNKNOWN}},
    ],
)
def test_check_lets_pass(token_provider: TokenProvider, emulator: Emulator, news: dict[str, Any]) -> None:
    result = token_provider.check({}, news)
    assert (result.inputs, result.failures) == (news, [])
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_check_marks_what_is_adopted_as_a_secret(token_provider: TokenProvider, end: str) -> None:
    inputs = token_provider.check({}, {"existing_token": GIVEN + end}).inputs
    assert value(inputs["existing_token"]) == GIVEN


def test_a_fault_of_ours_shows_nothing_of_its_text(
    token_provider: TokenProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(GIVEN)

    monkeypatch.setattr(lifecycle, "provision", broken)
    assert "RuntimeError in create: a fault of pulumi-echovalue" in failure(token_provider.create, {})
