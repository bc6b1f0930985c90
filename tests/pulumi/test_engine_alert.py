# SPDX-License-Identifier: BSD-2-Clause
"""A low-balance alert's life on a real engine, by a Python program and by one in YAML."""

from __future__ import annotations

from typing import Any

from tests.pulumi.asking import ADOPTED
from tests.testkit.pulumi_programs import HALVES, alert, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

CANARIES = ("hooks-canary.example.com", "header-canary-5f1e", "option-canary-77ab")
WEBHOOK = {
    "url": f"https://{CANARIES[0]}/s3cret-path",
    "headers": {"Authorization": CANARIES[1]},
    "format": "pagerduty",
    "options": {"routing_key": CANARIES[2], "retries": 5},
}
BOTH = {"GET /token/settings": 1, "PUT /token/settings": 1}


def write(workspace: Workspace, half: str, threshold: int, release: str = "one") -> None:
    low = alert(threshold=threshold, email="ops@example.com", webhook=WEBHOOK)
    outputs = {"token": "app.token", "threshold": "low.threshold"}
    declare(workspace, half, token(keepers={"release": release}), low, outputs=outputs)


def settings(workspace: Workspace, emulator: Emulator) -> dict[str, Any]:
    """Return what the service has for the stack's token, with the statistics reset."""
    found = emulator.settings(workspace.outputs()["token"])
    emulator.reset_stats()
    return found


@HALVES
def test_a_life(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half, 50)
    workspace.pulumi("preview", "--diff")
    assert emulator.stats()["total"] == 0
    workspace.up("--diff")
    assert emulator.stats()["requests"] == {"POST /token": 1, **BOTH}
    assert emulator.stats()["credits_spent"] == 2
    assert workspace.resources()["low"]["id"] == workspace.resources()["app"]["id"]
    assert workspace.outputs()["threshold"] == 50
    assert settings(workspace, emulator) == {
        "low_balance_threshold": 50,
        "low_balance_email": "ops@example.com",
        "low_balance_webhook": WEBHOOK,
    }
    # An unchanged up sends nothing, a refresh reads.
    workspace.up("--expect-no-changes")
    workspace.pulumi("preview", "--expect-no-changes", "--json")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    assert emulator.stats()["requests"] == {"GET /recharge": 1, "GET /token/settings": 1}
    # Another threshold is an update; another token another alert.
    write(workspace, half, 60)
    emulator.reset_stats()
    assert "1 updated" in workspace.up("--diff").out
    assert emulator.stats()["requests"] == BOTH
    assert settings(workspace, emulator)["low_balance_threshold"] == 60
    old = workspace.outputs()["token"]
    write(workspace, half, 60, release="two")
    assert "2 replaced" in workspace.up().out
    assert emulator.settings(old)["low_balance_threshold"] == 0
    assert settings(workspace, emulator)["low_balance_threshold"] == 60
    new = workspace.outputs()["token"]
    workspace.pulumi("stack", "export")
    workspace.destroy()
    assert emulator.settings(new)["low_balance_threshold"] == 0
    # In YAML the program itself says them.
    allowed = ("program/Pulumi.yaml",) if half == "native" else ()
    assert not workspace.finds(*CANARIES, allowed=allowed)


def test_inputs_that_make_no_sense(workspace: Workspace, emulator: Emulator) -> None:
    low = f'echovalue.WalletAlert("low", token="{ADOPTED}", webhook={{"url": "http://canary.example.com"}})'
    workspace.program(low)
    failed = workspace.up(fails=True)
    assert "webhook: webhook.url must be an https URL" in failed.text
    assert "canary.example.com" not in failed.text
    for more, reported in (
        ({"base_url": "https://elsewhere.example"}, "A Token is read at its own service"),
        ({"options": {"import_": "x"}}, "cannot be imported"),
    ):
        declare(workspace, "dynamic", token(), alert(threshold=5, **more))
        assert reported in workspace.up(fails=True).text
    declare(workspace, "dynamic", token())  # for the fixture, which wants a token
    workspace.up()
