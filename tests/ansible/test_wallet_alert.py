# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_wallet_alert: what it sets, what it costs, what it shows, and what the service then sends."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.playbook import Ansible, alert, checked
from tools.emulator.client import Emulator
from tools.emulator.webhook import Webhook

pytestmark = pytest.mark.slow

ADOPTED = "given-token-0123456789abcdef"
SLACK = {"url": "https://hooks.slack.com/services/of-the-team", "format": "slack"}


@pytest.fixture
def path(tmp_path: Path, emulator: Emulator) -> str:
    """The token's file; the service has none of its settings."""
    emulator.forget(emulator.register(ADOPTED))
    emulator.register(ADOPTED)
    (tmp_path / "token").write_text(ADOPTED + "\n")
    return str(tmp_path / "token")


def settings(emulator: Emulator) -> dict[str, Any]:
    request = urllib.request.Request(emulator.url + "/token/settings", headers={"x-token": ADOPTED})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.mark.parametrize("put", [pytest.param("replace", marks=pytest.mark.essential), "merge"])
def test_a_life(ansible: Ansible, emulator: Emulator, path: str, put: str) -> None:
    emulator.options(put=put)
    ops = {"threshold": 50, "email": "ops@example.com"}
    run = ansible.play(
        checked(alert("checked", path=path, **ops)),
        alert("new", path=path, **ops),
        alert("part", path=path, threshold=50),
        alert("webhook", path=path, webhook=SLACK),
        alert("webhook_again", path=path, webhook=SLACK, **ops),
        alert("cleared", path=path, email=""),
        alert("cleared_again", path=path, email=""),
        alert("off", path=path, state="absent"),
        alert("off_again", token=ADOPTED, state="absent", threshold=9),
    )
    reported = {name: (result["changed"], result["cost"]) for name, result in run.registered.items()}
    first = dict.fromkeys(("new", "webhook", "cleared", "off"), (True, 2))
    again = dict.fromkeys(("part", "webhook_again", "cleared_again", "off_again"), (False, 1))
    assert reported == {"checked": (True, 1), **first, **again}

    def picture(name: str) -> tuple[object, ...]:
        return tuple(run[name][key] for key in ("threshold", "email", "webhook_host"))

    assert picture("checked") == picture("new") == (50, "ops@example.com", None)
    assert picture("webhook") == (50, "ops@example.com", "hooks.slack.com")
    assert picture("cleared") == (50, None, "hooks.slack.com")
    assert picture("off") == picture("off_again") == (0, None, "hooks.slack.com")
    assert emulator.stats()["credits_spent"] == sum(cost for _changed, cost in reported.values())
    assert settings(emulator) == {"low_balance_threshold": 0, "low_balance_webhook": SLACK}


def test_the_alert_that_is_declared_arrives(ansible: Ansible, emulator: Emulator, path: str) -> None:
    text = {"__ansible_unsafe": "{{wallet}} of {{threshold}} left"}
    with Webhook() as webhook:
        emulator.options(webhook_ca=webhook.ca)
        hook = {
            "url": webhook.url,
            "headers": {"X-Priority": 5},
            "format": "custom",
            "template": {"text": text, "deep": [1, True, None]},
        }
        run = ansible.play(
            alert("new", path=path, threshold=98, webhook=hook),
            alert("again", path=path, threshold=98, webhook=hook),  # 97 are left
        )
        assert (run["new"]["changed"], run["again"]["changed"]) == (True, False)
        delivery = webhook.next()
        assert delivery.value == {"text": "97 of 98 left", "deep": [1, True, None]}
        assert delivery.headers["x-priority"] == "5"
        assert webhook.quiet()


def test_a_difference_names_fields(ansible: Ansible, path: str) -> None:
    run = ansible.play(
        alert("first", path=path, threshold=50, email="ops@example.com"),
        alert("second", path=path, threshold=60, webhook=SLACK),
        alert("third", path=path, webhook={**SLACK, "headers": {"a": "b"}}),
        options=("--diff",),
    )
    assert run["first"]["diff"] == {
        "before": {"threshold": 0, "email": "", "webhook": None},
        "after": {"threshold": 50, "email": "ops@example.com", "webhook": None},
    }
    webhooks = [run[name]["diff"]["after"]["webhook"] for name in ("second", "third")]
    assert webhooks == ["hooks.slack.com (another url, format)", "hooks.slack.com (another headers)"]
    assert '+    "threshold": 60' in run.screen


def test_failures_have_a_reason(ansible: Ansible, emulator: Emulator, path: str) -> None:
    emulator.register("empty-token-0123456789", wallet=0)
    emulator.fault("PUT /token/settings", "drop", after_work=True)
    run = ansible.play(
        alert("doubt", path=path, threshold=1, retries=0, ignore_errors=True),
        alert("set_all_the_same", path=path, threshold=1),
        alert("empty", token="empty-token-0123456789", threshold=1, ignore_errors=True),
        alert("nothing", path=path, ignore_errors=True),
        alert("no_file", path=path + "-missing", threshold=1, ignore_errors=True),
    )
    assert {name: result.get("reason") for name, result in run.registered.items()} == {
        "doubt": "network",
        "set_all_the_same": None,
        "empty": "payment_required",
        **dict.fromkeys(("nothing", "no_file"), "invalid_input"),
    }
    assert run["set_all_the_same"]["changed"] is False
    words = {
        "doubt": "read first",
        "empty": "echovalue.cloud.echovalue_recharge_link",
        "nothing": "threshold",
    }
    assert [name for name, word in words.items() if word not in run[name]["msg"]] == []
