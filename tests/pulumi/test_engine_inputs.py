# SPDX-License-Identifier: BSD-2-Clause
"""Inputs on a real engine: those that are passed and missing, misspelt configuration, and one form for each value."""

from __future__ import annotations

import pytest

from tests.pulumi.asking import GIVEN as TOKEN
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
YAML_TOKEN = 'resources: {app: {type: "echovalue:Token", properties: {existingToken: ""}}}'
YAML_ALERT = """
config: {text: {type: string, secret: true}, mail: {type: string}}
resources:
  low: {type: "echovalue:WalletAlert", properties: {token: "${text}", email: "${mail}", threshold: 1000}}
"""
ALERT = """
config = pulumi.Config()
echovalue.WalletAlert(
    "low", token=config.require_secret("text"), email=config.require("mail"), threshold=1000,
    base_url=config.require("url"),
)
"""


def test_an_argument_that_is_passed_and_missing_mints_nothing(
    workspace: Workspace, emulator: Emulator
) -> None:
    workspace.stack = "held"
    workspace.pulumi("stack", "init", "held")
    workspace.yaml(HELD)
    workspace.up()
    workspace.stack = "dev"
    for program in (YAML_REFERENCE, YAML_TOKEN):
        workspace.yaml(program)
        assert MISSING in workspace.up(fails=True).text
    workspace.project("python")
    for program in (
        f'{REFERENCE}echovalue.Token("app", existing_token=other.get_output("tokn"))',
        'echovalue.Token("app", existing_token="")',
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


@pytest.mark.parametrize("key", ["baseURL", "base_url", "url"])
def test_a_misspelt_key_of_the_config_mints_nothing(
    workspace: Workspace, emulator: Emulator, key: str
) -> None:
    workspace.pulumi("config", "set", "shop:url", "https://example.com")  # of another namespace
    workspace.pulumi("config", "set", "echovalue:owner", "somebody")  # like none of ours
    workspace.pulumi("config", "set", f"echovalue:{key}", "https://staging.example.com")
    programs = ['echovalue.Token("app")', 'echovalue.get_wallet("0123456789abcdef0123456789abcdef")']
    for program in programs:
        workspace.program(program)
        run = workspace.up(fails=True)
        assert (
            f"echovalue:{key} is no configuration key of echovalue: did you mean echovalue:baseUrl?"
            in run.text
        )
        assert "Traceback" not in run.text
    workspace.yaml('resources: {app: {type: "echovalue:Token"}}')
    assert "did you mean echovalue:baseUrl?" in workspace.up(fails=True).text
    assert emulator.stats()["total"] == 0
    workspace.pulumi("config", "rm", f"echovalue:{key}")
    workspace.up()
    assert emulator.stats()["mints"] == 1


@pytest.mark.parametrize("half", ["python", "native"])
def test_an_input_is_compared_in_the_form_that_is_stored(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    emulator.register(TOKEN)
    workspace.pulumi("config", "set", "--secret", "text", f"{TOKEN}\n")
    workspace.pulumi("config", "set", "mail", " ops@example.com ")
    workspace.pulumi("config", "set", "url", f"{emulator.url}/")
    if half == "python":
        workspace.program(ALERT)
    else:
        workspace.yaml(YAML_ALERT)
    workspace.up()
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    workspace.up("--expect-no-changes")
    workspace.pulumi("config", "set", "--secret", "text", TOKEN)
    workspace.pulumi("config", "set", "mail", "ops@example.com")
    workspace.pulumi("config", "set", "url", emulator.url)
    workspace.pulumi("preview", "--expect-no-changes")
