# SPDX-License-Identifier: BSD-2-Clause
"""The native provider on a real engine, by programs in YAML.

That no token is in clear anywhere is checked at the end of each, by the fixture.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tests.testkit.pulumi_programs import Config, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

OUTPUTS = {"token": "app.token", "hash": "app.hash"}


def test_importing(workspace: Workspace, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    declare(workspace, "native", token("app", {"import": ADOPTED_HASH}))
    assert "there it is missing" in workspace.up(fails=True).text
    workspace.pulumi("config", "set", "--secret", "echovalue:token", ADOPTED)
    workspace.up("--diff")
    assert workspace.resources()["app"]["id"] == ADOPTED_HASH
    declare(workspace, "native", token(), outputs=OUTPUTS)
    workspace.up("--expect-no-changes")
    workspace.pulumi("state", "delete", "--yes", workspace.resources()["app"]["urn"])
    workspace.pulumi("import", "--yes", "--protect=false", "echovalue:index:Token", "app", ADOPTED_HASH)
    assert workspace.outputs()["token"] == ADOPTED
    workspace.up("--expect-no-changes")
    assert emulator.stats()["mints"] == 0


@pytest.mark.slow
def test_from_the_dynamic_resource_and_back(workspace: Workspace, emulator: Emulator) -> None:
    """As docs/_index.md says."""
    python = (workspace.root / "Pulumi.yaml").read_text()
    bare, adopted = token(), token(existing_token=Config("given", secret=True))
    declare(workspace, "dynamic", bare, outputs=OUTPUTS)
    workspace.up()
    first = workspace.outputs()
    workspace.pulumi("config", "set", "--secret", "given", first["token"])
    declare(workspace, "native", adopted, outputs=OUTPUTS)
    assert "1 created" in workspace.up().out
    declare(workspace, "native", bare, outputs=OUTPUTS)
    workspace.up("--expect-no-changes")
    (workspace.root / "Pulumi.yaml").write_text(python)
    declare(workspace, "dynamic", adopted, outputs=OUTPUTS)
    workspace.up()
    declare(workspace, "dynamic", bare, outputs=OUTPUTS)
    workspace.up("--expect-no-changes")
    assert workspace.outputs() == first
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_options_of_resources_and_explicit_providers(
    workspace: Workspace, emulator: Emulator, other: Emulator
) -> None:
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
    # Renamed with an alias; then let go without a deletion.
    alias = f'protect: false, aliases: ["{tokens["app"]["urn"]}"]'
    renamed = program.replace("  app:", "  web:").replace("app.token", "web.token")
    workspace.yaml(renamed.replace("protect: true", alias))
    workspace.up()
    assert workspace.resources()["web"]["id"] == tokens["app"]["id"]
    workspace.yaml('resources: {second: {type: "echovalue:Token"}}')
    assert "cannot revoke" not in workspace.up().text
    assert workspace.resources().keys() == {"second"}
    assert (emulator.stats()["mints"], other.stats()["mints"]) == (1, 1)


# Fails after each mint, as no provider should.
BROKEN = f"""#!{sys.executable}
import sys
from pulumi_echovalue.plugin import provider, token

def broken(*arguments):
    raise RuntimeError("{ADOPTED}")

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
    declare(workspace, "native", token(), outputs=OUTPUTS)
    run = workspace.up(fails=True)
    program.unlink()  # it holds a token in clear
    assert "RuntimeError in Create: a fault of pulumi-echovalue" in run.text
    assert ADOPTED not in run.text
    kept = workspace.resources()["app"]
    assert kept["id"] in {token["hash"] for token in emulator.tokens()}
    assert isinstance(kept["outputs"]["token"], dict)  # encrypted
    workspace.provider = None
    declare(workspace, "native", token(), outputs=OUTPUTS)
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
    declare(workspace, "native", token(), outputs=OUTPUTS)
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
