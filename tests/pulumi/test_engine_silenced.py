# SPDX-License-Identifier: BSD-2-Clause
"""An alert that is replaced while its token stays, on a real engine: the new one is created before the old
one is deleted, and both are the one alert that the token has.
"""

from __future__ import annotations

import pytest

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

PYTHON = """
token = echovalue.Token("app")
{alerts}
pulumi.export("token", token.token)
"""
YAML = """
resources:
  app: {{type: "echovalue:Token"}}
{alerts}
outputs: {{token: "${{app.token}}"}}
"""
READ = {"GET /token/settings": 1}
WRITTEN = {**READ, "PUT /token/settings": 1}


def write(workspace: Workspace, half: str, threshold: int = 1000, options: str = "", *names: str) -> None:
    """Write a program with the alerts `names`; `options` are of all."""
    names = names or ("low",)
    if half == "native":
        alert = (
            '  {name}: {{type: "echovalue:WalletAlert", options: {{{options}}}, properties: '
            '{{token: "${{app.token}}", baseUrl: "${{app.service}}", threshold: {threshold}}}}}'
        )
    else:
        alert = (
            'echovalue.WalletAlert("{name}", token=token, threshold={threshold}, '
            "opts=pulumi.ResourceOptions({options}))"
        )
    alerts = [alert.format(name=name, options=options, threshold=threshold) for name in names]
    if half == "native":
        workspace.yaml(YAML.format(alerts="\n".join(alerts)))
    else:
        workspace.program(PYTHON.format(alerts="\n".join(alerts)))


def threshold(workspace: Workspace, emulator: Emulator) -> int:
    """Return the threshold at the service, with the statistics reset."""
    found = emulator.settings(workspace.outputs()["token"])["low_balance_threshold"]
    emulator.reset_stats()
    return int(found)


@pytest.mark.parametrize("half", ["dynamic", "native"])
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
    once = {"dynamic": "delete_before_replace=True", "native": "deleteBeforeReplace: true"}[half]
    write(workspace, half, 1000, once)
    workspace.up()
    emulator.reset_stats()
    assert "1 replaced" in workspace.up("--replace", urn).text
    assert emulator.stats()["requests"] == {"GET /token/settings": 2, "PUT /token/settings": 2}
    assert threshold(workspace, emulator) == 1000
    token = workspace.outputs()["token"]
    workspace.destroy()
    assert emulator.settings(token)["low_balance_threshold"] == 0


def test_a_replacement_trigger(workspace: Workspace, emulator: Emulator) -> None:
    write(workspace, "dynamic", 1000, 'replacement_trigger="one"')
    workspace.up()
    write(workspace, "dynamic", 1000, 'replacement_trigger="two"')
    assert "1 replaced" in workspace.up().text
    assert threshold(workspace, emulator) == 1000


@pytest.mark.parametrize("half", ["dynamic", pytest.param("native", marks=pytest.mark.slow)])
def test_two_alerts_of_one_token(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half)
    workspace.up()
    # Renamed without an alias.
    write(workspace, half, 1000, "", "other")
    workspace.up()
    assert list(workspace.resources()) == ["app", "other"]
    assert threshold(workspace, emulator) == 1000
    # Two, of which the one that was set first is taken out of the program.
    write(workspace, half, 500, "", "other", "second")
    workspace.up()
    write(workspace, half, 2000, "", "second")
    workspace.up()
    assert list(workspace.resources()) == ["app", "second"]
    assert threshold(workspace, emulator) == 2000
