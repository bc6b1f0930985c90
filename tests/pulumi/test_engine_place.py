# SPDX-License-Identifier: BSD-2-Clause
"""A token that is in no state: the table of steps, on a real engine with a real OpenBao, in both halves."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import hvac
import pytest

from tests.testkit.gate import gate
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import OpenBao, openbao_server
from tools.emulator.client import Emulator

HALVES = pytest.mark.parametrize("half", ["dynamic", "native"])
PLACE = {"hashi_vault": {"path": "apps/shop"}}
TOKEN = "feedfacefeedfacefeedfacefeedface"
OTHER = "0123456789abcdef0123456789abcdef"
UNKNOWN = "deadbeefdeadbeefdeadbeefdeadbeef"


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def openbao(_server: OpenBao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.setenv("VAULT_ADDR", _server.address)
    monkeypatch.setenv("VAULT_TOKEN", _server.token)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    store = Store(_server)
    store.clear()
    return store


@dataclass(frozen=True)
class Store:
    """The secrets of an OpenBao."""

    server: OpenBao

    @property
    def kv(self) -> Any:
        return hvac.Client(self.server.address, self.server.token).secrets.kv.v2

    def clear(self) -> None:
        for path in ("apps/shop", "apps/other"):
            self.clear_one(path)

    def clear_one(self, path: str) -> None:
        self.kv.delete_metadata_and_all_versions(path)

    def put(self, token: str, path: str = "apps/shop") -> None:
        self.kv.create_or_update_secret(path, {"token": token, "other": "stays"})

    def token(self, path: str = "apps/shop") -> str | None:
        try:
            found = self.kv.read_secret_version(path, raise_on_deleted_version=True)
        except hvac.exceptions.InvalidPath:
            return None
        return found["data"]["data"].get("token")


def hash_of(token: str | None) -> str:
    assert token is not None
    return hashlib.sha256(token.encode()).hexdigest()


def state_of(workspace: Workspace) -> dict[str, Any]:
    outputs: dict[str, Any] = workspace.resources()["app"]["outputs"]
    return {name: value for name, value in outputs.items() if name != "__provider"}


@dataclass
class Gate:
    address: str
    opened: threading.Event


@contextmanager
def refusing_writes(server: OpenBao) -> Iterator[Gate]:
    """An OpenBao that refuses writes at the current version, until the gate is opened; dry runs pass."""
    opened = threading.Event()

    def see(operation: str, body: bytes) -> object:
        writes = operation.startswith(("POST", "PUT")) and b'"cas": 2147483647' not in body
        return not writes or opened.is_set() or HTTPStatus.SERVICE_UNAVAILABLE

    with gate(server.address, see) as running:
        yield Gate(running.url, opened)


def camel(value: Any) -> Any:
    names = {"hashi_vault": "hashiVault"}
    return {names.get(k, k): v for k, v in value.items()} if isinstance(value, dict) else value


def write(
    workspace: Workspace,
    half: str,
    place: dict[str, Any] | None = PLACE,
    keepers: str = "1",
    **more: Any,
) -> None:
    """Write a program with one token; `more` are further arguments, as Python has them."""
    if half == "dynamic":
        arguments = "".join(f", {name}={value!r}" for name, value in more.items())
        workspace.program(
            f"""
token = echovalue.Token("app", keepers={{"a": {keepers!r}}}, place={place!r}{arguments})
pulumi.export("hash", token.hash)
pulumi.export("stored_at", token.stored_at)
pulumi.export("gone", token.gone)
"""
        )
        return
    wire = {"max_age_days": "maxAgeDays", "max_loss": "maxLoss"}
    properties: dict[str, Any] = {"keepers": {"a": keepers}, **{wire[n]: v for n, v in more.items()}}
    if place is not None:
        properties["place"] = camel(place)
    workspace.yaml(
        f"""
