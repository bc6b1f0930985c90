# SPDX-License-Identifier: BSD-2-Clause
"""A token's life on a real engine, by ordinary programs.

That no token stands in clear anywhere is checked at the end of each, by the fixture.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal

import pytest

from tests.pulumi.asking import GIVEN, GIVEN_HASH
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.service_faults import emulated
from tools.emulator.client import Emulator

ONE = """
token = echovalue.Token("app", keepers={"release": "1"})
pulumi.export("token", token.token)
pulumi.export("hash", token.hash)
"""
ADOPTED = f'echovalue.Token("app", existing_token="{GIVEN}")'


def order(text: str) -> list[str]:
    """Return what was done to tokens, in order."""
    return re.findall(r"Token \S+ (created replacement|created|deleted original|deleted)", text)


@pytest.mark.essential
def test_a_new_token_and_an_unchanged_one(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program(ONE)
    assert "[unknown]" in workspace.pulumi("preview", "--diff").out
    assert emulator.stats()["total"] == 0
    workspace.up()
    outputs = workspace.outputs()
    kept = workspace.resources()["app"]
    assert hashlib.sha256(outputs["token"].encode()).hexdigest() == outputs["hash"] == kept["id"]
    assert kept["outputs"]["hash"] == kept["id"]
    emulator.reset_stats()
    workspace.pulumi("preview", "--expect-no-changes")
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    assert emulator.stats()["requests"] == {"GET /recharge": 1}
    assert emulator.stats()["credits_spent"] == 0
    assert workspace.outputs() == outputs


@pytest.mark.essential
def test_rotation_puts_the_new_token_before_the_old_one_goes(
    workspace: Workspace, emulator: Emulator
) -> None:
    workspace.program(ONE)
    workspace.up()
    old = workspace.outputs()
    workspace.program(ONE.replace('"1"', '"2"'))
    assert "1 to replace" in workspace.pulumi("preview").out
    emulator.fault("POST /token", **emulated("500"))
    run = workspace.up(fails=True)
    assert "TokenError: The service answered HTTP 500. A token may have been minted and lost" in run.text
    assert "Traceback" not in run.text
    assert workspace.outputs() == old
    emulator.reset_stats()
    run = workspace.up()
    new = workspace.outputs()
    assert order(run.text) == ["created replacement", "deleted original"]
    assert [call["method"] for call in emulator.requests()] == ["POST", "GET"]
    assert new["token"] != old["token"]
    assert list(workspace.resources()) == ["app"]
    assert f"the one with hash {old['hash']} leaves the stack and stays valid, with 100 credits" in run.text


@pytest.mark.slow
def test_a_forced_rotation_and_a_protected_token(workspace: Workspace, emulator: Emulator) -> None:
    program = 'echovalue.Token("app", keepers={"release": "1"}, opts=pulumi.ResourceOptions(protect=True))'
    workspace.program('echovalue.Token("app", keepers={"release": "1"})')
    workspace.up()
    first = workspace.resources()["app"]
    workspace.up("--replace", first["urn"])
    second = workspace.resources()["app"]
    assert second["id"] != first["id"]
    workspace.program(program)
    workspace.up()
    workspace.program(program.replace('"1"', '"2"'))
    assert "marked for protection" in workspace.up(fails=True).text
    assert workspace.resources()["app"]["id"] == second["id"]
    assert emulator.stats()["mints"] == 2


@pytest.mark.parametrize(
    "given", ['pulumi.Config().require_secret("given")', pytest.param(f'"{GIVEN}"', marks=pytest.mark.slow)]
)
def test_adopting(workspace: Workspace, emulator: Emulator, given: str) -> None:
    emulator.register(GIVEN, wallet=0)  # an empty wallet is valid
    workspace.pulumi("config", "set", "--secret", "given", GIVEN)
    workspace.program(f'pulumi.export("token", echovalue.Token("app", existing_token={given}).token)')
    workspace.pulumi("preview", "--diff")
    workspace.pulumi("preview", "--json")
    workspace.up("--diff")
    assert workspace.outputs() == {"token": GIVEN}
    assert workspace.resources()["app"]["id"] == GIVEN_HASH
    assert emulator.stats()["mints"] == 0
    workspace.pulumi("preview", "--expect-no-changes")


def test_adopting_is_done_once(workspace: Workspace, emulator: Emulator) -> None:
    emulator.register(GIVEN, wallet=1_000_000)
    without = 'pulumi.export("hash", echovalue.Token("app").hash)'
    for program in (ADOPTED, without, ADOPTED):
        workspace.program(program)
        workspace.up()
        assert workspace.resources()["app"]["id"] == GIVEN_HASH
        workspace.pulumi("preview", "--expect-no-changes")
    assert emulator.stats()["requests"] == {"GET /recharge": 1}
    # While it is named, other keepers are an update; then they rotate again.
    workspace.program(ADOPTED.replace(")", ', keepers={"release": "1"})'))
    assert "1 updated" in workspace.up().out
    assert workspace.resources()["app"]["id"] == GIVEN_HASH
    workspace.program('echovalue.Token("app", keepers={"release": "2"})')
    assert "1 replaced" in workspace.up().out


def test_inputs_that_cannot_be_meant(workspace: Workspace, emulator: Emulator) -> None:
    emulator.register(GIVEN)
    workspace.program(
        f'echovalue.Token("app", existing_token="{GIVEN} ", keepers={{"n": [1]}},'
        ' base_url="https://user:open@example.com")'
    )
    run = workspace.pulumi("preview", fails=True)
    assert "existing_token: That is not a token" in run.text
    assert "base_url is refused: it must hold no user name or password" in run.text
    assert "no string is the value of: n" in run.text
    assert "user:open" not in run.text
    assert emulator.stats()["total"] == 0


def test_a_service_that_is_down(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program(ONE + 'pulumi.export("credits", echovalue.get_wallet(token, required=False).wallet)')
    workspace.up()
    hash_ = workspace.outputs()["hash"]
    emulator.stop()
    try:
        run = workspace.refresh(fails=True)
        assert "TokenError: The connection was refused. Nothing was changed." in run.text
        assert workspace.resources()["app"]["id"] == hash_
        run = workspace.pulumi("destroy", "--run-program", "--yes", "--skip-preview")
    finally:
        emulator.start()
    assert "warning: The program goes on without what it asked about a token. The connection" in run.text
    assert f"{hash_} leaves the stack and stays valid, with a balance that could not" in run.text
    assert workspace.resources() == {}


@pytest.mark.slow
def test_the_stacks_config_names_the_service(workspace: Workspace, emulator: Emulator) -> None:
    workspace.base_url = "http://127.0.0.1:9"
    workspace.pulumi("config", "set", "echovalue:baseUrl", emulator.url)
    workspace.program(ONE + 'pulumi.export("wallet", echovalue.get_wallet(token.token, details=False))')
    workspace.up()
    workspace.refresh("--expect-no-changes")  # without the program
    outputs = workspace.outputs()
    assert outputs["wallet"] == {"wallet": 100, "created": None, "hash": outputs["hash"], "cost": 0}
    # Neither this nor any other value of the config is a reason to touch a token.
    workspace.pulumi("config", "set", "echovalue:baseUrl", emulator.url + "/")
    workspace.pulumi("config", "set", "other", "value")
    assert "~" not in workspace.pulumi("preview").out.replace("~ pulumi:providers", "")
    workspace.up()
    assert workspace.outputs()["token"] == outputs["token"]
    assert emulator.stats()["mints"] == 1
    assert "with 100 credits" in workspace.destroy().text


@pytest.mark.slow
def test_thirty_tokens(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program('for n in range(30): echovalue.Token(f"app-{n}")')
    workspace.up()
    ids = {token["id"] for token in workspace.resources().values()}
    assert ids == {token["hash"] for token in emulator.tokens()} & ids
    assert len(ids) == emulator.stats()["mints"] == 30
    assert emulator.stats()["connections"] <= 4  # one for each thread of the engine
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 30


@pytest.mark.slow
def test_two_stacks(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program(ONE)
    workspace.up("--json")
    first = workspace.outputs()
    workspace.stack = "prod"
    workspace.pulumi("stack", "init", workspace.stack)
    workspace.up()
    second = workspace.outputs()
    assert first["token"] != second["token"]
    workspace.destroy()
    workspace.stack = "dev"
    workspace.pulumi("preview", "--expect-no-changes")
    assert workspace.outputs() == first


@pytest.mark.slow
def test_another_resource_and_the_functions_take_the_token(workspace: Workspace, emulator: Emulator) -> None:
    workspace.program(
        ONE
        + """
