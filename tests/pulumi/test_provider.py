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

from pulumi_echovalue import provider
from pulumi_echovalue.provider import TokenError, TokenProvider
from tests.emulator.client import Emulator

GIVEN = "feedfacefeedfacefeedfacefeedface"
GIVEN_HASH = hashlib.sha256(GIVEN.encode()).hexdigest()
KEPT = {"token": GIVEN, "hash": GIVEN_HASH, "keepers": {"a": "1"}}

# What the state of version 0.1.0 holds. It never changes: see the provider's module.
PICKLE = "gASVMgAAAAAAAACMGXB1bHVtaV9lY2hvdmFsdWUucHJvdmlkZXKUjA1Ub2tlblByb3ZpZGVylJOUKYGULg=="


@pytest.fixture
def token_provider(emulator: Emulator) -> TokenProvider:
    """A provider whose service is the emulator, set up as in the engine's process."""
    pulumi.runtime.configure(pulumi.runtime.Settings(project="shop", stack="dev"))
    made = TokenProvider()
    made.configure(ConfigureRequest(Config({}, "shop")))
    return made


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
    assert result.id == result.outs["hash"] == hashlib.sha256(result.outs["token"].encode()).hexdigest()
    assert result.outs["keepers"] == {"a": "1"}
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
    assert (result.id, result.outs) == (
        GIVEN_HASH,
        {"existing_token": GIVEN, "token": GIVEN, "hash": GIVEN_HASH},
    )
    assert emulator.stats()["requests"] == {"GET /recharge": 1}


@pytest.mark.parametrize("status", [401, 403])
def test_create_adopts_nothing_else(token_provider: TokenProvider, emulator: Emulator, status: int) -> None:
    emulator.register(GIVEN)
    emulator.fault("GET /recharge", "status", status=status, body=GIVEN)
    assert "Nothing was changed" in failure(token_provider.create, {"existing_token": GIVEN})
    assert emulator.stats()["mints"] == 0


def test_a_mint_in_doubt_is_not_repeated(token_provider: TokenProvider, emulator: Emulator) -> None:
    emulator.fault("POST /token", "drop", after_work=True)
    assert "A token may have been minted and lost" in failure(token_provider.create, {})
    assert emulator.stats()["mints"] == 1


def test_read(token_provider: TokenProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.register(GIVEN, wallet=0)
    result = token_provider.read(GIVEN_HASH, KEPT)
    assert (result.id, result.outs) == (GIVEN_HASH, KEPT)
    for status in (400, 403, 404):
        emulator.fault("GET /recharge", "status", status=status)
        assert f"HTTP {status}" in failure(token_provider.read, GIVEN_HASH, KEPT)
    assert capsys.readouterr().err == ""
    emulator.forget(GIVEN_HASH)
    result = token_provider.read(GIVEN_HASH, KEPT)
    assert (result.id, result.outs) == ("", {})
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ")
    assert GIVEN_HASH in warning
    assert GIVEN not in warning


@pytest.mark.parametrize(
    ("change", "changes", "replaces"),
    [
        ({}, False, []),
        ({"__provider": "another"}, False, []),
        ({"token": None, "hash": None}, False, []),
        ({"keepers": {"a": "2"}}, True, ["keepers"]),
        ({"keepers": {"a": UNKNOWN}}, True, ["keepers"]),
        ({"keepers": UNKNOWN}, True, ["keepers"]),
        ({"keepers": None}, True, ["keepers"]),
        ({"existing_token": "another-token"}, True, ["existing_token"]),
        ({"existing_token": UNKNOWN}, True, ["existing_token"]),
        ({"keepers": {}, "existing_token": GIVEN}, True, ["existing_token", "keepers"]),
        ({"base_url": "https://example.com"}, True, []),
        ({"base_url": UNKNOWN}, True, []),
        ({"base_url": ""}, False, []),
    ],
)
def test_diff(
    token_provider: TokenProvider,
    emulator: Emulator,
    change: dict[str, Any],
    changes: bool,
    replaces: list[str],
) -> None:
    news = {"keepers": {"a": "1"}, **change}
    result = token_provider.diff(GIVEN_HASH, KEPT, news)
    assert (result.changes, result.replaces, result.delete_before_replace) == (changes, replaces, False)
    assert emulator.stats()["total"] == 0


def test_no_keepers_are_as_empty_ones(token_provider: TokenProvider) -> None:
    kept = {"token": GIVEN, "hash": GIVEN_HASH}
    assert token_provider.diff(GIVEN_HASH, kept, {"keepers": {}}).changes is False
    assert token_provider.diff(GIVEN_HASH, {**kept, "keepers": {}}, {}).changes is False


def test_update_keeps_the_token(token_provider: TokenProvider, emulator: Emulator) -> None:
    news = {"keepers": {"a": "1"}, "base_url": "https://example.com"}
    assert token_provider.update(GIVEN_HASH, KEPT, news).outs == {**KEPT, **news}
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, "stays valid, with 42 credits"),
        ({"kind": "status", "status": 401}, "is unknown to http://127.0.0.1:"),
        ({"kind": "status", "status": 402}, "stays valid, with 0 credits"),
        ({"kind": "status", "status": 500}, "stays valid, with a balance that could not be read now"),
        ({"kind": "hang"}, "stays valid, with a balance that could not be read now"),
    ],
)
def test_delete_warns_and_succeeds(
    token_provider: TokenProvider,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: dict[str, Any] | None,
    told: str,
) -> None:
    monkeypatch.setattr(provider, "_DELETE_TIMEOUT", 0.3)
    emulator.register(GIVEN, wallet=42)
    if fault:
        emulator.fault("*", times=0, **fault)
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
        ({"existing_token": "short"}, "existing_token: What was given as a token is none"),
        ({"existing_token": GIVEN + "\n"}, "existing_token: What was given as a token is none"),
        ({"existing_token": ""}, "existing_token: What was given as a token is none"),
        ({"existing_token": 12345678901.0}, "existing_token: What was given as a token is none"),
        ({"base_url": "http://example.com"}, "base_url: base_url is refused: plain http"),
        ({"keepers": {"a": 1.0}}, "keepers: keepers must map strings to strings"),
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
        {"existing_token": GIVEN, "keepers": {"a": "1"}, "base_url": "https://example.com"},
        {"existing_token": UNKNOWN, "keepers": UNKNOWN, "base_url": UNKNOWN},
        {"keepers": {"a": UNKNOWN}},
    ],
)
def test_check_lets_pass(token_provider: TokenProvider, emulator: Emulator, news: dict[str, Any]) -> None:
    result = token_provider.check({}, news)
    assert (result.inputs, result.failures) == (news, [])
    assert emulator.stats()["total"] == 0


def test_where_the_base_url_comes_from(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def url(given: str | None, configured: str | None) -> str:
        made = TokenProvider()
        config = {} if configured is None else {"echovalue:baseUrl": configured}
        made.configure(ConfigureRequest(Config(config, "shop")))
        return made._client({"base_url": given}).base_url

    assert url("https://given.example", "https://config.example") == "https://given.example"
    assert url(None, "https://config.example") == "https://config.example"
    assert url(None, None) == emulator.url
    monkeypatch.delenv("ECHOVALUE_BASE_URL")
    assert url(None, None) == "https://api.echovalue.dev"


def test_a_fault_of_ours_shows_nothing_of_its_text(
    token_provider: TokenProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(GIVEN)

    monkeypatch.setattr(provider, "provision", broken)
    assert "RuntimeError in create: a fault of pulumi-echovalue" in failure(token_provider.create, {})