resources: {{app: {{type: "echovalue:Token", properties: {json.dumps(properties)}}}}}
outputs: {{hash: "${{app.hash}}", stored_at: "${{app.storedAt}}", gone: "${{app.gone}}"}}
"""
    )


@pytest.mark.essential
@HALVES
def test_its_life(workspace: Workspace, emulator: Emulator, openbao: Store, half: str) -> None:
    write(workspace, half)
    workspace.pulumi("preview")
    assert (emulator.stats()["requests"], openbao.token()) == ({}, None)
    workspace.up()
    first, outputs = openbao.token(), workspace.outputs()
    assert outputs["hash"] == hash_of(first)
    assert "apps/shop" in outputs["stored_at"]
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["requests"] == {}
    write(workspace, half, keepers="2")
    workspace.up()
    second = openbao.token()
    assert second != first
    assert workspace.outputs()["hash"] == hash_of(second)
    workspace.refresh()
    workspace.up("--expect-no-changes")
    assert "apps/shop" in workspace.destroy().text
    assert openbao.token() == second
    assert not workspace.finds(str(first), str(second), openbao.server.token)


@HALVES
@pytest.mark.slow
def test_what_the_place_holds_already(
    workspace: Workspace, emulator: Emulator, openbao: Store, half: str
) -> None:
    openbao.put(TOKEN)
    write(workspace, half)
    refused = workspace.up(fails=True).text
    assert "does not know the stored token" in refused
    assert openbao.token() == TOKEN
    emulator.register(TOKEN, wallet=42)
    workspace.up()
    assert workspace.outputs()["hash"] == hash_of(TOKEN)
    assert (openbao.token(), emulator.stats()["mints"]) == (TOKEN, 0)
    # Another writer, such as Ansible, rotates it: a refresh takes that over.
    emulator.register(OTHER)
    openbao.put(OTHER)
    workspace.refresh()
    workspace.up("--expect-no-changes")
    assert state_of(workspace)["hash"] == hash_of(OTHER)
    # Another token than the state remembers is the rotation that changed keepers request.
    openbao.put(TOKEN)
    write(workspace, half, keepers="2")
    workspace.up()
    assert (workspace.outputs()["hash"], emulator.stats()["mints"]) == (hash_of(TOKEN), 0)
    openbao.put(UNKNOWN)
    write(workspace, half, keepers="3")
    assert "does not know the stored token" in workspace.up(fails=True).text
    assert (state_of(workspace)["hash"], openbao.token()) == (hash_of(TOKEN), UNKNOWN)


@HALVES
@pytest.mark.parametrize("loss", ["taken away", "unknown"])
@pytest.mark.slow
def test_a_token_that_is_gone(
    workspace: Workspace, emulator: Emulator, openbao: Store, half: str, loss: str
) -> None:
    write(workspace, half)
    workspace.up()
    first = hash_of(openbao.token())
    if loss == "taken away":
        openbao.clear()
    else:
        emulator.forget(first)
    shown = workspace.refresh().text
    assert "gone" in shown
    assert (state_of(workspace)["gone"], state_of(workspace)["hash"]) == (True, first)
    id_ = workspace.resources()["app"]["id"]
    emulator.reset_stats()
    preview = workspace.pulumi("preview", "--json").out
    assert ("replace" not in preview, emulator.stats()["requests"]) == (True, {})
    workspace.up()
    assert state_of(workspace)["hash"] == hash_of(openbao.token()) != first
    assert "gone" not in state_of(workspace)
    assert (workspace.resources()["app"]["id"], emulator.stats()["mints"]) == (id_, 1)
    workspace.up("--expect-no-changes")


@HALVES
@pytest.mark.slow
def test_it_moves(workspace: Workspace, emulator: Emulator, openbao: Store, half: str) -> None:
    write(workspace, half, place=None)
    workspace.up()
    first = workspace.outputs()["hash"]
    write(workspace, half)
    shown = workspace.up().text
    assert "History and backups" in shown
    assert first == hash_of(openbao.token())
    assert "token" not in state_of(workspace)
    # To another place: only to one that is empty, or that holds it already.
    openbao.put(OTHER, "apps/other")
    write(workspace, half, place={"hashi_vault": {"path": "apps/other"}})
    assert "Another token is stored there" in workspace.up(fails=True).text
    assert (openbao.token("apps/other"), hash_of(openbao.token())) == (OTHER, first)
    openbao.clear_one("apps/other")
    shown = workspace.up().text
    assert "apps/shop" in shown
    assert "still holds it" in shown
    assert hash_of(openbao.token("apps/other")) == first == hash_of(openbao.token())
    workspace.up("--expect-no-changes")
    # It rotates there, and goes back into the state with the hash of an older one as its id.
    write(workspace, half, place={"hashi_vault": {"path": "apps/other"}}, keepers="2")
    workspace.up()
    write(workspace, half, place=None, keepers="2")
    workspace.up()
    second = openbao.token("apps/other")
    assert state_of(workspace)["hash"] == hash_of(second) != first
    assert "place" not in {name for name, value in state_of(workspace).items() if value is not None}
    workspace.refresh()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["mints"] == 2
    workspace.destroy()
    assert not workspace.finds(str(openbao.token()), str(second))


@HALVES
@pytest.mark.slow
def test_another_store_by_the_environment_alone(
    workspace: Workspace,
    emulator: Emulator,
    openbao: Store,
    half: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    write(workspace, half)
    workspace.up()
    state = state_of(workspace)
    with openbao_server(tmp_path_factory.mktemp("second")) as second:
        monkeypatch.setenv("VAULT_ADDR", second.address)
        monkeypatch.setenv("VAULT_TOKEN", second.token)
        emulator.reset_stats()
        workspace.up("--expect-no-changes")
        for command in (["up", "--yes", "--refresh"], ["refresh", "--yes"], ["destroy", "--yes"]):
            shown = workspace.pulumi(*command, fails=True).text
            assert openbao.server.address in shown
            assert second.address in shown
        write(workspace, half, keepers="2")
        assert second.address in workspace.up(fails=True).text
        assert (state_of(workspace), emulator.stats()["requests"]) == (state, {})
        assert Store(second).token() is None
        # The place names the store: then it is a move.
        monkeypatch.setenv("VAULT_ADDR", openbao.server.address)
        monkeypatch.setenv("VAULT_TOKEN", openbao.server.token)
        write(
            workspace,
            half,
            place={"hashi_vault": {"path": "apps/shop", "connection": {"url": second.address}}},
        )
        assert "could not be" in workspace.up(fails=True).text  # this login is not for that store
        assert state_of(workspace) == state


@HALVES
@pytest.mark.slow
def test_a_store_that_fails(
    workspace: Workspace,
    emulator: Emulator,
    openbao: Store,
    half: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    spool = tmp_path / "spool"
    workspace.pulumi("config", "set", "echovalue:spool", str(spool))
    with monkeypatch.context() as patch:
        patch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
        write(workspace, half)
        assert "could not be read (no answer" in workspace.up(fails=True).text
        patch.setenv("VAULT_ADDR", openbao.server.address)
        patch.setenv("VAULT_TOKEN", "wrong")
        assert "this login may not" in workspace.up(fails=True).text
    assert emulator.stats()["mints"] == 0
    # The write is refused after the mint: the token is pending, and the next run takes it up.
    with refusing_writes(openbao.server) as refusing:
        monkeypatch.setenv("VAULT_ADDR", refusing.address)
        shown = workspace.up(fails=True).text
        assert "It is not lost. The token is pending in" in shown
        (pending,) = spool.iterdir()
        token = pending.read_text().strip()
        refusing.opened.set()
        workspace.up()
    assert (openbao.token(), list(spool.iterdir())) == (token, [])
    assert emulator.stats()["mints"] == 1


@pytest.mark.slow
def test_an_import_by_its_place(workspace: Workspace, emulator: Emulator, openbao: Store) -> None:
    emulator.register(TOKEN)
    openbao.put(TOKEN)
    workspace.yaml("resources: {}")
    id_ = json.dumps(camel(PLACE))
    workspace.pulumi("import", "echovalue:index:Token", "app", id_, "--yes", "--protect=false")
    assert workspace.resources()["app"]["id"] == hash_of(TOKEN)
    write(workspace, "native", keepers="1")
    (properties,) = [state_of(workspace)]
    assert (properties["hash"], "token" in properties) == (hash_of(TOKEN), False)
    workspace.yaml(f"resources: {{app: {{type: 'echovalue:Token', properties: {{place: {id_}}}}}}}")
    workspace.up("--expect-no-changes")
    assert (emulator.stats()["mints"], openbao.token()) == (0, TOKEN)


@HALVES
@pytest.mark.slow
def test_rotation_by_age(workspace: Workspace, emulator: Emulator, openbao: Store, half: str) -> None:
    emulator.register(TOKEN)
    emulator.set_created(hash_of(TOKEN), "2020-02-29T23:59:59.77Z")
    emulator.set_wallet(hash_of(TOKEN), 5000)
    openbao.put(TOKEN)
    write(workspace, half, max_age_days=30)
    workspace.up()
    shown = workspace.up().text  # reads once when it was created, for 1 credit
    assert "holds 4999 credits" in shown
    assert "holds 4999 credits" in workspace.up().text  # remembered now: free
    assert (emulator.stats()["credits_spent"], emulator.stats()["mints"]) == (1, 0)
    write(workspace, half, max_age_days=30, max_loss=5000)
    workspace.up()
    assert state_of(workspace)["hash"] == hash_of(openbao.token()) != hash_of(TOKEN)
    emulator.reset_stats()
    workspace.up("--expect-no-changes")
    assert emulator.stats()["requests"] == {}


@HALVES
@pytest.mark.slow
def test_functions_and_an_alert_read_it_where_it_is(
    workspace: Workspace, emulator: Emulator, openbao: Store, half: str
) -> None:
    def write_all(keepers: str) -> None:
        if half == "dynamic":
            workspace.program(
                f"""
