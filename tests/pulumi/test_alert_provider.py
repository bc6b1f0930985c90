# SPDX-License-Identifier: BSD-2-Clause
"""The methods of the dynamic provider of a `WalletAlert`, called as the engine's process calls them.

What is decided of it is in test_alert_lifecycle.py.
"""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import UNKNOWN
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from pulumi_echovalue._dynamic import kept_tokens
from pulumi_echovalue.alert_provider import AlertError, WalletAlertProvider
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

HOOK = {"url": "https://hooks.example.com/canary", "format": "slack"}

# What the state of each version holds. It never changes: see the provider's module.
PICKLE = (
    "gASVPgAAAAAAAACMH3B1bHVtaV9lY2hvdmFsdWUuYWxlcnRfcHJvdmlkZXKUjBNXYWxsZXRBbGVydFByb3ZpZGVylJOUKYGULg=="
)


@pytest.fixture
def provider(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> WalletAlertProvider:
    """A provider whose service is the emulator, set up as in the engine's process."""
    monkeypatch.setattr(kept_tokens, "_services", {})
    pulumi.runtime.configure(pulumi.runtime.Settings(project="shop", stack="dev"))
    emulator.forget(emulator.register(ADOPTED))
    emulator.register(ADOPTED)
    return another_process()


def another_process() -> WalletAlertProvider:
    """Return a provider that has set no alert yet."""
    made = WalletAlertProvider()
    made.configure(ConfigureRequest(Config({}, "shop")))
    return made


def inputs(**declared: Any) -> dict[str, Any]:
    return {"token": ADOPTED, "hash": None, "service": None, **declared}


def failure(call: Any, *arguments: Any) -> str:
    """Return how the SDK reports the failure of a call to the engine."""
    with pytest.raises(AlertError) as caught:
        call(*arguments)
    assert ADOPTED not in str(caught.value)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def test_the_state_refers_to_the_provider_by_name_only() -> None:
    pickled = base64.b64decode(serialize_provider(WalletAlertProvider()))
    assert pickled[2:] == base64.b64decode(PICKLE)[2:]  # before it is the protocol, which Python 3.14 raised


def test_a_life(provider: WalletAlertProvider, emulator: Emulator) -> None:
    declared = inputs(threshold=50.0, webhook=HOOK)
    checked = provider.check({}, {**declared, "token": f"{ADOPTED}\n"})
    assert not checked.failures
    assert checked.inputs["token"] == secret(ADOPTED)
    assert checked.inputs["webhook"] == secret(HOOK)
    created = provider.create(declared)
    assert created.id == ADOPTED_HASH
    state = {
        "token": secret(ADOPTED),
        "threshold": 50,
        "email": None,
        "webhook": secret(HOOK),
        "hash": ADOPTED_HASH,
        "service": emulator.url,
    }
    assert created.outs == state
    kept = {**state, "token": ADOPTED, "webhook": HOOK}
    assert not provider.diff(ADOPTED_HASH, kept, declared).changes
    assert provider.read(ADOPTED_HASH, kept).outs == state
    changed = inputs(threshold=60, email="ops@example.com", webhook=HOOK)
    difference = provider.diff(ADOPTED_HASH, kept, changed)
    assert (difference.changes, difference.replaces) == (True, [])
    assert provider.update(ADOPTED_HASH, kept, changed).outs == {
        **state,
        "threshold": 60,
        "email": "ops@example.com",
    }
    provider.delete(ADOPTED_HASH, kept)  # by the process that has set it
    assert emulator.settings(ADOPTED)["low_balance_threshold"] == 60
    another_process().delete(ADOPTED_HASH, {**kept, "threshold": 60.0, "email": "ops@example.com"})
    assert emulator.settings(ADOPTED)["low_balance_threshold"] == 0


def test_a_token_that_the_service_does_not_know(
    provider: WalletAlertProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {"token": ADOPTED, "threshold": 50, "hash": ADOPTED_HASH, "service": emulator.url}
    emulator.forget(ADOPTED_HASH)
    read = provider.read(ADOPTED_HASH, kept)
    assert read.outs
    assert (read.id, read.outs["gone"], read.outs["threshold"]) == (ADOPTED_HASH, True, 50)
    assert "marked as gone" in capsys.readouterr().err
    assert provider.diff(ADOPTED_HASH, {**kept, "gone": True}, inputs(threshold=50)).replaces == ["gone"]
    elsewhere = {**kept, "service": "https://own.example", "gone": True}
    assert "is marked as gone" in failure(provider.update, ADOPTED_HASH, elsewhere, inputs(threshold=50))
    outs = provider.update(ADOPTED_HASH, elsewhere, inputs(threshold=50, base_url=emulator.url)).outs
    assert outs
    assert (outs["service"], outs["gone"]) == (emulator.url, True)


def test_a_preview_of_what_is_not_known_yet(provider: WalletAlertProvider, emulator: Emulator) -> None:
    unknown = {"token": UNKNOWN, "threshold": UNKNOWN, "webhook": {"url": UNKNOWN}, "base_url": UNKNOWN}
    emulator.reset_stats()
    assert not provider.check({}, unknown).failures
    kept = {"token": ADOPTED, "threshold": 5, "hash": ADOPTED_HASH, "service": emulator.url}
    difference = provider.diff(ADOPTED_HASH, kept, unknown)
    assert (difference.changes, difference.replaces) == (True, ["token"])
    assert emulator.stats()["total"] == 0


def test_check_refuses(provider: WalletAlertProvider) -> None:
    news = inputs(
        webhook={"url": "http://canary.example.com"}, threshold="many", base_url="http://canary.example"
    )
    reasons = [(found.property, found.reason) for found in provider.check({}, news).failures]
    assert [reason.partition(":")[0] for _name, reason in reasons] == ["threshold", "webhook", "base_url"]
    assert all(name == "" for name, _reason in reasons)
    assert "canary.example.com" not in str(reasons)


def test_a_failure(provider: WalletAlertProvider, emulator: Emulator) -> None:
    emulator.fault("PUT /token/settings", "status", status=400, body=ADOPTED)
    assert "refuses this threshold or webhook" in failure(provider.create, inputs(threshold=5, webhook=HOOK))
