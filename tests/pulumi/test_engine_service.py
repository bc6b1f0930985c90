# SPDX-License-Identifier: BSD-2-Clause
"""Two services, and a stack whose token is of the first: another one never drops, mints or gets a token."""

from __future__ import annotations

import pytest

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

ONE = """
token = echovalue.Token("app", keepers={"release": "1"})
pulumi.export("token", token.token)
pulumi.export("wallet", echovalue.get_wallet(token, details=False))
"""


@pytest.fixture
def hash_(workspace: Workspace, emulator: Emulator) -> str:
    """The token of the stack, minted at the first service, which the environment said."""
    workspace.program(ONE)
    workspace.up()
    emulator.reset_stats()
    kept = workspace.resources()["app"]
    assert kept["outputs"]["service"] == emulator.url
    assert "service" not in kept["inputs"]
    return kept["id"]


def test_another_service_of_the_environment(
    workspace: Workspace, emulator: Emulator, other: Emulator, hash_: str
) -> None:
    workspace.base_url = other.url
    workspace.pulumi("preview", "--expect-no-changes")
    workspace.up("--expect-no-changes")
    workspace.up("--refresh", "--expect-no-changes")
    workspace.refresh("--expect-no-changes")
    assert workspace.outputs()["wallet"]["wallet"] == 100  # of the first
    workspace.program(ONE.replace('"1"', '"2"'))
    for command in (workspace.up, lambda **options: workspace.pulumi("preview", **options)):
        run = command(fails=True)
        assert f"The token with hash {hash_} is of {emulator.url}, and would be replaced" in run.text
    assert workspace.resources()["app"]["id"] == hash_
    assert f"{hash_} leaves the stack and stays valid, with 100 credits" in workspace.destroy().text
    assert other.stats()["total"] == 0
    assert emulator.stats()["mints"] == 0


@pytest.mark.parametrize("by", ["config", pytest.param("argument", marks=pytest.mark.slow)])
def test_another_service_that_is_named(
    workspace: Workspace, emulator: Emulator, other: Emulator, hash_: str, by: str
) -> None:
    if by == "config":
        workspace.pulumi("config", "set", "echovalue:baseUrl", other.url)
    else:
        workspace.program(ONE.replace('"app", ', f'"app", base_url="{other.url}", '))
    reported = f"EchoValue at {other.url} does not know the token with hash {hash_} (HTTP 401)"
    for arguments in ([], ["--refresh"]):
        assert reported in workspace.up(*arguments, fails=True).text
    kept = workspace.resources()["app"]
    assert (kept["id"], kept["outputs"]["service"]) == (hash_, emulator.url)
    # Once it knows the token, it is the token's own.
    other.register(workspace.outputs()["token"], wallet=7)
    workspace.up()
    kept = workspace.resources()["app"]
    assert (kept["id"], kept["outputs"]["service"]) == (hash_, other.url)
    assert workspace.outputs()["wallet"]["wallet"] == 7
    workspace.up("--expect-no-changes")
    assert (emulator.stats()["mints"], other.stats()["mints"]) == (0, 0)
