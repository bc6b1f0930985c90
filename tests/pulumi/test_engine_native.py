# SPDX-License-Identifier: BSD-2-Clause
"""The native provider on a real engine, by programs in YAML.

That no token stands in clear anywhere is checked at the end of each, by the fixture.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.pulumi.asking import GIVEN, GIVEN_HASH
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

ONE = """
resources:
  app: {type: "echovalue:Token", properties: {keepers: {release: "1"}}}
outputs: {token: "${app.token}", hash: "${app.hash}"}
"""
ASKS = """
variables:
  wallet:
    fn::invoke:
      function: echovalue:getWallet
      arguments: {token: "${app.token}", baseUrl: "${app.service}", details: false, required: false}
  link:
    fn::invoke: {function: echovalue:getRechargeLink, arguments: {token: "${app.token}", required: false}}
outputs: {token: "${app.token}", wallet: "${wallet.wallet}", link: "${link.url}"}
"""
ADOPTED = """
config: {given: {type: string, secret: true}}
resources: {app: {type: "echovalue:Token", properties: {existingToken: "${given}"}}}
outputs: {token: "${app.token}"}
"""
BARE = """
resources: {app: {type: "echovalue:Token"}}
outputs: {token: "${app.token}"}
"""


@pytest.mark.essential
def test_a_life(workspace: Workspace, emulator: Emulator) -> None:
    workspace.yaml(ONE)
    assert "[unknown]" in workspace.pulumi("preview", "--diff").out
    assert emulator.stats()["total"] == 0
    run = workspace.up("--diff")
    assert "warning" not in run.text  # the way that finds the provider prints none
    first = workspace.outputs()
    kept = workspace.resources()["app"]
    assert hashlib.sha256(first["token"].encode()).hexdigest() == first["hash"] == kept["id"]
    assert kept["outputs"]["service"] == emulator.url
    emulator.reset_stats()
    workspace.up("--expect-no-changes", "--json")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    assert emulator.stats()["requests"] == {"GET /recharge": 1}
    workspace.pulumi("stack", "export")
    workspace.pulumi("stack", "history")
    # A changed keeper: the new one before the old one.
    workspace.yaml(ONE.replace('"1"', '"2"'))
    text = workspace.up().text
    second = workspace.outputs()
    assert text.index("created replacement") < text.index("deleted original")
    assert f"the one with hash {first['hash']} leaves the stack and stays valid, with 100 credits" in text
    assert second["hash"] != first["hash"]
    # The service forgets it.
    emulator.forget(second["hash"])
    assert f"does not know the token with hash {second['hash']}" in workspace.refresh().text
    assert workspace.resources()["app"]["outputs"]["gone"] is True
    workspace.up()
    third = workspace.outputs()
    # It is down: a refresh changes nothing, what need not be known does not stop a program.
    workspace.yaml(ONE.replace('"1"', '"2"').partition("outputs")[0] + ASKS)
    workspace.up()
    outputs = workspace.outputs()
    assert (outputs["wallet"], outputs["link"].endswith(third["token"])) == (100, True)
    assert set(json.loads(workspace.pulumi("stack", "output", "--json").out).values()) == {"[secret]"}
    emulator.stop()
    try:
        run = workspace.refresh(fails=True)
        assert "The connection was refused. Nothing was changed." in run.text
        assert workspace.resources()["app"]["id"] == third["hash"]
        assert "The program goes on without" in workspace.up().text
        run = workspace.destroy()
    finally:
        emulator.start()
    assert "with a balance that could not be read" in run.text
    assert workspace.resources() == {}
    assert emulator.stats()["credits_spent"] == 0


def test_adopting_and_importing(workspace: Workspace, emulator: Emulator) -> None:
    emulator.register(GIVEN)
    workspace.pulumi("config", "set", "--secret", "given", GIVEN)
    workspace.yaml(ADOPTED)
    workspace.pulumi("preview", "--diff")
    workspace.up("--diff")
    for program in (BARE, ADOPTED):
        workspace.yaml(program)
        workspace.up("--expect-no-changes")
        assert workspace.resources()["app"]["id"] == GIVEN_HASH
    # The state forgets it, and imports it by its hash.
    urn = workspace.resources()["app"]["urn"]
    workspace.pulumi("state", "delete", "--yes", urn)
    imported = BARE.replace('Token"}', f'Token", options: {{import: "{GIVEN_HASH}"}}}}')
    workspace.yaml(imported)
    assert "there it is missing" in workspace.up(fails=True).text
    workspace.pulumi("config", "set", "--secret", "echovalue:token", "0123456789abcdef0123456789abcdef")
    assert "there it has another hash" in workspace.up(fails=True).text
    workspace.pulumi("config", "set", "--secret", "echovalue:token", GIVEN)
    workspace.up("--diff")
    assert workspace.resources()["app"]["id"] == GIVEN_HASH
    workspace.yaml(BARE)
    workspace.up("--expect-no-changes")
    workspace.pulumi("state", "delete", "--yes", urn)
    workspace.pulumi("import", "--yes", "--protect=false", "echovalue:index:Token", "app", GIVEN_HASH)
    assert workspace.outputs()["token"] == GIVEN
    workspace.up("--expect-no-changes")
    assert emulator.stats()["mints"] == 0


@pytest.mark.slow
def test_from_the_dynamic_resource_and_back(workspace: Workspace, emulator: Emulator) -> None:
    """As docs/_index.md tells it."""
    python = (workspace.root / "Pulumi.yaml").read_text()
    dynamic = 'pulumi.export("token", echovalue.Token("app"%s).token)'
    workspace.program(dynamic % "")
    workspace.up()
    token = workspace.outputs()["token"]
    workspace.pulumi("config", "set", "--secret", "given", token)
    workspace.yaml(ADOPTED)
    assert "1 created" in workspace.up().out
    workspace.yaml(BARE)
    workspace.up("--expect-no-changes")
    (workspace.root / "Pulumi.yaml").write_text(python)
    workspace.program(dynamic % ', existing_token=pulumi.Config().require_secret("given")')
    workspace.up()
    workspace.program(dynamic % "")
    workspace.up("--expect-no-changes")
    assert workspace.outputs()["token"] == token
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_a_hundred_tokens(workspace: Workspace, emulator: Emulator) -> None:
    tokens = "".join(f'  token{number}: {{type: "echovalue:Token"}}\n' for number in range(100))
    workspace.yaml(f"resources:\n{tokens}")
    workspace.up()
    assert len({token["id"] for token in workspace.resources().values()}) == emulator.stats()["mints"] == 100
    assert emulator.stats()["connections"] <= 8
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 100


@pytest.mark.slow
def test_options_of_resources_and_explicit_providers(workspace: Workspace, emulator: Emulator) -> None:
    with Emulator() as other:
        program = f"""
