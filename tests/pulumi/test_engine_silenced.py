# SPDX-License-Identifier: BSD-2-Clause
"""An alert that is replaced while its token stays, on a real engine: the new one is created before the old
one is deleted, and both are the one alert that the token has.
"""

from __future__ import annotations

from typing import Any

from tests.testkit.pulumi_programs import HALVES, NATIVE_IS_SLOW, alert, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

READ = {"GET /token/settings": 1}


def write(workspace: Workspace, half: str, *names: str, threshold: int = 1000, **options: Any) -> None:
    """Write a program with the alerts `names`; `options` are of all."""
    alerts = [alert(name, threshold=threshold, options=options) for name in names or ("low",)]
    declare(workspace, half, token(), *alerts, outputs={"token": "app.token"})


def threshold(workspace: Workspace, emulator: Emulator) -> int:
    """Return the threshold at the service."""
    return int(emulator.settings(workspace.outputs()["token"])["low_balance_threshold"])


@HALVES
def test_a_forced_replacement(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half)
    workspace.up()
    urn = workspace.resources()["low"]["urn"]
    emulator.reset_stats()
    assert "1 replaced" in workspace.up("--replace", urn).text
    assert emulator.stats()["requests"] == READ
    assert threshold(workspace, emulator) == 1000
    workspace.pulumi("state", "taint", "--yes", urn)
    assert "1 replaced" in workspace.up().text
    assert threshold(workspace, emulator) == 1000
    workspace.up("--refresh", "--expect-no-changes")
    # The old one first: it is switched off, and on again.
    write(workspace, half, delete_before_replace=True)
    workspace.up()
    emulator.reset_stats()
    assert "1 replaced" in workspace.up("--replace", urn).text
    assert emulator.stats()["requests"] == {"GET /token/settings": 2, "PUT /token/settings": 2}
    assert threshold(workspace, emulator) == 1000


def test_a_replacement_trigger(workspace: Workspace, emulator: Emulator) -> None:
    for trigger in ("one", "two"):
        write(workspace, "dynamic", replacement_trigger=trigger)
        run = workspace.up()
    assert "1 replaced" in run.text
    assert threshold(workspace, emulator) == 1000


@NATIVE_IS_SLOW
def test_two_alerts_of_one_token(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half)
    workspace.up()
    # Renamed without an alias.
    write(workspace, half, "other")
    workspace.up()
    assert list(workspace.resources()) == ["app", "other"]
    assert threshold(workspace, emulator) == 1000
    # Two, of which the one that was set first is taken out of the program.
    write(workspace, half, "other", "second", threshold=500)
    workspace.up()
    write(workspace, half, "second", threshold=2000)
    workspace.up()
    assert list(workspace.resources()) == ["app", "second"]
    assert threshold(workspace, emulator) == 2000
