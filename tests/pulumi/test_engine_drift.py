# SPDX-License-Identifier: BSD-2-Clause
"""What a refresh found, and what a preview shows of the next step, on a real engine, in both halves."""

from __future__ import annotations

from typing import Any

from pulumi_echovalue._shared.module_utils.core.client import EchoValueClient
from pulumi_echovalue._shared.module_utils.core.models import Alert
from tests.pulumi.asking import ADOPTED as TOKEN
from tests.testkit.pulumi_programs import HALVES, Config, alert, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

ADOPTS = {"existing_token": Config("given", secret=True)}


def write(workspace: Workspace, half: str, keepers: str = "1", ignores: str = "", **inputs: Any) -> None:
    """Write a program with a token and its alert, of which a setting is ignored."""
    options = {"ignore_changes": [ignores]} if ignores else {}
    low = alert(threshold=1000, email="ops@example.com", options=options)
    declare(workspace, half, token(keepers={"a": keepers}, **inputs), low, outputs={"token": "app.token"})


def deploy(workspace: Workspace, emulator: Emulator, half: str, ignores: str = "") -> str:
    """Deploy; another user changes the threshold at the service, and a refresh finds it. Return the token."""
    write(workspace, half, ignores=ignores)
    workspace.up()
    made = str(workspace.outputs()["token"])
    EchoValueClient(emulator.url).put_settings(made, Alert(5, "ops@example.com"))
    workspace.refresh()
    return made


@HALVES
def test_what_a_refresh_found_is_what_ignore_changes_keeps(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    made = deploy(workspace, emulator, half, ignores="threshold")
    workspace.up("--expect-no-changes")
    assert emulator.settings(made)["low_balance_threshold"] == 5
    # The other settings are still the program's.
    write(workspace, half)
    workspace.up()
    assert emulator.settings(made)["low_balance_threshold"] == 1000
    workspace.up("--expect-no-changes")


@HALVES
def test_a_preview_shows_the_drift(workspace: Workspace, emulator: Emulator, half: str) -> None:
    deploy(workspace, emulator, half)
    text = workspace.pulumi("preview", "--diff").text
    assert "threshold: 5 => 1000" in " ".join(text.split())
    assert "1000 => 1000" not in text


@HALVES
def test_a_preview_and_a_plan_of_a_token_that_is_only_updated(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    emulator.register(TOKEN)
    workspace.pulumi("config", "set", "--secret", "given", TOKEN)
    write(workspace, half, **ADOPTS)
    workspace.up()
    emulator.reset_stats()
    write(workspace, half, "2", **ADOPTS)
    plan = str(workspace.folder / "plan.json")
    run = workspace.pulumi("preview", "--diff", "--save-plan", plan)
    assert "replace" not in run.text
    assert "1 to update" in run.text
    run = workspace.up("--skip-preview", "--plan", plan)
    assert "1 updated" in run.text
    assert emulator.stats()["total"] == 0
    # A token that is replaced is another alert, and a preview says so.
    write(workspace, half, "2")
    workspace.up("--expect-no-changes")
    write(workspace, half, "3")
    assert "2 to replace" in workspace.pulumi("preview").text


@HALVES
def test_a_service_that_is_gone(workspace: Workspace, emulator: Emulator, other: Emulator, half: str) -> None:
    other.register(TOKEN)
    emulator.register(TOKEN)  # where what is seen is searched for it
    workspace.pulumi("config", "set", "--secret", "given", TOKEN)
    workspace.pulumi("config", "set", "echovalue:baseUrl", other.url)
    write(workspace, half, **ADOPTS)
    workspace.up()
    workspace.pulumi("config", "set", "echovalue:retries", "0")
    workspace.up()  # which takes the setting into the native provider's own state
    other.stop()
    asked = f"{other.url} was requested, which the state remembers. If "
    text = workspace.refresh(fails=True).text
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
    emulator.register(TOKEN)
