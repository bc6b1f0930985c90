# SPDX-License-Identifier: BSD-2-Clause
"""What both providers decide of a low-balance alert: each step with what it asked the service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_echovalue._decisions import alert as lifecycle
from pulumi_echovalue._decisions.alert import KeptAlert, TokenSource
from pulumi_echovalue._decisions.hints import explain
from pulumi_echovalue._decisions.service import Service
from pulumi_echovalue._decisions.token import Changes, check_inputs
from pulumi_echovalue._shared.module_utils.core.client import EchoValueClient
from pulumi_echovalue._shared.module_utils.core.errors import EchoValueError, InvalidInputError
from pulumi_echovalue._shared.module_utils.core.models import Alert
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential

HOOK = {"url": "https://hooks.example.com/s3cret", "format": "telegram", "options": {"chat_id": 5.0}}
READ, WRITTEN = {"GET /token/settings": 1}, {"GET /token/settings": 1, "PUT /token/settings": 1}
OTHER = "0123456789abcdef0123456789abcdef"
OWN = "https://own.example"


def is_unknown(value: object) -> bool:
    return value is ...


@dataclass
class Stack:
    """The alert of one token, and what is said of it."""

    emulator: Emulator
    warnings: list[str] = field(default_factory=list)
    declared_here: lifecycle.DeclaredHere = field(default_factory=set)

    def service(self, named: bool = False) -> Service:
        return Service(self.emulator.url, named, retries=0)

    def create(self, token: str = ADOPTED, **declared: Any) -> KeptAlert:
        settings = lifecycle.declared(declared, is_unknown)
        source = TokenSource.of({"token": token})
        return lifecycle.create(self.service(), source, settings, self.declared_here)

    def earlier(self, **declared: Any) -> KeptAlert:
        """Return an alert that another process has set, with the statistics reset."""
        alert = self.create(**declared)
        self.declared_here.clear()
        self.emulator.reset_stats()
        return alert

    def update(self, former: KeptAlert, service: Service | None = None, **declared: Any) -> KeptAlert:
        settings = lifecycle.declared(declared, is_unknown)
        requested = service or self.service()
        return lifecycle.update(
            former, requested, former.source, settings, self.declared_here, self.warnings.append
        )

    def refresh(self, alert: KeptAlert) -> KeptAlert:
        return lifecycle.refresh(alert, self.service(), self.warnings.append)

    def remove(self, alert: KeptAlert) -> None:
        lifecycle.remove(alert, self.service(), self.declared_here, self.warnings.append)

    def settings(self, token: str = ADOPTED) -> Alert:
        """Return what the service has."""
        return EchoValueClient(self.emulator.url).get_settings(token)[0]

    def set_by_another(self, alert: Alert) -> None:
        EchoValueClient(self.emulator.url).put_settings(ADOPTED, alert)
        self.emulator.reset_stats()


@pytest.fixture(params=["replace", "merge"])
def stack(request: pytest.FixtureRequest, emulator: Emulator) -> Stack:
    """A stack whose service keeps or clears what a PUT leaves out."""
    emulator.options(put=request.param)
    for token in (ADOPTED, OTHER):
        emulator.forget(emulator.register(token))  # with its settings
        emulator.register(token, wallet=100)
    return Stack(emulator)


def compare(former: KeptAlert, requested: Service, **values: Any) -> Changes:
    values = {"token": ADOPTED, **values}
    return lifecycle.compare(former, requested, values, lifecycle.declared(values, is_unknown))


def test_a_life(stack: Stack, emulator: Emulator) -> None:
    created = stack.create(threshold=1000.0, email="ops@example.com")
    settings = {"threshold": 1000, "email": "ops@example.com"}
    assert created == KeptAlert(TokenSource(ADOPTED_HASH, ADOPTED), emulator.url, settings)
    assert emulator.stats()["requests"] == WRITTEN
    assert stack.settings() == Alert(1000, "ops@example.com")
    emulator.reset_stats()
    # Another threshold and a webhook; the address is no longer declared.
    updated = stack.update(created, threshold=2000.0, webhook=HOOK)
    assert emulator.stats()["requests"] == WRITTEN
    found = stack.settings()
    assert found == Alert(2000, "", HOOK)
    assert isinstance((found.webhook or {})["options"]["chat_id"], int)
    assert updated.settings == {"threshold": 2000, "webhook": HOOK}
    stack.declared_here.clear()
    emulator.reset_stats()
    stack.remove(updated)
    assert emulator.stats()["requests"] == WRITTEN
    assert stack.settings() == Alert(0, "", HOOK)
    assert stack.warnings == []


def test_a_replacement_does_not_silence_the_alert(stack: Stack, emulator: Emulator) -> None:
    former = stack.earlier(threshold=1000)
    replaced = stack.create(threshold=1000)
    emulator.reset_stats()
    stack.remove(former)
    assert emulator.stats()["total"] == 0
    stack.declared_here.clear()
    stack.remove(stack.update(replaced, threshold=2000))
    assert stack.settings().threshold == 2000
    # Of another token it is another alert.
    stack.create(OTHER, threshold=1000)
    stack.declared_here.remove((emulator.url, ADOPTED_HASH))
    stack.remove(replace(replaced, settings={"threshold": 2000}))
    assert (stack.settings().threshold, stack.settings(OTHER).threshold) == (0, 1000)
    assert stack.warnings == []


@pytest.mark.parametrize("declared", [{"threshold": 1000}, {"email": "ops@example.com"}, {"webhook": HOOK}])
def test_what_another_writer_changed_stays(
    stack: Stack, emulator: Emulator, declared: dict[str, Any]
) -> None:
    alert = stack.earlier(**{"threshold": 1000, **declared})
    others = Alert(50, "other@example.com", {**HOOK, "url": "https://other.example/s3cret"})
    stack.set_by_another(others)
    stack.remove(alert)
    assert emulator.stats()["requests"] == READ
    assert stack.settings() == others
    assert "stays as it is at the service: another writer has changed it" in stack.warnings[0]
    assert "s3cret" not in stack.warnings[0]


def test_a_refresh_finds_what_was_changed_there(stack: Stack, emulator: Emulator) -> None:
    alert = stack.earlier(threshold=1000, webhook=HOOK)
    assert stack.refresh(alert) == alert
    assert emulator.stats()["requests"] == READ
    stack.set_by_another(Alert(5, "other@example.com", HOOK))
    # What is not declared is not the stack's.
    seen = stack.refresh(alert)
    assert seen.settings == {"threshold": 5, "webhook": HOOK}
    assert lifecycle.find(alert, stack.service()).settings == {**seen.settings, "email": "other@example.com"}
    assert compare(seen, stack.service(), threshold=1000, webhook=HOOK) == Changes((), ("threshold",))
    stack.update(seen, threshold=1000, webhook=HOOK)
    assert (stack.settings().threshold, stack.settings().email) == (1000, "other@example.com")


def test_a_refresh_of_a_token_that_is_gone_or_empty(stack: Stack, emulator: Emulator) -> None:
    alert = stack.earlier(threshold=1000)
    emulator.set_wallet(ADOPTED_HASH, 0)
    assert stack.refresh(alert) == alert
    assert "is empty (HTTP 402): its low-balance alert could not be read" in stack.warnings[0]
    with pytest.raises(EchoValueError, match="HTTP 402") as caught:
        stack.create(threshold=5)
    assert "getRechargeLink" in explain(caught.value, "Create")
    for status in (500, 404):
        emulator.fault("GET /token/settings", "status", status=status)
        with pytest.raises(EchoValueError, match=f"HTTP {status}"):
            stack.refresh(alert)
    emulator.clear_faults()
    emulator.forget(ADOPTED_HASH)
    assert stack.refresh(alert) == replace(alert, gone=True)
    assert "its low-balance alert stays in the state, marked as gone" in stack.warnings[-1]
    for wallet in (0, 50):
        emulator.register(ADOPTED)
        emulator.set_wallet(ADOPTED_HASH, wallet)
        assert stack.refresh(replace(alert, gone=True)).gone is False


def test_a_marked_alert_moves_where_a_service_is_named(stack: Stack, emulator: Emulator) -> None:
    own = replace(stack.earlier(threshold=1000), service=OWN, gone=True)
    with pytest.raises(InvalidInputError, match=r"is marked as gone: it is of https://own\.example"):
        stack.update(own, threshold=2000)
    assert emulator.stats()["total"] == 0
    emulator.forget(ADOPTED_HASH)
    named = stack.service(named=True)
    assert stack.update(own, named, threshold=2000) == replace(own, service=emulator.url)
    assert "the next up replaces it" in stack.warnings[-1]
    with pytest.raises(EchoValueError, match="HTTP 401"):
        stack.update(replace(own, gone=False), named, threshold=2000)
    emulator.register(ADOPTED, wallet=100)
    moved = stack.update(own, named, threshold=2000)
    assert (moved.service, moved.gone, stack.settings().threshold) == (emulator.url, False, 2000)
    # One that nobody names is not where an update goes.
    kept = replace(moved, settings={})
    assert stack.update(kept, Service(OWN, named=False), threshold=7).service == emulator.url
    assert stack.settings().threshold == 7


@pytest.mark.parametrize(
    ("gone", "requested", "values", "expected"),
    [
        (False, Service(OWN, named=False), {}, Changes()),
        (False, Service(OWN, named=False), {"threshold": 7}, Changes((), ("threshold",))),
        (False, Service(OWN, named=False), {"email": "ops@example.com"}, Changes((), ("email",))),
        (False, Service(OWN, named=False), {"token": OTHER}, Changes(("token",))),
        (False, Service(OWN, named=False), {"token": ...}, Changes(("token",))),
        (False, Service("https://b.example", named=True), {}, Changes((), ("service",))),
        (False, Service("https://b.example", named=False), {}, Changes()),
        (False, Service("https://b.example", named=False), {"token": OTHER}, None),
        (True, Service(OWN, named=False), {"threshold": 7}, Changes(("gone",), ("threshold",))),
        (True, Service("https://b.example", named=False), {}, Changes((), ("gone",))),
        (True, Service("https://b.example", named=False), {"token": OTHER}, Changes((), ("gone", "token"))),
        (True, Service("https://b.example", named=True), {}, Changes((), ("service",))),
        (True, Service("https://b.example", named=True), {"token": OTHER}, Changes(("token",), ("service",))),
    ],
)
def test_what_inputs_request(
    gone: bool, requested: Service, values: dict[str, Any], expected: Changes | None
) -> None:
    former = KeptAlert(TokenSource(ADOPTED_HASH, ADOPTED), OWN, {"threshold": 1000}, gone)
    if expected is not None:
        assert compare(former, requested, **{"threshold": 1000, **values}) == expected
        return
    with pytest.raises(InvalidInputError, match=r"would be replaced by one of https://b\.example"):
        compare(former, requested, threshold=1000, **values)


def test_removing_ends_well_where_nothing_can_be_set(stack: Stack, emulator: Emulator) -> None:
    alert = stack.earlier(threshold=1000)
    emulator.set_wallet(ADOPTED_HASH, 1)  # enough only to read
    stack.remove(alert)
    assert "could not be switched off" in stack.warnings[0]
    emulator.fault("GET /token/settings", "status", status=404)
    with pytest.raises(EchoValueError, match="HTTP 404"):
        stack.remove(alert)
    emulator.forget(ADOPTED_HASH)
    stack.remove(alert)
    assert len(stack.warnings) == 1


def test_a_place_that_holds_another_token(stack: Stack, emulator: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{ADOPTED}\n")
    place = {"hash": ADOPTED_HASH, "place": {"path": str(file)}}
    state = {**place, "service": emulator.url, "threshold": 5.0}
    alert = lifecycle.stored(state, ADOPTED_HASH, stack.service(), is_unknown)
    assert alert.source == TokenSource.of(place)
    stack.set_by_another(Alert(5))
    assert stack.refresh(alert) == alert
    file.write_text(f"{OTHER}\n")
    emulator.reset_stats()
    assert stack.refresh(alert) == alert
    stack.remove(alert)
    assert ["holds the token with hash" in text for text in stack.warnings] == [True, True]
    assert emulator.stats()["total"] == 0


def test_what_is_declared_no_longer(stack: Stack) -> None:
    alert = stack.earlier(threshold=1000, email="ops@example.com", webhook=HOOK)
    assert stack.update(alert, email="ops@example.com").settings == {"email": "ops@example.com"}
    assert stack.settings().threshold == 0
    assert "documents no way to take a webhook away" in stack.warnings[0]
    assert "hooks.example.com" not in stack.warnings[0]


@pytest.mark.parametrize(
    ("inputs", "reported"),
    [
        ({"threshold": None}, "settings: One of threshold, email and webhook is needed"),
        ({"threshold": -1.0}, "threshold: threshold must be a whole number"),
        ({"threshold": 0.5}, "threshold: threshold must be a whole number"),
        ({"email": "nobody"}, "email: email must be an e-mail address"),
        ({"webhook": {"url": f"http://example.com/{ADOPTED}"}}, "webhook: webhook.url must be an https URL"),
        ({"webhook": {**HOOK, "format": "irc"}}, "webhook: webhook.format must be one of slack"),
        ({"token": "short"}, "token: That is not a token"),
        ({"place": {"path": "/a"}, "hash": "0" * 64}, "arguments: token does not go with place"),
        (
            {"place": {"path": "/a"}, "token": None, "hash": "x"},
            "hash: With place it must be the hash of the",
        ),
        ({"place": {"path": "/a"}, "token": None, "hash": "0" * 64}, ""),
        ({"token": ..., "webhook": {"url": ..., "options": [...]}, "threshold": ...}, ""),
    ],
)
def test_inputs_that_make_no_sense(inputs: dict[str, Any], reported: str) -> None:
    values = {"token": ADOPTED, "threshold": 5.0, **inputs}
    reasons = check_inputs(lifecycle.checks(values, is_unknown))[1]
    assert [reason[: len(reported)] for reason in reasons] == ([reported] if reported else [])
    assert ADOPTED not in str(reasons)


def test_a_state_that_was_edited_by_hand(stack: Stack, emulator: Emulator) -> None:
    edited = {"token": ADOPTED, "hash": ADOPTED_HASH, "threshold": "many", "service": ""}
    alert = lifecycle.stored(edited, ADOPTED_HASH, stack.service(), is_unknown)
    assert alert == KeptAlert(TokenSource(ADOPTED_HASH, ADOPTED), emulator.url, {})
    stack.remove(alert)  # whose settings nobody knows
    assert emulator.stats()["total"] == 0
    with pytest.raises(InvalidInputError, match=r"the id of a token is its hash\. Nothing was changed"):
        lifecycle.stored({**edited, "token": OTHER}, ADOPTED_HASH, stack.service(), is_unknown)