token = echovalue.Token("app", keepers={{"a": {keepers!r}}}, place={PLACE!r})
wallet = echovalue.get_wallet(token, details=False)
pulumi.export("hash", wallet.hash)
pulumi.export("credits", wallet.wallet)
pulumi.export("link", echovalue.get_recharge_link(token))
echovalue.WalletAlert("low", token=token, threshold=1000, email="ops@example.com")
"""
            )
            return
        place = json.dumps(camel(PLACE))
        workspace.yaml(
            f"""
variables:
  wallet: {{"fn::invoke": {{function: "echovalue:getWallet", arguments: {{place: "${{app.place}}", baseUrl: "${{app.service}}", details: false}}}}}}
  link: {{"fn::invoke": {{function: "echovalue:getRechargeLink", arguments: {{place: "${{app.place}}", baseUrl: "${{app.service}}"}}}}}}
resources:
  app: {{type: "echovalue:Token", properties: {{keepers: {{a: "{keepers}"}}, place: {place}}}}}
  low:
    type: echovalue:WalletAlert
    properties: {{place: "${{app.place}}", hash: "${{app.hash}}", baseUrl: "${{app.service}}", threshold: 1000, email: ops@example.com}}
outputs: {{hash: "${{wallet.hash}}", credits: "${{wallet.wallet}}", link: "${{link.url}}"}}
"""
        )

    write_all("1")
    workspace.pulumi("preview")
    workspace.up()
    first = str(openbao.token())
    emulator.reset_stats()
    workspace.pulumi("preview")
    assert emulator.stats()["requests"] == {}
    outputs = workspace.outputs()
    assert outputs["hash"] == hash_of(first)
    assert outputs["credits"] in (98, 100)  # before or after the alert was set
    assert emulator.settings(first)["low_balance_threshold"] == 1000
    assert '"link": "[secret]"' in workspace.pulumi("stack", "output", "--json").out
    workspace.pulumi("refresh", "--yes")
    workspace.up("--expect-no-changes")
    write_all("2")
    workspace.pulumi("preview")
    workspace.up()
    second = str(openbao.token())
    assert emulator.settings(second)["low_balance_threshold"] == 1000
    workspace.destroy()
    assert emulator.settings(second)["low_balance_threshold"] == 0
    assert not workspace.finds(first, second, openbao.server.token)
