# SPDX-License-Identifier: BSD-2-Clause
"""A low-balance alert's life on a real engine, by a Python program and by one in YAML."""

from __future__ import annotations

import pytest

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

HOST = "hooks-canary.example.com"
HEADER = "header-canary-5f1e"
OPTION = "option-canary-77ab"
PYTHON = f"""
config = pulumi.Config()
token = echovalue.Token("app", keepers={{"release": config.get("release") or "one"}})
threshold = config.get_int("threshold")
webhook = {{
    "url": "https://{HOST}/s3cret-path",
    "headers": {{"Authorization": "{HEADER}"}},
    "format": "pagerduty",
    "options": {{"routing_key": "{OPTION}", "retries": 5}},
}}
alert = echovalue.WalletAlert(
    "low", token=token, threshold=threshold, email="ops@example.com", webhook=webhook
)
pulumi.export("token", token.token)
pulumi.export("threshold", alert.threshold)
"""
YAML = f"""
config:
  release: {{type: string, default: one}}
  threshold: {{type: integer}}
resources:
  app:
    type: echovalue:Token
    properties:
      keepers: {{release: "${{release}}"}}
  low:
    type: echovalue:WalletAlert
    properties:
      token: ${{app.token}}
      baseUrl: ${{app.service}}
      threshold: ${{threshold}}
      email: ops@example.com
      webhook:
        url: https://{HOST}/s3cret-path
        headers: {{Authorization: {HEADER}}}
        format: pagerduty
        options: {{routing_key: {OPTION}, retries: 5}}
outputs:
  token: ${{app.token}}
  threshold: ${{low.threshold}}
"""
BOTH = {"GET /token/settings": 1, "PUT /token/settings": 1}


def declare(workspace: Workspace, half: str) -> None:
    """Make the program; what is secret in it is nowhere else in clear."""
    workspace.program(PYTHON)
    if half == "native":
        workspace.yaml(YAML)


def settings(workspace: Workspace, emulator: Emulator) -> dict[str, object]:
    """Return what the service has for the stack's token, with the statistics reset."""
    found = emulator.settings(workspace.outputs()["token"])
    emulator.reset_stats()
    return found


@pytest.mark.parametrize("half", ["dynamic", "native"])
def test_a_life(workspace: Workspace, emulator: Emulator, half: str) -> None:
    declare(workspace, half)
    workspace.pulumi("config", "set", "threshold", "50")
    workspace.pulumi("preview", "--diff")
    assert emulator.stats()["total"] == 0
    workspace.up("--diff")
    assert emulator.stats()["requests"] == {"POST /token": 1, **BOTH}
    assert emulator.stats()["credits_spent"] == 2
    first = workspace.resources()["low"]
    assert first["id"] == workspace.resources()["app"]["id"]
    assert workspace.outputs()["threshold"] == 50
    assert settings(workspace, emulator) == {
        "low_balance_threshold": 50,
        "low_balance_email": "ops@example.com",
        "low_balance_webhook": {
            "url": f"https://{HOST}/s3cret-path",
            "headers": {"Authorization": HEADER},
            "format": "pagerduty",
            "options": {"routing_key": OPTION, "retries": 5},
        },
    }
    # An unchanged up sends nothing, a refresh reads.
    workspace.up("--expect-no-changes")
    workspace.pulumi("preview", "--expect-no-changes", "--json")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    assert emulator.stats()["requests"] == {"GET /recharge": 1, "GET /token/settings": 1}
    # Another threshold is an update; another token another alert.
    workspace.pulumi("config", "set", "threshold", "60")
    emulator.reset_stats()
    assert "1 updated" in workspace.up("--diff").out
    assert emulator.stats()["requests"] == BOTH
    assert settings(workspace, emulator)["low_balance_threshold"] == 60
    old = workspace.outputs()["token"]
    workspace.pulumi("config", "set", "release", "two")
    assert "2 replaced" in workspace.up().out
    assert emulator.settings(old)["low_balance_threshold"] == 0
    assert settings(workspace, emulator)["low_balance_threshold"] == 60
    new = workspace.outputs()["token"]
    workspace.pulumi("stack", "export")
    workspace.destroy()
    assert emulator.settings(new)["low_balance_threshold"] == 0
    # In YAML the program itself says them.
    assert not workspace.finds(
        HOST, HEADER, OPTION, allowed=("program/Pulumi.yaml",) if half == "native" else ()
    )


def test_inputs_that_cannot_be_meant(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program(
        'echovalue.WalletAlert("low", token="feedfacefeedfacefeedfacefeedface",'
        ' webhook={"url": "http://canary.example.com"})'
    )
    failed = workspace.up(fails=True)
    assert "webhook: webhook.url must be an https URL" in failed.text
    assert "canary.example.com" not in failed.text
    workspace.program(
        'token = echovalue.Token("app")\n'
        'echovalue.WalletAlert("low", token=token, threshold=5, base_url="https://elsewhere.example")'
    )
    assert "A Token is asked about at its own service" in workspace.up(fails=True).text
    workspace.program(
        'token = echovalue.Token("app")\n'
        'echovalue.WalletAlert("low", token=token, threshold=5, opts=pulumi.ResourceOptions(import_="x"))'
    )
    assert "cannot be imported" in workspace.up(fails=True).text
    workspace.program('echovalue.Token("app")')  # for the fixture, which wants a token
    workspace.up()
