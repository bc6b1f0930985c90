# SPDX-License-Identifier: BSD-2-Clause
"""The methods of the dynamic provider of a `Token`, called as the engine's process calls them.

What they decide is in test_lifecycle.py and test_placed.py.
"""

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
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

KEPT = {"token": ADOPTED, "hash": ADOPTED_HASH, "keepers": {"a": "1"}}  # as version 0.1.0 wrote it
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
    """Return how the SDK reports the failure of a call to the engine."""
    with pytest.raises(TokenError) as caught:
        call(*arguments)
    assert ADOPTED not in str(caught.value)
    return str(caught.value)


def test_the_state_refers_to_the_provider_by_name_only() -> None:
    used = TokenProvider()
    pickled, kept = base64.b64decode(serialize_provider(used)), base64.b64decode(PICKLE)
    assert pickled[2:] == kept[2:]  # before it is the protocol, which Python 3.14 raised
    assert len(kept) < 64
    assert list(inspect.signature(TokenProvider).parameters) == []


def test_create_mints(token_provider: TokenProvider, emulator: Emulator) -> None:
    result = token_provider.create({"keepers": {"a": "1"}})
    assert result.outs
    token = value(result.outs["token"])
    assert result.id == result.outs["hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert (result.outs["keepers"], result.outs["service"]) == ({"a": "1"}, emulator.url)
    assert emulator.stats()["requests"] == {"POST /token": 1}


def test_create_adopts_what_is_proven(token_provider: TokenProvider, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=0)
    result = token_provider.create({"existing_token": ADOPTED})
    assert result.outs
    assert value(result.outs.pop("token")) == ADOPTED
    assert (result.id, result.outs) == (ADOPTED_HASH, {"hash": ADOPTED_HASH, "service": emulator.url})
    assert emulator.stats()["requests"] == {"GET /recharge": 1}


def test_read(token_provider: TokenProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.register(ADOPTED, wallet=0)
    kept = {**KEPT, "service": emulator.url}
    result = token_provider.read(ADOPTED_HASH, kept)
    assert result.outs
    assert value(result.outs["token"]) == ADOPTED
    assert (result.id, {**result.outs, "token": ADOPTED}) == (ADOPTED_HASH, kept)
    emulator.fault("GET /recharge", "status", status=403)
    assert "The service answered HTTP 403" in failure(token_provider.read, ADOPTED_HASH, kept)
    assert capsys.readouterr().err == ""
    emulator.forget(ADOPTED_HASH)
    result = token_provider.read(ADOPTED_HASH, kept)
    assert result.outs
    assert (result.id, result.outs["gone"], value(result.outs["token"])) == (ADOPTED_HASH, True, ADOPTED)
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ")
    assert ADOPTED_HASH in warning
    assert ADOPTED not in warning


def test_a_hint_is_of_pulumi(token_provider: TokenProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHOVALUE_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ECHOVALUE_RETRIES", "0")
    text = failure(token_provider.read, ADOPTED_HASH, KEPT)
    assert "the stack's config echovalue:baseUrl, else from ECHOVALUE_BASE_URL" in text
    text = failure(token_provider.read, ADOPTED_HASH, {**KEPT, "service": "http://127.0.0.1:9"})
    assert "http://127.0.0.1:9 was requested, which the state remembers. If the service has moved" in text
    assert "ECHOVALUE_BASE_URL" not in text


OF_0_1_0, OF_NOW, MARKED = {}, {"service": "https://now.example"}, {"service": ELSEWHERE, "gone": True}


@pytest.mark.parametrize(
    ("kept", "change", "changes", "replaces"),
    [
        (kept, *row)
        for row in (
            ({}, False, []),
            ({"__provider": "another"}, False, []),
            ({"token": None, "hash": None, "service": None}, False, []),
            ({"keepers": {"a": "2"}}, True, ["keepers"]),
            ({"keepers": {"a": UNKNOWN}}, True, ["keepers"]),
            ({"keepers": UNKNOWN}, True, ["keepers"]),
            ({"existing_token": ADOPTED, "keepers": {"a": "2"}}, True, []),
            ({"existing_token": UNKNOWN}, True, ["existing_token"]),
            ({"base_url": ELSEWHERE}, True, []),
            ({"base_url": UNKNOWN}, True, []),
            ({"base_url": ""}, False, []),
        )
        for kept in (OF_0_1_0, OF_NOW)
    ]
    + [
        (MARKED, {"base_url": ELSEWHERE}, True, ["gone"]),
        (MARKED, {"base_url": UNKNOWN}, True, []),
        (MARKED, {"base_url": UNKNOWN, "existing_token": UNKNOWN}, True, ["existing_token"]),
    ],
)
def test_diff(
    token_provider: TokenProvider,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    kept: dict[str, Any],
    change: dict[str, Any],
    changes: bool,
    replaces: list[str],
) -> None:
    monkeypatch.setenv("ECHOVALUE_BASE_URL", str(OF_NOW["service"]))
    result = token_provider.diff(ADOPTED_HASH, {**KEPT, **kept}, {"keepers": {"a": "1"}, **change})
    assert (result.changes, result.replaces, result.delete_before_replace) == (changes, replaces, False)
    assert emulator.stats()["total"] == 0


def test_a_token_that_only_updates_is_known_to_its_alert(
    token_provider: TokenProvider, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.register(ADOPTED)
    olds = {"token": ADOPTED, "hash": ADOPTED_HASH, "service": emulator.url, "keepers": {"a": "1"}}
    for news, service in (
        ({"keepers": {"a": "2"}, "existing_token": ADOPTED}, emulator.url),
        ({"keepers": {"a": "1"}, "place": {"path": "/a"}}, emulator.url),
        ({"keepers": {"a": "2"}, "place": {"path": "/a"}}, None),
        ({"keepers": {"a": "2"}}, None),
    ):
        monkeypatch.setattr(kept_tokens, "_services", {})
        assert token_provider.diff(ADOPTED_HASH, olds, news).changes
        assert kept_tokens.service_of(ADOPTED_HASH) == service


def test_update_of_a_marked_token(
    token_provider: TokenProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    marked = {**KEPT, "service": ELSEWHERE, "gone": True}
    assert "is marked as gone" in failure(token_provider.update, ADOPTED_HASH, marked, {})
    outs = token_provider.update(ADOPTED_HASH, marked, {"base_url": emulator.url}).outs
    assert outs
    assert (outs["service"], outs["gone"]) == (emulator.url, True)
    assert "the next up replaces it" in capsys.readouterr().err


def test_update_keeps_the_token(token_provider: TokenProvider, emulator: Emulator) -> None:
    news = {"keepers": {"a": "2"}, "existing_token": ADOPTED}
    outs = token_provider.update(ADOPTED_HASH, {**KEPT, "service": ELSEWHERE}, news).outs
    assert outs
    assert value(outs.pop("token")) == ADOPTED
    assert outs == {"keepers": {"a": "2"}, "hash": ADOPTED_HASH, "service": ELSEWHERE}
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize("props", [KEPT, {**KEPT, "base_url": "ftp://nowhere"}, {}])
def test_delete_warns_and_succeeds_with_any_state(
    token_provider: TokenProvider, capsys: pytest.CaptureFixture[str], props: dict[str, Any]
) -> None:
    token_provider.delete(ADOPTED_HASH, props)
    assert (
        f"warning: EchoValue cannot revoke a token: the one with hash {ADOPTED_HASH}"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("news", "reported"),
    [
        ({"existing_token": "short"}, "existing_token: That is not a token"),
        ({"existing_token": ""}, "existing_token: That is not a token"),
        ({"base_url": "http://example.com"}, "base_url: base_url is refused: plain http"),
        ({"keepers": {"a": [1.0]}}, "keepers: keepers must map strings to strings"),
    ],
)
def test_check_refuses(token_provider: TokenProvider, news: dict[str, Any], reported: str) -> None:
    result = token_provider.check({}, news)
    (found,) = result.failures
    assert found.reason.startswith(reported)
    assert ADOPTED not in found.reason
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


def test_check_marks_what_is_adopted_as_a_secret(token_provider: TokenProvider) -> None:
    inputs = token_provider.check({}, {"existing_token": f"{ADOPTED}\r\n"}).inputs
    assert value(inputs["existing_token"]) == ADOPTED


def test_a_fault_of_ours_shows_nothing_of_its_text(
    token_provider: TokenProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(ADOPTED)

    monkeypatch.setattr(lifecycle, "provision", broken)
    assert "RuntimeError in create: a fault of pulumi-echovalue" in failure(token_provider.create, {})
