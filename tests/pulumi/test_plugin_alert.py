# SPDX-License-Identifier: BSD-2-Clause
"""The life of a native `WalletAlert`: each step with what it asked the service, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from pulumi_echovalue._shared.module_utils.core.client import EchoValueClient
from pulumi_echovalue._shared.module_utils.core.models import Alert
from pulumi_echovalue.plugin.properties import UNKNOWN, plain, struct
from tests.pulumi.asking import GIVEN, GIVEN_HASH, NONE, UNHEARD_OF, Engine, asking, failure
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

HOOK = {"url": "https://hooks.example.com/s3cret", "format": "telegram", "options": {"chat_id": 5.0}}
READ, WRITTEN = {"GET /token/settings": 1}, {"GET /token/settings": 1, "PUT /token/settings": 1}
OTHER = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=["replace", "merge"])
def engine(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Engine]:
    """A provider whose service is the emulator, which keeps or clears what a PUT leaves out."""
    emulator.options(put=request.param)
    emulator.forget(emulator.register(GIVEN))  # with its settings
    emulator.register(GIVEN, wallet=100)
    with asking() as engine:
        engine.urn = engine.urn.replace(":Token::app", ":WalletAlert::low")
        yield engine


def inputs(**declared: Any) -> dict[str, Any]:
    return {"token": secret(GIVEN), **declared}


def made(engine: Engine, emulator: Emulator, **declared: Any) -> Struct:
    """Return the state of an alert that was created, with the statistics reset."""
    state = engine.create(inputs(**declared)).properties
    engine.restart()
    emulator.reset_stats()
    return state


def settings(emulator: Emulator, token: str = GIVEN) -> Alert:
    """Return what the service has."""
    return EchoValueClient(emulator.url).get_settings(token)[0]


def test_a_life(engine: Engine, emulator: Emulator) -> None:
    declared = inputs(threshold=1000.0, email="ops@example.com")
    assert not engine.check(declared).failures
    previewed = plain(engine.create(declared, preview=True).properties)
    assert (previewed["threshold"], previewed["hash"]) == (1000, UNKNOWN)
    assert emulator.stats()["total"] == 0
    created = engine.create(declared)
    assert created.id == GIVEN_HASH
    assert plain(created.properties) == {
        "token": GIVEN,
        "threshold": 1000,
        "email": "ops@example.com",
        "hash": GIVEN_HASH,
        "service": emulator.url,
    }
    assert emulator.stats()["requests"] == WRITTEN
    assert settings(emulator) == Alert(1000, "ops@example.com")
    # Unchanged: nothing is asked.
    emulator.reset_stats()
    assert engine.diff(created.properties, declared).changes == NONE
    assert emulator.stats()["total"] == 0
    # Another threshold and a webhook; the address is no longer declared.
    changed = inputs(threshold=2000.0, webhook=secret(HOOK))
    difference = engine.diff(created.properties, changed)
    assert (list(difference.diffs), list(difference.replaces)) == (["threshold", "email", "webhook"], [])
    engine.update(created.properties, changed, preview=True)
    assert emulator.stats()["total"] == 0
    updated = engine.update(created.properties, changed).properties
    assert emulator.stats()["requests"] == WRITTEN
    found = settings(emulator)
    assert found == Alert(2000, "", HOOK)
    assert isinstance((found.webhook or {})["options"]["chat_id"], int)
    assert dict(updated)["webhook"] == secret(HOOK)
    assert "email" not in updated
    assert engine.diff(updated, changed).changes == NONE
    engine.restart()
    emulator.reset_stats()
    engine.delete(GIVEN_HASH, updated)
    assert emulator.stats()["requests"] == WRITTEN
    assert settings(emulator) == Alert(0, "", HOOK)
    assert engine.warnings == []


def test_a_replacement_does_not_silence_the_alert(engine: Engine, emulator: Emulator) -> None:
    state = made(engine, emulator, threshold=1000.0)
    replaced = engine.create(inputs(threshold=1000.0)).properties
    emulator.reset_stats()
    engine.delete(GIVEN_HASH, state)
    assert emulator.stats()["total"] == 0
    engine.restart()
    updated = engine.update(replaced, inputs(threshold=2000.0)).properties
    engine.delete(GIVEN_HASH, updated)
    assert settings(emulator).threshold == 2000
    assert engine.warnings == []


@pytest.mark.parametrize("declared", [{"threshold": 1000.0}, {"email": "ops@example.com"}, {"webhook": HOOK}])
def test_what_another_writer_changed_stays(
    engine: Engine, emulator: Emulator, declared: dict[str, Any]
) -> None:
    state = made(engine, emulator, **{"threshold": 1000.0, **declared})
    others = Alert(50, "other@example.com", {**HOOK, "url": "https://other.example/s3cret"})
    EchoValueClient(emulator.url).put_settings(GIVEN, others)
    emulator.reset_stats()
    engine.delete(GIVEN_HASH, state)
    assert emulator.stats()["requests"] == READ
    assert settings(emulator) == others
    assert "stays as it is at the service: another writer has changed it" in engine.warnings[0][0]
    assert "s3cret" not in engine.warnings[0][0]


def test_a_refresh_finds_what_was_changed_there(engine: Engine, emulator: Emulator) -> None:
    declared = inputs(threshold=1000.0, webhook=HOOK)
    state = made(engine, emulator, threshold=1000.0, webhook=HOOK)
    assert engine.read(GIVEN_HASH, state, declared).properties == state
    assert emulator.stats()["requests"] == READ
    EchoValueClient(emulator.url).put_settings(GIVEN, Alert(5, "other@example.com", HOOK))
    seen = engine.read(GIVEN_HASH, state, declared)
    # So a preview shows the difference, and ignoreChanges keeps what was found.
    assert seen.inputs == struct({**declared, "threshold": 5.0, "webhook": secret(HOOK)})
    # What is not declared is not the stack's.
    assert plain(seen.properties) == {**plain(seen.properties), "threshold": 5}
    assert "email" not in seen.properties
    assert "threshold" in engine.diff(seen.properties, declared).diffs
    engine.update(seen.properties, declared)
    found = settings(emulator)
    assert (found.threshold, found.email) == (1000, "other@example.com")


def test_a_refresh_of_a_token_that_is_gone_or_empty(engine: Engine, emulator: Emulator) -> None:
    state = made(engine, emulator, threshold=1000.0)
    emulator.set_wallet(GIVEN_HASH, 0)
    assert engine.read(GIVEN_HASH, state, inputs(threshold=1000.0)).properties == state
    assert "is empty (HTTP 402): its low-balance alert could not be read" in engine.warnings[0][0]
    assert engine.warnings[0][1] == engine.urn
    engine.configure(retries=0.0)
    for status in (500, 404):
        emulator.fault("GET /token/settings", "status", status=status)
        assert f"HTTP {status}" in failure(engine.read, GIVEN_HASH, state)
    emulator.clear_faults()
    emulator.forget(GIVEN_HASH)
    marked = engine.read(GIVEN_HASH, state)
    assert (marked.id, plain(marked.properties)) == (GIVEN_HASH, {**plain(state), "gone": True})
    assert "its low-balance alert stays in the state, marked as gone" in engine.warnings[-1][0]
    for wallet in (0, 50):
        emulator.register(GIVEN)
        emulator.set_wallet(GIVEN_HASH, wallet)
        assert "gone" not in engine.read(GIVEN_HASH, marked.properties).properties


def test_a_marked_alert(engine: Engine, emulator: Emulator) -> None:
    made(engine, emulator, threshold=1000.0)
    alert = {"token": secret(GIVEN), "threshold": 1000.0, "hash": GIVEN_HASH, "gone": True}
    marked, own = (
        struct({**alert, "service": emulator.url}),
        struct({**alert, "service": "https://own.example"}),
    )
    declared = inputs(threshold=2000.0)
    assert list(engine.diff(marked, declared).replaces) == ["gone"]
    emulator.reset_stats()
    for news in (declared, {**declared, "token": OTHER}):
        difference = engine.diff(own, news)
        assert (list(difference.replaces), "gone" in difference.diffs) == ([], True)
        assert "is marked as gone: it is of https://own.example" in failure(engine.update, own, news)
    assert emulator.stats()["total"] == 0
    engine.configure(baseUrl=emulator.url)
    assert list(engine.diff(own, declared).diffs) == ["threshold", "service"]
    assert list(engine.diff(own, {**declared, "token": OTHER}).replaces) == ["token"]
    emulator.forget(GIVEN_HASH)
    moved = plain(engine.update(own, declared).properties)
    assert (moved["service"], moved["gone"]) == (emulator.url, True)
    assert "the next up replaces it" in engine.warnings[-1][0]
    assert "HTTP 401" in failure(engine.update, struct({**plain(own), "gone": None}), declared)
    emulator.register(GIVEN, wallet=100)
    moved = plain(engine.update(own, declared).properties)
    assert (moved["service"], "gone" in moved) == (emulator.url, False)
    assert settings(emulator).threshold == 2000


def test_deleting_ends_well_where_nothing_can_be_set(engine: Engine, emulator: Emulator) -> None:
    state = made(engine, emulator, threshold=1000.0)
    emulator.set_wallet(GIVEN_HASH, 1)  # enough for reading alone
    engine.delete(GIVEN_HASH, state)
    assert "could not be switched off" in engine.warnings[0][0]
    emulator.fault("GET /token/settings", "status", status=404)
    assert "HTTP 404" in failure(engine.delete, GIVEN_HASH, state)
    emulator.forget(GIVEN_HASH)
    engine.delete(GIVEN_HASH, state)
    assert len(engine.warnings) == 1


def test_another_token_is_another_alert(engine: Engine, emulator: Emulator) -> None:
    state = made(engine, emulator, threshold=1000.0)
    emulator.forget(emulator.register(OTHER))
    emulator.register(OTHER, wallet=100)
    other = {"token": OTHER, "threshold": 1000.0}
    assert list(engine.diff(state, other).replaces) == ["token"]
    assert list(engine.diff(state, {**other, "token": UNKNOWN}).replaces) == ["token"]
    created = engine.create(other)
    engine.delete(GIVEN_HASH, state)  # by the process that has set the other's
    assert created.id != GIVEN_HASH
    assert settings(emulator, OTHER).threshold == 1000
    assert settings(emulator).threshold == 0


def test_a_webhook_that_is_declared_no_longer(engine: Engine, emulator: Emulator) -> None:
    state = made(engine, emulator, threshold=1000.0, webhook=HOOK)
    updated = engine.update(state, inputs(threshold=1000.0)).properties
    assert "webhook" not in updated
    assert "documents no way to take a webhook away" in engine.warnings[0][0]
    assert "hooks.example.com" not in engine.warnings[0][0]


def test_a_threshold_that_is_declared_no_longer(engine: Engine, emulator: Emulator) -> None:
    state = made(engine, emulator, threshold=1000.0, email="ops@example.com")
    engine.update(state, inputs(email="ops@example.com"))
    assert settings(emulator).threshold == 0


def test_inputs_that_cannot_be_meant(engine: Engine, emulator: Emulator) -> None:
    for declared, told in (
        ({}, "settings: One of threshold, email and webhook is needed"),
        ({"threshold": -1.0}, "threshold: threshold must be a whole number"),
        ({"threshold": 0.5}, "threshold: threshold must be a whole number"),
        ({"email": "nobody"}, "email: email must be an e-mail address"),
        ({"webhook": {"url": f"http://example.com/{GIVEN}"}}, "webhook: webhook.url must be an https URL"),
        ({"webhook": {**HOOK, "format": "irc"}}, "webhook: webhook.format must be one of slack"),
        ({"threshold": 1.0, "token": "short"}, "token: That is not a token"),
        ({"threshold": 1.0, "baseUrl": "http://example.com"}, "baseUrl: base_url is refused: plain http"),
    ):
        checked = engine.check(inputs(**declared))
        (found,) = checked.failures
        assert found.reason.startswith(told)
        assert found.property == ""
        assert GIVEN not in found.reason
    assert emulator.stats()["total"] == 0


def test_secrets_are_marked_and_the_unknown_stays(engine: Engine) -> None:
    checked = engine.check({"token": GIVEN, "webhook": {"url": UNKNOWN}, "baseUrl": UNKNOWN})
    assert not checked.failures
    assert dict(checked.inputs)["token"] == secret(GIVEN)
    assert dict(checked.inputs)["webhook"] == secret({"url": UNKNOWN})
    previewed = engine.create(plain(checked.inputs), preview=True).properties
    assert dict(previewed)["webhook"] == secret({"url": UNKNOWN})
    assert dict(previewed)["service"] == UNKNOWN


def test_an_import(engine: Engine, emulator: Emulator) -> None:
    EchoValueClient(emulator.url).put_settings(GIVEN, Alert(5, "", HOOK))
    assert "there it is missing" in failure(engine.read, GIVEN_HASH)
    engine.configure(token=secret(GIVEN))
    assert "there it has another hash" in failure(engine.read, "0" * 64)
    found = engine.read(GIVEN_HASH)
    assert dict(found.properties)["token"] == secret(GIVEN)
    assert dict(found.properties)["webhook"] == secret(HOOK)
    assert engine.diff(found.properties, inputs(threshold=5.0, webhook=HOOK)).changes == NONE
    # What becomes program text has no secret; a person is told which to write.
    assert dict(found.inputs) == {"threshold": 5}
    assert "Write the token and webhook of this alert into it" in engine.warnings[0][0]
    assert not engine.check({"threshold": 5.0}).failures  # by the engine, right after it
    assert engine.check({"threshold": 5.0, "token": ""}).failures
    engine.restart()
    assert engine.check({"threshold": 5.0}).failures
    # A refresh compares with those inputs.
    emulator.reset_stats()
    refreshed = engine.read(GIVEN_HASH, found.properties, {"threshold": 5.0})
    assert refreshed.properties == found.properties
    assert engine.diff(refreshed.properties, {"threshold": 5.0}).changes == NONE


def test_a_get_by_a_part_of_the_state(engine: Engine, emulator: Emulator) -> None:
    """As by `WalletAlert.get` in TypeScript: what is missing is read."""
    EchoValueClient(emulator.url).put_settings(GIVEN, Alert(5, "ops@example.com", HOOK))
    found = engine.read(GIVEN_HASH, struct({"token": secret(GIVEN), "threshold": 7.0}))
    assert plain(found.properties) == {
        "token": GIVEN,
        "hash": GIVEN_HASH,
        "service": emulator.url,
        "threshold": 5,
        "email": "ops@example.com",
        "webhook": HOOK,
    }
    assert dict(found.properties)["webhook"] == secret(HOOK)
    assert engine.warnings == []


def test_a_state_that_was_edited_by_hand(engine: Engine, emulator: Emulator) -> None:
    made(engine, emulator, threshold=1000.0)
    declared = inputs(threshold=1000.0)
    edited = {"token": secret(GIVEN), "hash": GIVEN_HASH, "threshold": "many", "service": ""}
    assert list(engine.diff(struct(edited), declared).diffs) == ["threshold"]
    assert plain(engine.update(struct(edited), declared).properties)["service"] == emulator.url
    engine.restart()
    emulator.reset_stats()
    engine.delete(GIVEN_HASH, struct(edited))  # whose settings nobody knows
    assert emulator.stats()["total"] == 0
    other = struct({**edited, "token": secret(OTHER)})
    refused = "the id of a token is its hash. Nothing was changed"
    for call in (engine.read, engine.delete):
        assert refused in failure(call, GIVEN_HASH, other)
    for call in (engine.diff, engine.update):
        assert refused in failure(call, other, declared)


def test_the_service_that_is_told(
    engine: Engine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = made(engine, emulator, threshold=1000.0)
    engine.configure(baseUrl="https://elsewhere.example")
    declared = inputs(threshold=1000.0, baseUrl=emulator.url)
    assert engine.diff(state, declared).changes == NONE
    assert list(engine.diff(state, inputs(threshold=1000.0)).diffs) == ["service"]
    monkeypatch.setenv("ECHOVALUE_BASE_URL", "https://elsewhere.example")
    engine.configure()  # the environment names none
    assert engine.diff(state, inputs(threshold=1000.0)).changes == NONE
    refused = {"token": OTHER, "threshold": 1000.0}
    assert "would be replaced by one of https://elsewhere.example" in failure(engine.diff, state, refused)
    updated = engine.update(state, inputs(threshold=7.0)).properties
    assert plain(updated)["service"] == emulator.url
    assert settings(emulator).threshold == 7


def test_an_empty_wallet_and_an_unknown_token(engine: Engine, emulator: Emulator) -> None:
    emulator.set_wallet(GIVEN_HASH, 0)
    told = failure(engine.create, inputs(threshold=1000.0))
    assert "HTTP 402" in told
    assert "getRechargeLink" in told
    assert "HTTP 401" in failure(engine.create, {"token": UNHEARD_OF, "threshold": 1000.0})