resources:
  other: {{type: "pulumi:providers:echovalue", properties: {{baseUrl: "{other.url}", timeout: 5, retries: 1}}}}
  app:
    type: echovalue:Token
    properties: {{keepers: {{release: "1"}}}}
    options: {{provider: "${{other}}", protect: true, retainOnDelete: true, ignoreChanges: [keepers]}}
  second: {{type: "echovalue:Token"}}
outputs: {{token: "${{app.token}}"}}
"""
        workspace.yaml(program)
        workspace.up()
        tokens = workspace.resources()
        assert tokens["app"]["outputs"]["service"] == other.url
        assert tokens["second"]["outputs"]["service"] == emulator.url
        workspace.yaml(program.replace('"1"}', '"2"}'))
        workspace.up("--expect-no-changes")
        workspace.pulumi("refresh", "--preview-only")
        workspace.up("--target", tokens["second"]["urn"], "--expect-no-changes")
        # Another name for the provider's service: proven there first.
        with Emulator() as third:
            moved = program.replace(other.url, third.url)
            workspace.yaml(moved)
            assert f"EchoValue at {third.url} does not know the token" in workspace.up(fails=True).text
            third.register(workspace.outputs()["token"])
            workspace.up()
            assert workspace.resources()["app"]["outputs"]["service"] == third.url
            assert third.stats()["mints"] == 0
        # Renamed with an alias, back at the first; then let go without a deletion.
        alias = f'protect: false, aliases: ["{tokens["app"]["urn"]}"]'
        workspace.yaml(
            program.replace("  app:", "  web:")
            .replace("app.token", "web.token")
            .replace("protect: true", alias)
        )
        workspace.up()
        assert workspace.resources()["web"]["id"] == tokens["app"]["id"]
        workspace.yaml('resources: {second: {type: "echovalue:Token"}}')
        assert "cannot revoke" not in workspace.up().text
        assert workspace.resources().keys() == {"second"}
        assert other.stats()["mints"] == 1
    assert emulator.stats()["mints"] == 1


# Fails after each mint, as no provider should.
BROKEN = f"""#!{sys.executable}
import sys
from pulumi_echovalue.plugin import provider, token

def broken(*arguments):
    raise RuntimeError("{GIVEN}")

token._created = broken
provider.serve(sys.argv[1])
"""


@pytest.mark.slow
def test_a_failure_after_the_mint_keeps_the_token(workspace: Workspace, emulator: Emulator) -> None:
    workspace.provider = workspace.folder / "broken"
    workspace.provider.mkdir()
    program = workspace.provider / "pulumi-resource-echovalue"
    program.write_text(BROKEN)
    program.chmod(0o755)
    workspace.yaml(ONE)
    run = workspace.up(fails=True)
    program.unlink()  # it holds a token in clear
    assert "RuntimeError in Create: a fault of pulumi-echovalue" in run.text
    assert GIVEN not in run.text
    kept = workspace.resources()["app"]
    assert kept["id"] in {token["hash"] for token in emulator.tokens()}
    assert isinstance(kept["outputs"]["token"], dict)  # encrypted
    workspace.provider = None
    workspace.yaml(ONE)
    workspace.up()
    assert workspace.outputs()["hash"] == kept["id"]
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_a_child_of_a_component(workspace: Workspace, emulator: Emulator) -> None:
    workspace.project("python")
    workspace.program(
        """
app = pulumi.ComponentResource("my:component:App", "app")
options = pulumi.ResourceOptions(parent=app)
token = pulumi.CustomResource("echovalue:index:Token", "app", {"token": None, "hash": None}, options)
"""
    )
    workspace.up()
    (kept,) = workspace.resources().values()
    assert "my:component:App$echovalue:index:Token" in kept["urn"]
    workspace.up("--expect-no-changes")
    workspace.refresh("--expect-no-changes")
    assert "with 100 credits" in workspace.destroy().text
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_the_provider_ends_with_the_engine(workspace: Workspace, emulator: Emulator) -> None:
    workspace.yaml(ONE)
    emulator.fault("POST /token", "late", seconds=2)
    workspace.send_while_creating(signal.SIGKILL)
    for _ in range(100):
        if not _providers(str(workspace.folder)):
            return
        time.sleep(0.1)
    pytest.fail("The provider outlives the engine.")


def _providers(folder: str) -> list[str]:
    """Return the processes of providers that were started by commands of this workspace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            named = b"pulumi-resource-echovalue" in (process / "cmdline").read_bytes()
            if named and folder.encode() in (process / "environ").read_bytes():
                found.append(process.name)
    return found
