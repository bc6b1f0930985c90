# SPDX-License-Identifier: BSD-2-Clause
"""The life of a native `WalletAlert`, as the engine's protocol has it.

What is decided of it is in test_alert_lifecycle.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from pulumi_echovalue._shared.module_utils.core.client import EchoValueClient
from pulumi_echovalue._shared.module_utils.core.models import Alert
from pulumi_echovalue.plugin.properties import UNKNOWN, plain, struct
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH, NONE, Engine, asking, failure
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

HOOK = {"url": "https://hooks.example.com/s3cret", "format": "telegram", "options": {"chat_id": 5.0}}


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[Engine]:
    """A provider whose service is the emulator, which has no settings of the token."""
    emulator.forget(emulator.register(ADOPTED))
    emulator.register(ADOPTED, wallet=100)
    with asking() as engine:
        engine.urn = engine.urn.replace(":Token::app", ":WalletAlert::low")
        yield engine


def inputs(**declared: Any) -> dict[str, Any]:
    return {"token": secret(ADOPTED), **declared}


def test_a_life(engine: Engine, emulator: Emulator) -> None:
    declared = inputs(threshold=1000.0, email="ops@example.com")
    assert not engine.check(declared).failures
    previewed = plain(engine.create(declared, preview=True).properties)
    assert (previewed["threshold"], previewed["hash"]) == (1000, UNKNOWN)
    assert emulator.stats()["total"] == 0
    created = engine.create(declared)
    assert created.id == ADOPTED_HASH
    assert plain(created.properties) == {
        "token": ADOPTED,
        "threshold": 1000,
        "email": "ops@example.com",
        "hash": ADOPTED_HASH,
        "service": emulator.url,
    }
    emulator.reset_stats()
    assert engine.diff(created.properties, declared).changes == NONE
    # Another threshold and a webhook; the address is no longer declared.
    changed = inputs(threshold=2000.0, webhook=secret(HOOK))
    difference = engine.diff(created.properties, changed)
    assert (list(difference.diffs), list(difference.replaces)) == (["threshold", "email", "webhook"], [])
    assert list(engine.diff(created.properties, {**declared, "token": UNKNOWN}).replaces) == ["token"]
    engine.update(created.properties, changed, preview=True)
    assert emulator.stats()["total"] == 0
    updated = engine.update(created.properties, changed).properties
    assert dict(updated)["webhook"] == secret(HOOK)
    assert "email" not in updated
    assert engine.diff(updated, changed).changes == NONE
    engine.delete(ADOPTED_HASH, updated)  # by the process that has set it
    assert emulator.settings(ADOPTED)["low_balance_threshold"] == 2000
    engine.restart()
    engine.delete(ADOPTED_HASH, updated)
    assert emulator.settings(ADOPTED)["low_balance_threshold"] == 0
    assert engine.warnings == []


def test_a_refresh(engine: Engine, emulator: Emulator) -> None:
    declared = inputs(threshold=1000.0, webhook=HOOK)
    state = engine.create(declared).properties
    EchoValueClient(emulator.url).put_settings(ADOPTED, Alert(5, "other@example.com", HOOK))
    seen = engine.read(ADOPTED_HASH, state, declared)
    # So a preview shows the difference, and ignoreChanges keeps what was found.
    assert seen.inputs == struct({**declared, "threshold": 5.0, "webhook": secret(HOOK)})
    assert plain(seen.properties) == {**plain(state), "threshold": 5}
    emulator.forget(ADOPTED_HASH)
    marked = engine.read(ADOPTED_HASH, state)
    assert (marked.id, plain(marked.properties)) == (ADOPTED_HASH, {**plain(state), "gone": True})
    ((text, urn),) = engine.warnings
    assert ("marked as gone" in text, urn) == (True, engine.urn)
    assert list(engine.diff(marked.properties, declared).replaces) == ["gone"]


def test_check_refuses(engine: Engine, emulator: Emulator) -> None:
    refused = {"threshold": -1.0, "webhook": {"url": f"http://example.com/{ADOPTED}"}, "token": "short"}
    found = engine.check({**refused, "baseUrl": "http://example.com"}).failures
    assert [one.reason.partition(":")[0] for one in found] == ["token", "threshold", "webhook", "baseUrl"]
    assert {one.property for one in found} == {""}
    assert ADOPTED not in str(found)
    assert emulator.stats()["total"] == 0


def test_secrets_are_marked_and_the_unknown_stays(engine: Engine) -> None:
    checked = engine.check({"token": ADOPTED, "webhook": {"url": UNKNOWN}, "baseUrl": UNKNOWN})
    assert not checked.failures
    assert dict(checked.inputs)["token"] == secret(ADOPTED)
    assert dict(checked.inputs)["webhook"] == secret({"url": UNKNOWN})
    previewed = engine.create(plain(checked.inputs), preview=True).properties
    assert dict(previewed)["webhook"] == secret({"url": UNKNOWN})
    assert dict(previewed)["service"] == UNKNOWN


def test_an_import(engine: Engine, emulator: Emulator) -> None:
    EchoValueClient(emulator.url).put_settings(ADOPTED, Alert(5, "", HOOK))
    assert "there it is missing" in failure(engine.read, ADOPTED_HASH)
    engine.configure(token=secret(ADOPTED))
    assert "there it has another hash" in failure(engine.read, "0" * 64)
    found = engine.read(ADOPTED_HASH)
    assert dict(found.properties)["token"] == secret(ADOPTED)
    assert dict(found.properties)["webhook"] == secret(HOOK)
    assert engine.diff(found.properties, inputs(threshold=5.0, webhook=HOOK)).changes == NONE
    # What becomes program text has no secret; a warning says which to write.
    assert dict(found.inputs) == {"threshold": 5}
    assert "Write the token and webhook of this alert into it" in engine.warnings[0][0]
    assert not engine.check({"threshold": 5.0}).failures  # by the engine, right after it
    assert engine.check({"threshold": 5.0, "token": ""}).failures
    engine.restart()
    assert engine.check({"threshold": 5.0}).failures
    # A refresh compares with those inputs.
    emulator.reset_stats()
    refreshed = engine.read(ADOPTED_HASH, found.properties, {"threshold": 5.0})
    assert refreshed.properties == found.properties
    assert engine.diff(refreshed.properties, {"threshold": 5.0}).changes == NONE


def test_a_get_by_a_part_of_the_state(engine: Engine, emulator: Emulator) -> None:
    """As by `WalletAlert.get` in TypeScript: what is missing is read."""
    EchoValueClient(emulator.url).put_settings(ADOPTED, Alert(5, "ops@example.com", HOOK))
    found = engine.read(ADOPTED_HASH, struct({"token": secret(ADOPTED), "threshold": 7.0}))
    assert plain(found.properties) == {
        "token": ADOPTED,
        "hash": ADOPTED_HASH,
        "service": emulator.url,
        "threshold": 5,
        "email": "ops@example.com",
        "webhook": HOOK,
    }
    assert dict(found.properties)["webhook"] == secret(HOOK)
    assert engine.warnings == []


def test_the_service_that_is_reported(
    engine: Engine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = engine.create(inputs(threshold=1000.0)).properties
    engine.configure(baseUrl="https://elsewhere.example")
    declared = inputs(threshold=1000.0, baseUrl=emulator.url)
    assert engine.diff(state, declared).changes == NONE
    assert list(engine.diff(state, inputs(threshold=1000.0)).diffs) == ["service"]
    monkeypatch.setenv("ECHOVALUE_BASE_URL", "https://elsewhere.example")
    engine.configure()  # the environment names none
    assert engine.diff(state, inputs(threshold=1000.0)).changes == NONE
