# SPDX-License-Identifier: BSD-2-Clause
"""A service that moved, on a real engine: its old address answers 401 for a token that the new one knows.

A refresh asks the old address, for the engine gives it the old configuration and inputs. Whatever it finds,
the token stays in the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.testkit.pulumi_workspace import Run, Workspace
from tools.emulator.client import Emulator

WAYS = ("argument", "config", "explicit", "native")
PYTHON = """
token = echovalue.Token("app", {arguments}opts=pulumi.ResourceOptions({options}))
pulumi.export("token", token.token)
pulumi.export("gone", token.gone)
"""
YAML = """
resources:
  app: {{type: "echovalue:Token", properties: {{{arguments}}}, options: {{{options}}}}}
outputs: {{token: "${{app.token}}"}}
"""
EXPLICIT = """
resources:
  p: {{type: "pulumi:providers:echovalue", properties: {{baseUrl: "{url}"}}}}
  app: {{type: "echovalue:Token", options: {{provider: "${{p}}"}}}}
outputs: {{token: "${{app.token}}"}}
"""


@dataclass
class Moved:
    """A stack whose token was minted at `old`, which does not know it any more; `new` is the other service."""

    workspace: Workspace
    way: str
    old: Emulator
    new: Emulator
    token: str = ""

    def name(self, service: Emulator, *, arguments: str = "", options: str = "") -> None:
        """Let the program, the config or an explicit provider name a service."""
        if self.way in ("config", "native"):
            self.workspace.pulumi("config", "set", "echovalue:baseUrl", service.url)
        if self.way == "argument":
            arguments = f'base_url="{service.url}", {arguments}'
        self.program(service, arguments, options)

    def program(self, service: Emulator, arguments: str = "", options: str = "") -> None:
        """Write the program; `service` counts for an explicit provider only."""
        if self.way == "explicit":
            self.workspace.yaml(EXPLICIT.format(url=service.url))
        elif self.way == "native":
            self.workspace.yaml(YAML.format(arguments=arguments, options=options))
        else:
            self.workspace.program(PYTHON.format(arguments=arguments, options=options))

    def start(self) -> None:
        """Mint the token at the old service, which then forgets it."""
        self.workspace.up()
        self.token = self.workspace.outputs()["token"]
        self.old.forget(self.state()["hash"])
        for service in (self.old, self.new):
            service.reset_stats()

    def state(self) -> dict[str, Any]:
        """Return what the state has of the token."""
        return dict(self.workspace.resources()["app"]["outputs"])

    def is_kept(self, service: Emulator, *, gone: bool) -> bool:
        """Return whether the state has the token, of a service, with or without the mark; none was minted."""
        state = self.state()
        assert self.old.stats()["mints"] == self.new.stats()["mints"] == 0
        assert self.workspace.outputs()["token"] == self.token
        assert ("gone" in state) == gone
        return bool(state["service"] == service.url and state.get("gone", False) is gone)


@pytest.fixture
def way() -> str:
    """How a service is named, where a test does not try them all."""
    return "config"


@pytest.fixture
def moved(workspace: Workspace, emulator: Emulator, other: Emulator, way: str) -> Iterator[Moved]:
    """A stack whose token the old service does not know any more."""
    moved = Moved(workspace, way, emulator, other)
    moved.name(emulator)
    moved.start()
    yield moved
    emulator.register(moved.token)  # for the search of the state, the history and the backups


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "commands",
    [
        "up --refresh",
        pytest.param("refresh, up", marks=pytest.mark.slow),
        pytest.param("refresh --run-program, up", marks=pytest.mark.slow),
        pytest.param("up --refresh --run-program", marks=pytest.mark.slow),
    ],
)
def test_the_new_service_knows_the_token(moved: Moved, commands: str) -> None:
    moved.new.register(moved.token, wallet=1_000_000)
    moved.name(moved.new)
    for command in commands.split(", "):
        moved.workspace.pulumi(*command.split(), "--yes", "--skip-preview")
    assert moved.is_kept(moved.new, gone=False)
    moved.workspace.up("--refresh", "--expect-no-changes")
    assert moved.is_kept(moved.new, gone=False)


@pytest.mark.parametrize("way", [WAYS[0], *(pytest.param(way, marks=pytest.mark.slow) for way in WAYS[1:])])
def test_the_new_service_does_not_know_it_either(moved: Moved) -> None:
    moved.name(moved.new)
    run = moved.workspace.up("--refresh")
    assert f"EchoValue at {moved.old.url} does not know the token" in run.text
    assert f"EchoValue at {moved.new.url} does not know the token" in run.text
    assert "the next up replaces it" in run.text
    assert moved.is_kept(moved.new, gone=True)
    moved.workspace.pulumi("preview", "--diff")
    assert moved.is_kept(moved.new, gone=True)
    assert "1 replaced" in moved.workspace.up().text
    assert moved.new.stats()["mints"] == 1
    assert moved.old.stats()["mints"] == 0
    state = moved.state()
    assert "gone" not in state
    assert state["service"] == moved.new.url
    moved.workspace.up("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("way", [WAYS[1], pytest.param(WAYS[3], marks=pytest.mark.slow)])
def test_an_old_service_that_is_not_sure_changes_nothing(moved: Moved) -> None:
    moved.old.fault("GET /recharge", "status", status=403, times=0)
    moved.name(moved.new)
    assert "HTTP 403" in moved.workspace.refresh(fails=True).text
    assert "HTTP 403" in moved.workspace.up("--refresh", fails=True).text
    assert moved.is_kept(moved.old, gone=False)
    # Once it is marked, neither.
    moved.old.clear_faults()
    moved.workspace.refresh()
    moved.old.fault("GET /recharge", "status", status=403, times=0)
    assert "HTTP 403" in moved.workspace.refresh(fails=True).text
    assert moved.is_kept(moved.old, gone=True)


@pytest.mark.parametrize("way", [WAYS[1], pytest.param(WAYS[3], marks=pytest.mark.slow)])
@pytest.mark.parametrize("wallet", [5, 0])
def test_the_old_service_knows_it_again(moved: Moved, wallet: int) -> None:
    run = moved.workspace.refresh()
    assert "marked as gone, and the next up replaces it" in run.text
    assert moved.is_kept(moved.old, gone=True)
    moved.old.register(moved.token, wallet)
    moved.workspace.refresh()
    assert moved.is_kept(moved.old, gone=False)
    moved.workspace.up("--expect-no-changes")


@pytest.mark.parametrize("way", [WAYS[1], pytest.param(WAYS[3], marks=pytest.mark.slow)])
def test_its_own_service_replaces_it(moved: Moved) -> None:
    moved.workspace.refresh()
    former = moved.state()["hash"]
    run = moved.workspace.up()
    assert "1 replaced" in run.text
    assert f"{former} leaves the stack and is unknown to {moved.old.url}" in run.text
    assert moved.old.stats()["mints"] == 1
    assert "gone" not in moved.state()
    assert list(moved.workspace.resources()) == ["app"]


@pytest.mark.parametrize("way", [WAYS[1], pytest.param(WAYS[3], marks=pytest.mark.slow)])
def test_a_service_that_nobody_names_is_sent_nothing(moved: Moved) -> None:
    moved.workspace.refresh()
    moved.workspace.pulumi("config", "rm", "echovalue:baseUrl")
    moved.workspace.base_url = moved.new.url
    for arguments in ("", "keepers={'release': '2'}, "):
        moved.program(
            moved.new, arguments if moved.way != "native" else arguments.replace("=", ": ").strip(", ")
        )
        run = moved.workspace.up(fails=True)
        assert "is marked as gone: it is of" in run.text
        assert "Nothing was changed" in run.text
        assert moved.is_kept(moved.old, gone=True)
    assert moved.new.stats()["total"] == 0
    # Back at its own one, which the environment says, it is replaced.
    moved.workspace.base_url = moved.old.url
    assert "1 replaced" in moved.workspace.up().text
    assert moved.old.stats()["mints"] == 1


def named_by_the_program(moved: Moved) -> str:
    """Return the argument that adopts the very token."""
    moved.workspace.pulumi("config", "set", "--secret", "adopted", moved.token)
    if moved.way == "native":
        return 'existingToken: {fn::secret: "${adopted}"}'
    return 'existing_token=pulumi.Config().require_secret("adopted"), '


@pytest.mark.parametrize("named", ["old", "new"])
def test_a_token_that_the_program_adopts_is_never_replaced(moved: Moved, named: str) -> None:
    moved.workspace.refresh()
    service = {"old": moved.old, "new": moved.new}[named]
    moved.name(service, arguments=named_by_the_program(moved))
    run = moved.workspace.up(fails=True)
    assert "existing_token names that very token" in run.text
    assert moved.is_kept(moved.old, gone=True)
    # The engine has the new config by now: a refresh asks the service that it names.
    assert "none was minted" in moved.workspace.up("--refresh", fails=True).text
    assert moved.is_kept(service, gone=True)
    service.register(moved.token)
    moved.workspace.up()
    assert moved.is_kept(service, gone=False)


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_protection_and_ignored_changes(moved: Moved) -> None:
    python = moved.way == "config"
    moved.name(moved.old, options="protect=True" if python else "protect: true")
    moved.workspace.up()
    moved.workspace.refresh()
    assert "marked for protection" in moved.workspace.up(fails=True).text
    assert moved.is_kept(moved.old, gone=True)
    # What is ignored is a change of inputs: the mark is none.
    ignores = (
        "protect=False, ignore_changes=['keepers']" if python else "protect: false, ignoreChanges: [keepers]"
    )
    keepers = "keepers={'release': '2'}, " if python else "keepers: {release: '2'}"
    moved.old.register(moved.token)
    moved.workspace.refresh()
    moved.name(moved.old, arguments=keepers, options=ignores)
    moved.workspace.up()
    assert moved.is_kept(moved.old, gone=False)
    moved.old.forget(moved.state()["hash"])
    moved.workspace.refresh()
    moved.workspace.up()
    assert moved.old.stats()["mints"] == 1
    assert "gone" not in moved.state()


ALERTS = {
    "config": """
