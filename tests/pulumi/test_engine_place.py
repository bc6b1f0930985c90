# SPDX-License-Identifier: BSD-2-Clause
"""A token that is in no state, on a real engine with a real OpenBao, in both halves.

What is decided of it is in test_placed.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_echovalue.plugin.places import to_wire
from tests.pulumi.asking import ADOPTED as TOKEN
from tests.testkit import pulumi_places
from tests.testkit.places import Command, HashiVault
from tests.testkit.pulumi_programs import HALVES, alert, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import OpenBao, openbao_server
from tools.emulator.client import Emulator


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def place(
    _server: OpenBao, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> HashiVault:
    """A secret that is not there yet, and a login for it in the environment."""
    home = tmp_path_factory.mktemp("user")  # whose spool is no part of the workspace
    monkeypatch.setenv("HOME", str(home))
    place = HashiVault(_server, home)
    log_in(monkeypatch, place)
    return place


def log_in(monkeypatch: pytest.MonkeyPatch, place: HashiVault) -> None:
    for name, value in pulumi_places.named(place, Path())[1].items():
        monkeypatch.setenv(name, value)


def where(place: HashiVault, name: str = "") -> Any:
    """Return the argument `place`."""
    return {"hashi_vault": {"path": place.named(name)["path"]}}


def hash_in(place: HashiVault, name: str = "") -> str:
    """Return the hash of the token that is there."""
    return hashlib.sha256(place.content(name)["token"].encode()).hexdigest()


def write(workspace: Workspace, half: str, place: Any, keepers: str = "1", **inputs: Any) -> None:
    """Write a program with one token."""
    app = token(keepers={"a": keepers}, place=place, **inputs)
    declare(workspace, half, app, outputs={"hash": "app.hash", "gone": "app.gone"})


def state_of(workspace: Workspace) -> dict[str, Any]:
    outputs: dict[str, Any] = workspace.resources()["app"]["outputs"]
    return {name: value for name, value in outputs.items() if name != "__provider"}


@pytest.mark.essential
@HALVES
def test_its_life(workspace: Workspace, emulator: Emulator, place: HashiVault, half: str) -> None:
    write(workspace, half, where(place))
    workspace.pulumi("preview")
    assert (emulator.stats()["requests"], place.content()) == ({}, {})
    workspace.up()
    first = place.content()["token"]
    assert state_of(workspace)["hash"] == hash_in(place)
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["requests"] == {}
    write(workspace, half, where(place), keepers="2")
    workspace.up()
    second = place.content()["token"]
    assert second != first
    assert workspace.outputs()["hash"] == hash_in(place)
    workspace.refresh("--expect-no-changes")
    assert where(place)["hashi_vault"]["path"] in workspace.destroy().text
    assert place.content()["token"] == second
    assert not workspace.finds(first, second, *place.secrets)


@HALVES
@pytest.mark.slow
def test_a_token_that_is_gone(workspace: Workspace, emulator: Emulator, place: HashiVault, half: str) -> None:
    write(workspace, half, where(place))
    workspace.up()
    first = hash_in(place)
    place.delete()
    assert "gone" in workspace.refresh().text
    assert (state_of(workspace)["gone"], state_of(workspace)["hash"]) == (True, first)
    id_ = workspace.resources()["app"]["id"]
    emulator.reset_stats()
    preview = workspace.pulumi("preview", "--json").out
    assert ("replace" not in preview, emulator.stats()["requests"]) == (True, {})
    workspace.up()
    assert state_of(workspace)["hash"] == hash_in(place) != first
    assert "gone" not in state_of(workspace)
    assert (workspace.resources()["app"]["id"], emulator.stats()["mints"]) == (id_, 1)
    workspace.up("--expect-no-changes")


@HALVES
@pytest.mark.slow
def test_it_moves(workspace: Workspace, emulator: Emulator, place: HashiVault, half: str) -> None:
    write(workspace, half, None)
    workspace.up()
    first = workspace.outputs()["hash"]
    write(workspace, half, where(place))
    assert "History and backups" in workspace.up().text
    assert first == hash_in(place)
    assert "token" not in state_of(workspace)
    write(workspace, half, where(place, "-other"))
    assert "still holds it" in workspace.up().text
    assert hash_in(place, "-other") == first == hash_in(place)
    workspace.up("--expect-no-changes")
    # It rotates there, and goes back into the state with the hash of an older one as its id.
    write(workspace, half, where(place, "-other"), keepers="2")
    workspace.up()
    write(workspace, half, None, keepers="2")
    workspace.up()
    assert state_of(workspace)["hash"] == hash_in(place, "-other") != first
    assert state_of(workspace).get("place") is None
    workspace.refresh()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["mints"] == 2
    workspace.destroy()
    assert not workspace.finds(place.content()["token"], place.content("-other")["token"])


@HALVES
@pytest.mark.slow
def test_another_store_by_the_environment_only(
    workspace: Workspace,
    emulator: Emulator,
    place: HashiVault,
    half: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    write(workspace, half, where(place))
    workspace.up()
    state = state_of(workspace)
    folder = tmp_path_factory.mktemp("second")
    with openbao_server(folder) as server:
        log_in(monkeypatch, HashiVault(server, folder))
        emulator.reset_stats()
        workspace.up("--expect-no-changes")
        for command in ("up --refresh", "refresh", "destroy"):
            shown = workspace.pulumi(*command.split(), "--yes", fails=True).text
            assert place.connection["url"] in shown
            assert server.address in shown
        write(workspace, half, where(place), keepers="2")
        assert server.address in workspace.up(fails=True).text
        assert (state_of(workspace), emulator.stats()["requests"]) == (state, {})


@HALVES
@pytest.mark.slow
def test_a_store_that_fails(
    workspace: Workspace,
    emulator: Emulator,
    half: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    spool = tmp_path_factory.mktemp("spool")
    workspace.pulumi("config", "set", "echovalue:spool", str(spool))
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    write(workspace, half, {"hashi_vault": {"path": "apps/shop"}})
    shown = workspace.up(fails=True).text
    assert "could not be read (no answer" in shown
    assert "Traceback" not in shown
    assert emulator.stats()["mints"] == 0
    # A write that is refused after the mint: the token is pending, and the next run takes it up.
    command = Command(None, tmp_path_factory.mktemp("command"))
    command.refuse()
    write(workspace, half, command.options)
    assert "It is not lost. The token is pending in" in workspace.up(fails=True).text
    (pending,) = spool.iterdir()
    minted = pending.read_text().strip()
    command.accept()
    workspace.up()
    assert (command.content()["token"], list(spool.iterdir())) == (minted, [])
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_an_import_by_its_place(workspace: Workspace, emulator: Emulator, place: HashiVault) -> None:
    emulator.register(TOKEN)
    place.put({"token": TOKEN})
    workspace.yaml("resources: {}")
    id_ = json.dumps(to_wire(where(place)))
    workspace.pulumi("import", "echovalue:index:Token", "app", id_, "--yes", "--protect=false")
    assert workspace.resources()["app"]["id"] == hash_in(place) == state_of(workspace)["hash"]
    assert "token" not in state_of(workspace)
    declare(workspace, "native", token(place=where(place)))
    workspace.up("--expect-no-changes")
    assert (emulator.stats()["mints"], place.content()) == (0, {"token": TOKEN})


@HALVES
@pytest.mark.slow
def test_rotation_by_age(workspace: Workspace, emulator: Emulator, place: HashiVault, half: str) -> None:
    old = emulator.register(TOKEN)
    emulator.set_created(old, "2020-02-29T23:59:59.77Z")
    emulator.set_wallet(old, 5000)
    place.put({"token": TOKEN})
    write(workspace, half, where(place), max_age_days=30)
    workspace.up()
    assert "holds 4999 credits" in workspace.up().text  # reads once when it was created, for 1 credit
    assert "holds 4999 credits" in workspace.up().text  # remembered now: free
    assert (emulator.stats()["credits_spent"], emulator.stats()["mints"]) == (1, 0)
    write(workspace, half, where(place), max_age_days=30, max_loss=5000)
    workspace.up()
    assert state_of(workspace)["hash"] == hash_in(place) != old
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["requests"] == {}


ASKS = {
    "dynamic": """
