# SPDX-License-Identifier: BSD-2-Clause
"""The role echovalue_wallet: what it tells, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ansible.playbook import Run
from tests.emulator.client import Emulator
from tests.stores.conftest import Controller, role

GIVEN = "given-token-0123456789abcdef"


def guard(ansible: Controller, variables: dict[str, Any], **play: Any) -> Run:
    return ansible.play(role(variables, "wallet"), also=("echovalue_wallet_result",), **play)


@pytest.fixture
def path(tmp_path: Path, emulator: Emulator) -> str:
    emulator.register(GIVEN, wallet=9)
    (tmp_path / "token").write_text(GIVEN + "\n")
    return str(tmp_path / "token")


def test_enough_is_told_for_free(ansible: Controller, emulator: Emulator, path: str) -> None:
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 9})
    assert run["echovalue_wallet_result"]["enough"] is True
    assert run["echovalue_wallet_result"]["wallet"] == 9
    assert (emulator.stats()["total"], emulator.stats()["credits_spent"]) == (1, 0)


@pytest.mark.parametrize("action", ["fail", "warn"])
@pytest.mark.parametrize("links", ["hash", "token"])
def test_too_little_is_told_with_a_link_that_holds_no_token(
    ansible: Controller, emulator: Emulator, path: str, action: str, links: str
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


def test_a_link_that_cannot_be_made_does_not_hide_the_balance(
    ansible: Controller, emulator: Emulator, path: str
) -> None:
    emulator.fault("GET /recharge", "late", seconds=0)  # the balance is read by the same call
    emulator.fault("GET /recharge", "status", status=405)
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 10}, fails=True)
    assert "9 credits are left" in run.screen
    assert "could not be made now" in run.screen


def test_a_balance_that_is_not_told_is_not_enough(ansible: Controller, emulator: Emulator, path: str) -> None:
    emulator.options(balance_headers=False)
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 1}, fails=True)
    assert "for 1 credit" in run.screen


def test_wrong_arguments_stop_the_role(ansible: Controller, emulator: Emulator, path: str) -> None:
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
