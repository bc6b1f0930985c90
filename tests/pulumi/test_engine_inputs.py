# SPDX-License-Identifier: BSD-2-Clause
"""Inputs on a real engine: those that are passed and missing, misspelt configuration, and one form for each value."""

from __future__ import annotations

from tests.pulumi.asking import ADOPTED as TOKEN
from tests.testkit.pulumi_programs import HALVES, Config, alert, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

MISSING = "It is passed, and is empty or missing."
# A project holds the outputs that the programs refer to; `tokn` is none of them.
HELD = 'outputs: {token: "0123456789abcdef"}'
REFERENCE = 'other = pulumi.StackReference("organization/shop/held")\n'
YAML_REFERENCE = """
resources:
  other: {type: "pulumi:pulumi:StackReference", properties: {name: organization/shop/held}}
  app: {type: "echovalue:Token", properties: {existingToken: "${other.outputs[\\"tokn\\"]}"}}
"""
EMPTY = token(existing_token="")


def test_an_argument_that_is_passed_and_missing_mints_nothing(
    workspace: Workspace, emulator: Emulator
) -> None:
    workspace.stack = "held"
    workspace.pulumi("stack", "init", "held")
    workspace.yaml(HELD)
    workspace.up()
    workspace.stack = "dev"
    workspace.yaml(YAML_REFERENCE)
    assert MISSING in workspace.up(fails=True).text
    declare(workspace, "native", EMPTY)
    assert MISSING in workspace.up(fails=True).text
    workspace.project("python")
    declare(workspace, "dynamic", EMPTY)
    assert MISSING in workspace.up(fails=True).text
    for program in (
        f'{REFERENCE}echovalue.Token("app", existing_token=other.get_output("tokn"))',
        f'{REFERENCE}echovalue.Token("app", base_url=other.get_output("url"))',
        f'{REFERENCE}echovalue.get_wallet("{"x" * 32}", base_url=other.get_output("url"))',
    ):
        workspace.program(program)
        run = workspace.up(fails=True)
        assert MISSING in run.text
        assert "Traceback" not in run.text
    assert emulator.stats()["total"] == 0
    workspace.program(f'{REFERENCE}echovalue.Token("app", existing_token=other.get_output("token"))')
    assert "does not know the token" in workspace.up(fails=True).text
    workspace.program('echovalue.Token("app", existing_token=None)')
    workspace.up()


def test_a_misspelt_key_of_the_config_mints_nothing(workspace: Workspace, emulator: Emulator) -> None:
    workspace.pulumi("config", "set", "shop:url", "https://example.com")  # of another namespace
    workspace.pulumi("config", "set", "echovalue:baseURL", "https://staging.example.com")
    refused = "echovalue:baseURL is no configuration key of echovalue: did you mean echovalue:baseUrl?"
    for program in ('echovalue.Token("app")', f'echovalue.get_wallet("{TOKEN}")'):
        workspace.program(program)
        run = workspace.up(fails=True)
        assert refused in run.text
        assert "Traceback" not in run.text
    declare(workspace, "native", token())
    assert refused in workspace.up(fails=True).text
    assert emulator.stats()["total"] == 0
    workspace.pulumi("config", "rm", "echovalue:baseURL")
    workspace.up()
    assert emulator.stats()["mints"] == 1


@HALVES
def test_an_input_is_compared_in_the_form_that_is_stored(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    def configure(end: str, space: str, slash: str) -> None:
        workspace.pulumi("config", "set", "--secret", "text", f"{TOKEN}{end}")
        workspace.pulumi("config", "set", "mail", f"{space}ops@example.com{space}")
        workspace.pulumi("config", "set", "url", f"{emulator.url}{slash}")

    emulator.register(TOKEN)
    configure("\n", " ", "/")
    settings = {"email": Config("mail"), "base_url": Config("url"), "threshold": 1000}
    declare(workspace, half, alert(of="", token=Config("text", secret=True), **settings))
    workspace.up()
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    workspace.up("--expect-no-changes")
    configure("", "", "")
    workspace.pulumi("preview", "--expect-no-changes")