wallet = echovalue.get_wallet(app, details=False)
pulumi.export("hash", wallet.hash)
pulumi.export("credits", wallet.wallet)
pulumi.export("link", echovalue.get_recharge_link(app))
""",
    "native": """
variables:
  wallet: {fn::invoke: {function: "echovalue:getWallet", arguments: {place: "${app.place}", baseUrl: "${app.service}", details: false}}}
  link: {fn::invoke: {function: "echovalue:getRechargeLink", arguments: {place: "${app.place}", baseUrl: "${app.service}"}}}
outputs: {hash: "${wallet.hash}", credits: "${wallet.wallet}", link: "${link.url}"}
""",
}


@HALVES
@pytest.mark.slow
def test_functions_and_an_alert_read_it_where_it_is(
    workspace: Workspace, emulator: Emulator, place: HashiVault, half: str
) -> None:
    def write_all(keepers: str) -> None:
        low = alert(in_place=True, threshold=1000, email="ops@example.com")
        app = token(keepers={"a": keepers}, place=where(place))
        declare(workspace, half, app, low, more=ASKS[half])

    write_all("1")
    workspace.pulumi("preview")
    workspace.up()
    first = place.content()["token"]
    emulator.reset_stats()
    workspace.pulumi("preview")
    assert emulator.stats()["requests"] == {}
    outputs = workspace.outputs()
    assert outputs["hash"] == hash_in(place)
    assert outputs["credits"] in (98, 100)  # before or after the alert was set
    assert emulator.settings(first)["low_balance_threshold"] == 1000
    assert '"link": "[secret]"' in workspace.pulumi("stack", "output", "--json").out
    workspace.pulumi("refresh", "--yes")
    workspace.up("--expect-no-changes")
    write_all("2")
    workspace.pulumi("preview")
    workspace.up()
    second = place.content()["token"]
    assert emulator.settings(second)["low_balance_threshold"] == 1000
    workspace.destroy()
    assert emulator.settings(second)["low_balance_threshold"] == 0
    assert not workspace.finds(first, second, *place.secrets)