token = echovalue.Token("app")
echovalue.WalletAlert("low", token=token, threshold=1000)
pulumi.export("token", token.token)
""",
    "native": """
resources:
  app: {type: "echovalue:Token"}
  low: {type: "echovalue:WalletAlert", properties: {token: "${app.token}", baseUrl: "${app.service}", threshold: 1000}}
outputs: {token: "${app.token}"}
""",
}


@dataclass
class Alerted(Moved):
    """The same, with an alert."""

    def program(self, service: Emulator, arguments: str = "", options: str = "") -> None:
        """Write the program."""
        (self.workspace.yaml if self.way == "native" else self.workspace.program)(ALERTS[self.way])

    def alert(self) -> dict[str, Any]:
        """Return what the state has of the alert."""
        return dict(self.workspace.resources()["low"]["outputs"])

    def refresh(self) -> Run:
        """Mark both."""
        run = self.workspace.refresh()
        assert self.is_kept(self.old, gone=True)
        assert self.alert()["gone"] is True
        return run


@pytest.fixture
def alerted(workspace: Workspace, emulator: Emulator, other: Emulator, way: str) -> Iterator[Alerted]:
    """A stack whose token the old service does not know any more, and an alert of it."""
    alerted = Alerted(workspace, way, emulator, other)
    alerted.name(emulator)
    alerted.start()
    yield alerted
    emulator.register(alerted.token)


@pytest.mark.parametrize("way", ["config", "native"])
def test_an_alert_moves_along(alerted: Alerted) -> None:
    assert "its low-balance alert stays in the state, marked as gone" in alerted.refresh().text
    alerted.new.register(alerted.token)
    alerted.name(alerted.new)
    alerted.workspace.up("--refresh")
    assert alerted.is_kept(alerted.new, gone=False)
    assert alerted.alert()["service"] == alerted.new.url
    assert "gone" not in alerted.alert()
    assert alerted.new.settings(alerted.token)["low_balance_threshold"] == 1000
    alerted.workspace.up("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_an_alert_of_a_token_that_nobody_knows(alerted: Alerted) -> None:
    alerted.refresh()
    alerted.name(alerted.new)
    alerted.workspace.up()
    assert alerted.is_kept(alerted.new, gone=True)
    assert (alerted.alert()["service"], alerted.alert()["gone"]) == (alerted.new.url, True)
    assert "2 replaced" in alerted.workspace.up().text
    assert "gone" not in alerted.alert()
    assert alerted.new.settings(alerted.workspace.outputs()["token"])["low_balance_threshold"] == 1000
    assert sorted(alerted.workspace.resources()) == ["app", "low"]


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_an_alert_whose_token_is_known_again(alerted: Alerted) -> None:
    alerted.refresh()
    alerted.old.register(alerted.token)
    alerted.workspace.refresh()
    assert alerted.is_kept(alerted.old, gone=False)
    assert "gone" not in alerted.alert()
    alerted.old.forget(alerted.state()["hash"])
    alerted.refresh()
    alerted.workspace.destroy()
    assert alerted.workspace.resources() == {}
