# SPDX-License-Identifier: BSD-2-Clause
"""Programs of both halves that say the same, and what is done with their stacks."""

from __future__ import annotations

import json
from typing import Any

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

HALVES = ("dynamic", "native")
_CAMEL = {
    "hashi_vault": "hashiVault",
    "aws_secretsmanager": "awsSecretsmanager",
    "endpoint_url": "endpointUrl",
}
_ALERT = {"threshold": 50, "email": "ops@example.com"}


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
    keepers = {"release": release}
    if half == "dynamic":
        workspace.program(
            f"places, keepers = {places!r}, {keepers!r}\n"
            "tokens = {name: echovalue.Token(name, keepers=keepers, place=places[name]) for name in places}\n"
            "first = next(iter(tokens.values()))\n"
            "pulumi.export('hash', first.hash)\n"
            + f"echovalue.WalletAlert('low', token=first, **{_ALERT!r})\n" * alert
            + "pulumi.export('wallet', echovalue.get_wallet(first, details=False).wallet)\n" * reads
        )
        return
    first = next(iter(places))
    where = {"place": f"${{{first}.place}}", "baseUrl": f"${{{first}.service}}"}
    properties = {name: {"keepers": keepers, "place": wire(place)} for name, place in places.items()}
    resources = {name: {"type": "echovalue:Token", "properties": one} for name, one in properties.items()}
    program: dict[str, Any] = {"resources": resources, "outputs": {"hash": f"${{{first}.hash}}"}}
    if alert:
        known = {**where, **_ALERT, "hash": f"${{{first}.hash}}"}
        resources["low"] = {"type": "echovalue:WalletAlert", "properties": known}
    if reads:
        called = {"function": "echovalue:getWallet", "arguments": {**where, "details": False}}
        program["variables"] = {"found": {"fn::invoke": called}}
        program["outputs"]["wallet"] = "${found.wallet}"
    workspace.yaml("\n".join(f"{name}: {json.dumps(what)}" for name, what in program.items()))


def wire(value: Any) -> Any:
    """Return a place as the native provider names it."""
    if not isinstance(value, dict):
        return value
    return {_CAMEL.get(name, name): wire(one) for name, one in value.items()}


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
