# SPDX-License-Identifier: BSD-2-Clause
"""A token's life on a real engine, by ordinary programs, in Python (the dynamic half) and YAML (the native one).

That no token is in clear anywhere is checked at the end of each, by the fixture.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal

import pytest

from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tests.testkit.pulumi_programs import HALVES, NATIVE_IS_SLOW, Config, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.service_faults import emulated
from tools.emulator.client import Emulator

OUTPUTS = {"token": "app.token", "hash": "app.hash"}
ASKS = {
    "dynamic": """
pulumi.export("wallet", echovalue.get_wallet(app, details=False, required=False).wallet)
pulumi.export("link", echovalue.get_recharge_link(app, required=False))
""",
    "native": """
variables:
  wallet:
    fn::invoke:
      function: echovalue:getWallet
      arguments: {token: "${app.token}", baseUrl: "${app.service}", details: false, required: false}
  link:
    fn::invoke: {function: echovalue:getRechargeLink, arguments: {token: "${app.token}", required: false}}
outputs: {token: "${app.token}", wallet: "${wallet.wallet}", link: "${link.url}"}
""",
}


def write(workspace: Workspace, half: str, release: str = "1") -> None:
    """Write a program with one token."""
    declare(workspace, half, token(keepers={"release": release}), outputs=OUTPUTS)


def order(text: str) -> list[str]:
    """Return what was done to tokens, in order."""
    return re.findall(r"Token \S+ (created replacement|created|deleted original|deleted)", text)


@pytest.mark.essential
@HALVES
def test_a_life(workspace: Workspace, emulator: Emulator, half: str) -> None:
    write(workspace, half)
    assert "[unknown]" in workspace.pulumi("preview", "--diff").out
    assert emulator.stats()["total"] == 0
    assert "warning" not in workspace.up("--diff").text  # the way that finds the provider prints none
    old = workspace.outputs()
    kept = workspace.resources()["app"]
    assert hashlib.sha256(old["token"].encode()).hexdigest() == old["hash"] == kept["id"]
    assert (kept["outputs"]["hash"], kept["outputs"]["service"]) == (kept["id"], emulator.url)
    emulator.reset_stats()
    workspace.up("--expect-no-changes", "--json")
    assert emulator.stats()["total"] == 0
    workspace.refresh("--expect-no-changes")
    assert emulator.stats()["requests"] == {"GET /recharge": 1}
    # A changed keeper: the new token before the old one goes.
    write(workspace, half, release="2")
    emulator.reset_stats()
    run = workspace.up()
    assert order(run.text) == ["created replacement", "deleted original"]
    assert [call["method"] for call in emulator.requests()] == ["POST", "GET"]
    assert f"the one with hash {old['hash']} leaves the stack and stays valid, with 100 credits" in run.text
    assert list(workspace.resources()) == ["app"]
    assert workspace.resources()["app"]["id"] != old["hash"]
    assert "with 100 credits" in workspace.destroy().text
    assert workspace.resources() == {}
    assert emulator.stats()["credits_spent"] == 0


@HALVES
def test_a_service_that_fails(workspace: Workspace, emulator: Emulator, half: str) -> None:
    declare(workspace, half, token(keepers={"release": "1"}), more=ASKS[half])
    workspace.up()
    kept, outputs = workspace.resources()["app"], workspace.outputs()
    assert (outputs["wallet"], outputs["link"].partition("?")[0]) == (
        100,
        "https://buy.stripe.com/emulator1million",
    )
    assert set(json.loads(workspace.pulumi("stack", "output", "--json").out).values()) == {"[secret]"}
    declare(workspace, half, token(keepers={"release": "2"}), more=ASKS[half])
    emulator.fault("POST /token", **emulated("500"))
    run = workspace.up(fails=True)
    assert "The service answered HTTP 500. A token may have been minted and lost" in run.text
    assert "Traceback" not in run.text
    assert workspace.resources()["app"]["outputs"]["hash"] == kept["id"]
    # It is down: a refresh changes nothing, what need not be known does not stop a program.
    declare(workspace, half, token(keepers={"release": "1"}), more=ASKS[half])
    emulator.stop()
    try:
        run = workspace.refresh(fails=True)
        assert "The connection was refused. Nothing was changed." in run.text
        assert workspace.resources()["app"]["id"] == kept["id"]
        assert "The program goes on without what it requested about a token" in workspace.up().text
        run = workspace.pulumi("destroy", "--run-program", "--yes", "--skip-preview")
    finally:
        emulator.start()
    assert f"{kept['id']} leaves the stack and stays valid, with a balance that could not" in run.text
    assert workspace.resources() == {}


@pytest.mark.slow
def test_a_forced_rotation(workspace: Workspace, emulator: Emulator) -> None:
    write(workspace, "dynamic")
    workspace.up()
    first = workspace.resources()["app"]
    workspace.up("--replace", first["urn"])
    assert workspace.resources()["app"]["id"] != first["id"]
    assert emulator.stats()["mints"] == 2


@NATIVE_IS_SLOW
def test_adopting_is_done_once(workspace: Workspace, emulator: Emulator, half: str) -> None:
    emulator.register(ADOPTED, wallet=0)  # an empty wallet is valid
    workspace.pulumi("config", "set", "--secret", "given", ADOPTED)
    adopted = {"existing_token": Config("given", secret=True)}
    declare(workspace, half, token(**adopted), outputs=OUTPUTS)
    workspace.pulumi("preview", "--diff")
    workspace.pulumi("preview", "--json")
    workspace.up("--diff")
    assert workspace.outputs() == {"token": ADOPTED, "hash": ADOPTED_HASH}
    for inputs in ({}, adopted):
        declare(workspace, half, token(**inputs), outputs=OUTPUTS)
        workspace.up("--expect-no-changes")
        assert workspace.resources()["app"]["id"] == ADOPTED_HASH
    assert emulator.stats()["requests"] == {"GET /recharge": 1}
    # While it is named, other keepers are an update; then they rotate again.
    declare(workspace, half, token(keepers={"release": "1"}, **adopted))
    assert "1 updated" in workspace.up().out
    assert workspace.resources()["app"]["id"] == ADOPTED_HASH
    write(workspace, half, release="2")
    assert "1 replaced" in workspace.up().out


def test_inputs_that_make_no_sense(workspace: Workspace, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    url = "https://user:open@example.com"
    declare(workspace, "dynamic", token(existing_token=f"{ADOPTED} ", keepers={"n": [1]}, base_url=url))
    run = workspace.pulumi("preview", fails=True)
    assert "existing_token: That is not a token" in run.text
    assert "base_url is refused: it must hold no user name or password" in run.text
    assert "no string is the value of: n" in run.text
    assert "user:open" not in run.text
    assert emulator.stats()["total"] == 0


@pytest.mark.slow
@HALVES
def test_a_hundred_tokens(workspace: Workspace, emulator: Emulator, half: str) -> None:
    declare(workspace, half, *(token(f"app{number}") for number in range(100)))
    workspace.up()
    assert len({token["id"] for token in workspace.resources().values()}) == emulator.stats()["mints"] == 100
    assert emulator.stats()["connections"] <= {"dynamic": 4, "native": 8}[half]
    workspace.up("--expect-no-changes")
    assert emulator.stats()["total"] == 100


@pytest.mark.slow
def test_another_resource_and_the_functions_take_the_token(workspace: Workspace, emulator: Emulator) -> None:
    asks = """
