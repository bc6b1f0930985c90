# SPDX-License-Identifier: BSD-2-Clause
"""A token is a secret by its provider: no option of a program or a transformation uncovers it.

That none is in clear is checked at the end of each, by the fixture.
"""

from __future__ import annotations

import json

import pytest

from tests.pulumi.asking import ADOPTED
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

WEBHOOK = "hooks-canary.example.com"
# Options of its own, and the input that was a secret as plain text.
TRANSFORMATION = f"""
def transformed(args):
    given = {{"existing_token": "{ADOPTED}"}} if args.props.get("existing_token") else {{}}
    if args.type_.endswith("WalletAlert"):
        given = {{"token": "{ADOPTED}", "webhook": {{"url": "https://{WEBHOOK}"}}}}
    return pulumi.ResourceTransformationResult({{**args.props, **given}}, pulumi.ResourceOptions(protect=False))

pulumi.runtime.register_stack_transformation(transformed)
"""
PROGRAM = f"""
pulumi.export("minted", echovalue.Token("minted", keepers={{"a": "1"}}).token)
adopted = echovalue.Token("adopted", existing_token="{ADOPTED}")
pulumi.export("adopted", adopted.token)
"""
ALERT = """
pulumi.export("alert", echovalue.WalletAlert("low", adopted, 5, webhook={"url": "https://example.com"}).webhook)
"""


def test_a_transformation_does_not_uncover_a_token(workspace: Workspace, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    program = TRANSFORMATION + PROGRAM + ALERT
    workspace.program(program)
    workspace.pulumi("preview", "--diff")
    workspace.up("--diff")
    workspace.refresh("--diff")
    workspace.program(program.replace('"1"', '"2"'))
    workspace.up("--json")
    workspace.pulumi("stack", "export")
    shown = json.loads(workspace.pulumi("stack", "output", "--json").out)
    assert set(shown.values()) == {"[secret]"}
    assert not workspace.finds(WEBHOOK)


@pytest.mark.parametrize("by", [pytest.param("up", marks=pytest.mark.slow), "refresh"])
def test_a_state_in_clear_is_mended(workspace: Workspace, emulator: Emulator, by: str) -> None:
    workspace.program(PROGRAM)
    emulator.register(ADOPTED)
    workspace.up()
    hash_ = workspace.resources()["minted"]["id"]
    uncover(workspace)
    assert isinstance(workspace.resources()["minted"]["outputs"]["token"], str)
    if by == "refresh":
        workspace.program(TRANSFORMATION + PROGRAM)
        assert (
            "The token of 'minted' is in clear in the stack's state: run `pulumi refresh`"
            in workspace.up().text
        )
        workspace.refresh()
    else:
        workspace.up()
    assert isinstance(workspace.resources()["minted"]["outputs"]["token"], dict)
    assert "in clear" not in workspace.up().text
    emulator.forget(hash_)
    emulator.forgotten.remove(hash_)  # it is in the history in clear, as the warning says


def uncover(workspace: Workspace) -> None:
    """Make the state what version 0.1.0 wrote under a transformation: the minted token in clear."""
    exported = json.loads(workspace.pulumi("stack", "export", "--show-secrets").out)
    for resource in exported["deployment"]["resources"]:
        if resource["urn"].endswith("::minted"):
            resource["outputs"]["token"] = json.loads(resource["outputs"]["token"]["plaintext"])
            del resource["outputs"]["service"], resource["additionalSecretOutputs"]
    file = workspace.root / "exported.json"
    file.write_text(json.dumps(exported))
    workspace.pulumi("stack", "import", "--file", str(file))
    file.unlink()
