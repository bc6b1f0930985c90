# SPDX-License-Identifier: BSD-2-Clause
"""What a refresh found, and what a preview shows of the next step, on a real engine, in both halves."""

from __future__ import annotations

import pytest

from pulumi_echovalue._shared.module_utils.core.client import EchoValueClient
from pulumi_echovalue._shared.module_utils.core.models import Alert
from tests.pulumi.asking import GIVEN as TOKEN
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

HALVES = pytest.mark.parametrize("half", ["dynamic", "native"])


def write(
    workspace: Workspace, half: str, *, keepers: str = "1", existing: bool = False, options: str = ""
) -> None:
    """Write a program with a token and its alert; `options` are of the alert."""
    if half == "dynamic":
        adopted = 'existing_token=pulumi.Config().require_secret("given"), ' if existing else ""
        workspace.program(
            f"""
token = echovalue.Token("app", {adopted}keepers={{"a": {keepers!r}}})
echovalue.WalletAlert("low", token=token, threshold=1000, email="ops@example.com",
    opts=pulumi.ResourceOptions({options and f"ignore_changes=[{options!r}]"}))
pulumi.export("token", token.token)
"""
        )
    else:
        adopted = 'existingToken: "${given}", ' if existing else ""
        workspace.yaml(
            f"""
{"config: {given: {type: string, secret: true}}" if existing else ""}
resources:
  app:
    type: echovalue:Token
    properties: {{{adopted}keepers: {{a: "{keepers}"}}}}
  low:
    type: echovalue:WalletAlert
    options: {{{options and f"ignoreChanges: [{options}]"}}}
    properties: {{token: "${{app.token}}", baseUrl: "${{app.service}}", threshold: 1000, email: ops@example.com}}
outputs: {{token: "${{app.token}}"}}
"""
        )


def set_by_hand(emulator: Emulator, token: str, threshold: int) -> None:
    """Change the threshold at the service, as somebody else would."""
    EchoValueClient(emulator.url).put_settings(token, Alert(threshold, "ops@example.com"))
    emulator.reset_stats()


@HALVES
def test_what_a_refresh_found_is_what_ignore_changes_keeps(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    write(workspace, half, options="threshold")
    workspace.up()
    token = workspace.outputs()["token"]
    set_by_hand(emulator, token, 5)
    workspace.pulumi("refresh", "--yes")
    workspace.up("--expect-no-changes")
    assert emulator.settings(token)["low_balance_threshold"] == 5
    # The other settings are still the program's.
    write(workspace, half)
    workspace.up()
    assert emulator.settings(token)["low_balance_threshold"] == 1000
    workspace.up("--expect-no-changes")


@HALVES
def test_a_preview_shows_the_drift(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half)
    workspace.up()
    set_by_hand(emulator, workspace.outputs()["token"], 5)
    workspace.pulumi("refresh", "--yes")
    text = workspace.pulumi("preview", "--diff").text
    assert "threshold: 5 => 1000" in " ".join(text.split())
    assert "1000 => 1000" not in text


@HALVES
def test_a_preview_and_a_plan_of_a_token_that_is_only_updated(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    emulator.register(TOKEN)
    workspace.pulumi("config", "set", "--secret", "given", TOKEN)
    write(workspace, half, existing=True)
    workspace.up()
    emulator.reset_stats()
    write(workspace, half, existing=True, keepers="2")
    plan = str(workspace.folder / "plan.json")
    run = workspace.pulumi("preview", "--diff", "--save-plan", plan)
    assert "replace" not in run.text
    assert "1 to update" in run.text
    run = workspace.up("--skip-preview", "--plan", plan)
    assert "1 updated" in run.text
    assert emulator.stats()["total"] == 0
    # A token that is replaced is another alert, and a preview says so.
    write(workspace, half, keepers="2")
    workspace.up("--expect-no-changes")
    write(workspace, half, keepers="3")
    assert "2 to replace" in workspace.pulumi("preview").text


@HALVES
def test_a_service_that_is_gone(workspace: Workspace, emulator: Emulator, other: Emulator, half: str) -> None:
    other.register(TOKEN)
    emulator.register(TOKEN)  # where what is seen is searched for it
    workspace.pulumi("config", "set", "--secret", "given", TOKEN)
    workspace.pulumi("config", "set", "echovalue:baseUrl", other.url)
    write(workspace, half, existing=True)
    workspace.up()
    workspace.pulumi("config", "set", "echovalue:retries", "0")
    workspace.up()  # which takes the setting into the native provider's own state
    other.stop()
    asked = f"{other.url} was requested, which the state remembers. If "
    text = workspace.pulumi("refresh", "--yes", fails=True).text
    assert f"{asked}the service has moved" in " ".join(text.split())
    assert "ECHOVALUE_BASE_URL" not in text
    text = workspace.pulumi("destroy", "--yes", "--skip-preview", fails=True).text
    assert f"{asked}it is gone for good" in " ".join(text.split())
    urn = workspace.resources()["low"]["urn"]
    workspace.pulumi("state", "delete", "--yes", urn)  # as the text says
    workspace.destroy()
    assert workspace.resources() == {}


@HALVES
def test_timeout_and_retries_of_the_config(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half)
    workspace.pulumi("config", "set", "echovalue:timeout", "0.5")
    emulator.fault("POST /token", "hang")
    assert "no whole answer within 0.5 s" in workspace.up(fails=True).text
    workspace.pulumi("config", "set", "echovalue:timeout", "10s")
    text = workspace.pulumi("preview", fails=True).text
    assert "timeout must be a number" in text
    assert "echovalue:timeout" in text or "timeout: timeout" in text
    assert "Traceback" not in text
    workspace.pulumi("config", "rm", "echovalue:timeout")
    emulator.register(TOKEN)