adopted = echovalue.Token("second", existing_token=app.token)
pulumi.export("second", adopted.token)
pulumi.export("wallet", echovalue.get_wallet(adopted.token))
pulumi.export("link", echovalue.get_recharge_link(adopted.token, amount=3))
pulumi.export("plain", pulumi.Output.format("{}", adopted.token))
"""
    declare(workspace, "dynamic", token(), outputs=OUTPUTS, more=asks)
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


@pytest.mark.slow
@HALVES
def test_an_interrupt_during_a_mint_loses_no_token(
    workspace: Workspace, emulator: Emulator, half: str
) -> None:
    before = emulator.tokens()
    write(workspace, half)
    emulator.fault("POST /token", "late", seconds=3)
    workspace.send_while_creating(signal.SIGINT)
    (minted,) = (token["hash"] for token in emulator.tokens() if token not in before)
    assert workspace.resources()["app"]["id"] == minted
    assert workspace.up().code == 0
    assert workspace.outputs()["hash"] == minted
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("option", ["import_", "id"])
def test_nothing_can_be_imported(workspace: Workspace, emulator: Emulator, option: str) -> None:
    emulator.register(ADOPTED)
    declare(workspace, "dynamic", token("app", {option: "abc"}))
    run = workspace.pulumi("preview", fails=True)
    assert "Give the token itself as existing_token" in run.text
    assert "Traceback" not in run.text