adopted = echovalue.Token("second", existing_token=token.token)
pulumi.export("second", adopted.token)
pulumi.export("wallet", echovalue.get_wallet(adopted.token))
pulumi.export("link", echovalue.get_recharge_link(adopted.token, amount=3))
pulumi.export("plain", pulumi.Output.format("{}", adopted.token))
"""
    )
    workspace.pulumi("preview", "--diff")
    assert emulator.stats()["total"] == 0
    workspace.up("--diff")
    outputs = workspace.outputs()
    assert outputs["second"] == outputs["token"] == outputs["plain"]
    assert outputs["wallet"]["wallet"] == 99
    assert outputs["link"].endswith(outputs["token"])
    shown = json.loads(workspace.pulumi("stack", "output", "--json").out)
    assert {shown[name] for name in ("second", "wallet", "link", "plain")} == {"[secret]"}
    emulator.reset_stats()
    workspace.pulumi("preview", "--expect-no-changes", "--json")
    assert emulator.stats()["total"] == 0  # a preview never asks
    workspace.up("--expect-no-changes", "--json")
    assert emulator.stats()["credits_spent"] == 1  # for the wallet in detail
    emulator.forget(outputs["hash"])
    run = workspace.up(fails=True)
    assert "error: The service answered HTTP 401." in run.text
    assert "Traceback" not in run.text


@pytest.mark.slow
@pytest.mark.parametrize("half", ["dynamic", "native"])
def test_an_interrupt_during_a_mint_loses_no_token(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    before = emulator.tokens()
    if half == "native":
        workspace.yaml('resources: {app: {type: "echovalue:Token"}}\noutputs: {hash: "${app.hash}"}')
    else:
        workspace.program(ONE)
    emulator.fault("POST /token", "late", seconds=3)
    workspace.send_while_creating(signal.SIGINT)
    (minted,) = (token["hash"] for token in emulator.tokens() if token not in before)
    assert workspace.resources()["app"]["id"] == minted
    assert workspace.up().code == 0
    assert workspace.outputs()["hash"] == minted
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("option", ['import_="abc"', 'id="abc"'])
def test_nothing_can_be_imported(workspace: Workspace, emulator: Emulator, option: str) -> None:
    emulator.register(GIVEN)
    workspace.program(f'echovalue.Token("app", opts=pulumi.ResourceOptions({option}))')
    run = workspace.pulumi("preview", fails=True)
    assert "Give the token itself as existing_token" in run.text
    assert "Traceback" not in run.text
