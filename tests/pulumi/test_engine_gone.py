# SPDX-License-Identifier: BSD-2-Clause
"""A service that moved, on a real engine: its old address answers 401 for a token that the new one knows.

A refresh asks the old address, for the engine gives it the old configuration and inputs. Whatever it finds,
the token stays in the state. What is decided of a token with the mark is in test_lifecycle.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.testkit import pulumi_programs
from tests.testkit.pulumi_programs import Config, declare, token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

WAYS = ("argument", "config", "explicit", "native")
OUTPUTS = {"token": "app.token", "gone": "app.gone"}
EXPLICIT = """
resources:
  p: {{type: "pulumi:providers:echovalue", properties: {{baseUrl: "{url}"}}}}
  app: {{type: "echovalue:Token", options: {{provider: "${{p}}"}}}}
outputs: {{token: "${{app.token}}"}}
"""


@dataclass
class Moved:
    """A stack whose token was minted at `old`, which does not know it any more; `new` is the other service.

    With an alert of it, where `alerts` are declared.
    """

    workspace: Workspace
    way: str
    old: Emulator
    new: Emulator
    alerts: tuple[pulumi_programs.Resource, ...] = ()
    token: str = ""

    def name(self, service: Emulator, options: dict[str, Any] | None = None, **inputs: Any) -> None:
        """Let the program, the config or an explicit provider name a service."""
        if self.way in ("config", "native"):
            self.workspace.pulumi("config", "set", "echovalue:baseUrl", service.url)
        if self.way == "argument":
            inputs["base_url"] = service.url
        if self.way == "explicit":
            self.workspace.yaml(EXPLICIT.format(url=service.url))
        else:
            self.program(options, **inputs)

    def program(self, options: dict[str, Any] | None = None, **inputs: Any) -> None:
        """Write the program."""
        half = "native" if self.way == "native" else "dynamic"
        declare(self.workspace, half, token("app", options, **inputs), *self.alerts, outputs=OUTPUTS)

    def start(self) -> None:
        """Mint the token at the old service, which then forgets it."""
        self.name(self.old)
        self.workspace.up()
        self.token = self.workspace.outputs()["token"]
        self.old.forget(self.state()["hash"])
        for service in (self.old, self.new):
            service.reset_stats()

    def state(self, name: str = "app") -> dict[str, Any]:
        """Return what the state has of the token, or of its alert."""
        return dict(self.workspace.resources()[name]["outputs"])

    def is_kept(self, service: Emulator, *, gone: bool) -> bool:
        """Return whether the state has all, of a service, with or without the mark; none was minted."""
        assert self.old.stats()["mints"] == self.new.stats()["mints"] == 0
        assert self.workspace.outputs()["token"] == self.token
        states = [self.state(name) for name in self.workspace.resources()]
        assert all(("gone" in state) == gone for state in states)
        return {(state["service"], state.get("gone", False)) for state in states} == {(service.url, gone)}


@pytest.fixture
def way() -> str:
    """How a service is named, where a test does not try them all."""
    return "config"


@pytest.fixture
def moved(workspace: Workspace, emulator: Emulator, other: Emulator, way: str) -> Iterator[Moved]:
    """A stack whose token the old service does not know any more."""
    moved = Moved(workspace, way, emulator, other)
    moved.start()
    yield moved
    emulator.register(moved.token)  # for the search of the state, the history and the backups


@pytest.fixture
def alerted(workspace: Workspace, emulator: Emulator, other: Emulator, way: str) -> Iterator[Moved]:
    """The same, with an alert; a refresh has marked both."""
    alerted = Moved(workspace, way, emulator, other, (pulumi_programs.alert(threshold=1000),))
    alerted.start()
    assert "its low-balance alert stays in the state, marked as gone" in workspace.refresh().text
    assert alerted.is_kept(emulator, gone=True)
    yield alerted
    emulator.register(alerted.token)


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
    assert (moved.old.stats()["mints"], moved.new.stats()["mints"]) == (0, 1)
    state = moved.state()
    assert "gone" not in state
    assert state["service"] == moved.new.url
    moved.workspace.up("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_a_service_that_nobody_names_is_sent_nothing(moved: Moved) -> None:
    moved.workspace.refresh()
    # An old service that is not sure takes no mark away.
    moved.old.fault("GET /recharge", "status", status=403, times=0)
    assert "HTTP 403" in moved.workspace.refresh(fails=True).text
    assert moved.is_kept(moved.old, gone=True)
    moved.old.clear_faults()
    moved.workspace.pulumi("config", "rm", "echovalue:baseUrl")
    moved.workspace.base_url = moved.new.url
    for inputs in ({}, {"keepers": {"release": "2"}}):
        moved.program(**inputs)
        run = moved.workspace.up(fails=True)
        assert "is marked as gone: it is of" in run.text
        assert "Nothing was changed" in run.text
        assert moved.is_kept(moved.old, gone=True)
    assert moved.new.stats()["total"] == 0
    # Back at its own one, which the environment says, it is replaced.
    moved.workspace.base_url = moved.old.url
    former = moved.state()["hash"]
    run = moved.workspace.up()
    assert "1 replaced" in run.text
    assert f"{former} leaves the stack and is unknown to {moved.old.url}" in run.text
    assert moved.old.stats()["mints"] == 1
    assert "gone" not in moved.state()
    assert list(moved.workspace.resources()) == ["app"]


def test_a_token_that_the_program_adopts_is_never_replaced(moved: Moved) -> None:
    moved.workspace.refresh()
    moved.workspace.pulumi("config", "set", "--secret", "adopted", moved.token)
    moved.name(moved.new, existing_token=Config("adopted", secret=True))
    run = moved.workspace.up(fails=True)
    assert "existing_token names that very token" in run.text
    assert moved.is_kept(moved.old, gone=True)
    # The engine has the new config by now: a refresh asks the service that it names.
    assert "none was minted" in moved.workspace.up("--refresh", fails=True).text
    assert moved.is_kept(moved.new, gone=True)
    moved.new.register(moved.token)
    moved.workspace.up()
    assert moved.is_kept(moved.new, gone=False)


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_protection_and_ignored_changes(moved: Moved) -> None:
    moved.name(moved.old, {"protect": True})
    moved.workspace.up()
    moved.workspace.refresh()
    assert "marked for protection" in moved.workspace.up(fails=True).text
    assert moved.is_kept(moved.old, gone=True)
    # What is ignored is a change of inputs: the mark is none.
    moved.old.register(moved.token)
    moved.workspace.refresh()
    options = {"protect": False, "ignore_changes": ["keepers"]}
    moved.name(moved.old, options, keepers={"release": "2"})
    moved.workspace.up()
    assert moved.is_kept(moved.old, gone=False)
    moved.old.forget(moved.state()["hash"])
    moved.workspace.refresh()
    moved.workspace.up()
    assert moved.old.stats()["mints"] == 1
    assert "gone" not in moved.state()


@pytest.mark.parametrize("way", ["config", "native"])
def test_an_alert_moves_along(alerted: Moved) -> None:
    alerted.new.register(alerted.token)
    alerted.name(alerted.new)
    alerted.workspace.up("--refresh")
    assert alerted.is_kept(alerted.new, gone=False)
    assert alerted.new.settings(alerted.token)["low_balance_threshold"] == 1000
    alerted.workspace.up("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_an_alert_of_a_token_that_nobody_knows(alerted: Moved) -> None:
    alerted.name(alerted.new)
    alerted.workspace.up()
    assert alerted.is_kept(alerted.new, gone=True)
    assert "2 replaced" in alerted.workspace.up().text
    assert "gone" not in alerted.state("low")
    assert alerted.new.settings(alerted.workspace.outputs()["token"])["low_balance_threshold"] == 1000
    assert sorted(alerted.workspace.resources()) == ["app", "low"]


@pytest.mark.parametrize("way", ["config", pytest.param("native", marks=pytest.mark.slow)])
def test_an_alert_whose_token_is_known_again(alerted: Moved) -> None:
    alerted.old.register(alerted.token)
    alerted.workspace.refresh()
    assert alerted.is_kept(alerted.old, gone=False)
    alerted.old.forget(alerted.state()["hash"])
    alerted.workspace.refresh()
    assert alerted.is_kept(alerted.old, gone=True)
    alerted.workspace.destroy()
    assert alerted.workspace.resources() == {}
