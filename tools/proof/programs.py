# SPDX-License-Identifier: BSD-2-Clause
"""Programs of both halves that say the same, and what is done with their stacks."""

from __future__ import annotations

import json
from typing import Any

from tests.testkit.pulumi_programs import alert as alert_of
from tests.testkit.pulumi_programs import declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

HALVES = ("dynamic", "native")


def write(
    workspace: Workspace,
    half: str,
    places: dict[str, Any],
    release: str,
    *,
    alert: bool = False,
    reads: bool = False,
) -> None:
    """Write a program with a token in each place, and what reads the first one there: an alert, a function."""
    keepers, first = {"release": release}, next(iter(places))
    resources = [token(name, keepers=keepers, place=place) for name, place in places.items()]
    if alert:
        resources.append(alert_of(of=first, in_place=True, threshold=50, email="ops@example.com"))
    outputs, more = {"hash": f"{first}.hash"}, ""
    if reads and half == "dynamic":
        more = f"pulumi.export('wallet', echovalue.get_wallet({first}, details=False).wallet)"
    elif reads:
        where = {"place": f"${{{first}.place}}", "baseUrl": f"${{{first}.service}}", "details": False}
        called = {"function": "echovalue:getWallet", "arguments": where}
        outputs["wallet"] = "found.wallet"
        more = f"variables: {json.dumps({'found': {'fn::invoke': called}})}"
    declare(workspace, half, *resources, outputs=outputs, more=more)


def show(workspace: Workspace) -> None:
    """Run each command that shows what a stack stores."""
    for command in (["output", "--json"], ["output"], ["export"], ["history", "--json"], ["--show-urns"]):
        workspace.pulumi("stack", *command)


def refresh_without_service(workspace: Workspace, emulator: Emulator) -> None:
    """Let a refresh fail, for the service is away."""
    emulator.stop()
    try:
        workspace.refresh("--diff", "--debug", fails=True)
    finally:
        emulator.start()
