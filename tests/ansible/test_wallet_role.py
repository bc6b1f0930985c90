# SPDX-License-Identifier: BSD-2-Clause
"""The role echovalue_wallet: what it tells, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.testkit.playbook import Ansible, Run, role
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

GIVEN = "given-token-0123456789abcdef"


def guard(ansible: Ansible, variables: dict[str, Any], **play: Any) -> Run:
    return ansible.play(role(variables, "wallet"), also=("echovalue_wallet_result",), **play)


@pytest.fixture
def path(tmp_path: Path, emulator: Emulator) -> str:
    emulator.register(GIVEN, wallet=9)
    (tmp_path / "token").write_text(GIVEN + "\n")
    return str(tmp_path / "token")


@pytest.mark.essential
def test_enough_is_told_for_free(ansible: Ansible, emulator: Emulator, path: str) -> None:
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 9})
    assert run["echovalue_wallet_result"]["enough"] is True
    assert run["echovalue_wallet_result"]["wallet"] == 9
    assert (emulator.stats()["total"], emulator.stats()["credits_spent"]) == (1, 0)


@pytest.mark.parametrize("action", ["fail", "warn"])
@pytest.mark.parametrize("links", ["hash", "token"])
def test_too_little_is_told_with_a_link_that_holds_no_token(
    ansible: Ansible, emulator: Emulator, path: str, action: str, links: str
) -> None:
    emulator.options(links=links)
    variables = {
        "echovalue_wallet_token": GIVEN,
        "echovalue_wallet_minimum": 10,
        "echovalue_wallet_action": action,
        "echovalue_wallet_amount": 3,
    }
    run = guard(ansible, variables, fails=action == "fail", options=("-vvv",))
    assert "9 credits are left" in run.screen
    assert ("https://buy.stripe.com/" in run.screen) == (links == "hash")
    assert ("hand it to whoever pays as a secret" in run.screen) == (links == "token")
    assert GIVEN not in run.shown
    assert GIVEN not in run.syslog
    assert emulator.stats()["credits_spent"] == 0


HOOK = {"url": "https://hooks.example.com/SECRET", "format": "slack"}


def test_the_alert_is_declared(ansible: Ansible, emulator: Emulator, path: str) -> None:
    variables = {
        "echovalue_wallet_path": path,
        "echovalue_wallet_minimum": 1,
        "echovalue_wallet_alert_threshold": 5,
        "echovalue_wallet_alert_webhook": HOOK,
    }
    runs = (variables, variables, {**variables, "echovalue_wallet_alert_state": "absent"})
    run = ansible.play(
        *(role(each, "wallet") for each in runs), also=("echovalue_wallet_result",), options=("-vvv",)
    )
    assert run["echovalue_wallet_result"]["enough"] is True
    assert "SECRET" not in run.shown
    assert emulator.stats()["requests"] == {
        "GET /recharge": 3,
        "GET /token/settings": 3,
        "PUT /token/settings": 2,  # none for the second
    }


def test_an_empty_wallet_is_told_before_its_alert(ansible: Ansible, emulator: Emulator, path: str) -> None:
    emulator.register(GIVEN, wallet=0)
    variables = {"echovalue_wallet_path": path, "echovalue_wallet_alert_threshold": 5}
    run = guard(ansible, {**variables, "echovalue_wallet_minimum": 1}, fails=True)
    assert "0 credits are left" in run.screen
    assert "No alert can be declared" in run.screen
    assert "https://buy.stripe.com/" in run.screen
    run = guard(ansible, {**variables, "echovalue_wallet_minimum": 0}, fails=True)
    assert "echovalue.cloud.echovalue_recharge_link" in run.screen


@pytest.mark.parametrize(
    "token", [{"echovalue_wallet_path": "/does/not/exist"}, {"echovalue_wallet_token": None}]
)
def test_a_check_on_a_fresh_host(ansible: Ansible, emulator: Emulator, token: dict[str, Any]) -> None:
    variables = {**token, "echovalue_wallet_minimum": 1, "echovalue_wallet_alert_threshold": 5}
    guard(ansible, variables, options=("--check",))
    assert emulator.stats()["total"] == 0


def test_a_link_that_cannot_be_made_does_not_hide_the_balance(
    ansible: Ansible, emulator: Emulator, path: str
) -> None:
    emulator.fault("GET /recharge", "late", seconds=0)  # the balance is read by the same call
    emulator.fault("GET /recharge", "status", status=405)
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 10}, fails=True)
    assert "9 credits are left" in run.screen
    assert "could not be made now" in run.screen


def test_a_balance_that_is_not_told_is_not_enough(ansible: Ansible, emulator: Emulator, path: str) -> None:
    emulator.options(balance_headers=False)
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 1}, fails=True)
    assert "for 1 credit" in run.screen


def test_wrong_arguments_stop_the_role(ansible: Ansible, emulator: Emulator, path: str) -> None:
    for variables, word in (
        ({"echovalue_wallet_path": path}, "echovalue_wallet_minimum"),
        ({"echovalue_wallet_minimum": 1}, "Set either"),
        (
            {
                "echovalue_wallet_minimum": 1,
                "echovalue_wallet_path": path,
                "echovalue_wallet_token": GIVEN,
            },
            "Set either",
        ),
        (
            {"echovalue_wallet_minimum": 1, "echovalue_wallet_path": path, "echovalue_wallet_action": "ask"},
            "warn",
        ),
    ):
        assert word in guard(ansible, variables, fails=True).screen
    assert emulator.stats()["total"] == 0
