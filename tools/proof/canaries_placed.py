# SPDX-License-Identifier: BSD-2-Clause
"""The canaries that are in no state: Pulumi's tokens in each place, and the logins of the stores.

Unlike a token of the state, such a token belongs nowhere but in its place and in the spool: so the engine's own
records of properties, what `--verbose=9` prints and the calls that PULUMI_DEBUG_GRPC notes are searched too.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

from pulumi_echovalue.plugin.places import to_wire
from tests.testkit.hunt import files_in, hunt, noting_processes, watched
from tests.testkit.places import PLACES, Place
from tests.testkit.pulumi_places import named
from tests.testkit.pulumi_workspace import PASSPHRASE, Workspace
from tools.emulator.client import Emulator
from tools.proof import programs
from tools.proof.report import Report
from tools.proof.search import known, search

UNKNOWN = "badfeed0badfeed0badfeed0badfeed0"
_KINDS = ("hashi_vault", "aws_secretsmanager", "sops", "command", "kubernetes")
_HIDDEN_OPTIONS = ("env", "PULUMI_DEBUG_COMMANDS=true", "PULUMI_EXPERIMENTAL=true")  # --event-log, --plan
# Where a token belongs, by patterns of names, and why.
ALLOWED = {
    "user/.echovalue/spool/*": "what is pending, and a former token, of a place that keeps none itself"
}
# The logins, where their owner put them: each process has the environment of its parent.
_LOGINS = re.compile(
    rb'"(?:VAULT_TOKEN|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|SOPS_AGE_KEY)=(?:[^"\\]|\\.)*"'
)


@dataclass
class _Stage:
    """A stack with a token in each of `places`, as the program names them, in a folder of its own."""

    half: str
    workspace: Workspace
    emulator: Emulator
    stores: list[Place]
    places: dict[str, dict[str, Any]]
    secrets: set[str]
    before: set[str]  # hashes

    @property
    def folder(self) -> Path:
        return self.workspace.folder

    def write(self, release: str, *, reads: bool = True) -> None:
        """Write the program: an alert and, with `reads`, a function read the first token where it is."""
        programs.write(self.workspace, self.half, self.places, release, alert=True, reads=reads)


def play(emulator: Emulator, report: Report, short: bool) -> None:
    """Run the commands of a stack's life in both halves, and search all that they left."""
    for half in programs.HALVES:
        with _stage(half, emulator, ("hashi_vault",) if short else _KINDS) as stage:
            stage.workspace.prefix = (*noting_processes(stage.folder / "processes"), *_HIDDEN_OPTIONS)
            with watched(stage.folder / "tmp") as seen:
                _life(stage, short)
            _check(stage, b"\n".join(one.content for one in seen), report)


@contextmanager
def _stage(half: str, emulator: Emulator, kinds: tuple[str, ...]) -> Iterator[_Stage]:
    with ExitStack() as until_done:
        name, apart = (
            until_done.enter_context(tempfile.TemporaryDirectory(prefix="ev-")) for _folder in range(2)
        )
        Path(apart, "tokens").mkdir()
        places: dict[str, dict[str, Any]] = {"file": {"path": f"{apart}/tokens/app"}}
        stores, secrets = [], {UNKNOWN}
        for kind in kinds:
            folder = Path(apart, kind)
            folder.mkdir()
            server = until_done.enter_context(PLACES[kind].server(folder))
            store = PLACES[kind](server, folder)
            places[kind], found = named(store, folder)
            until_done.enter_context(mock.patch.dict(os.environ, found))
            stores.append(store)
            secrets |= set(store.secrets)
        for folder in ("user", "tmp", "workspace"):
            Path(name, folder).mkdir()
        until_done.enter_context(mock.patch.dict(os.environ, HOME=f"{name}/user", TMPDIR=f"{name}/tmp"))
        workspace = Workspace(Path(name, "workspace"), emulator.url)
        yield _Stage(half, workspace, emulator, stores, places, secrets, known(emulator))


def _life(stage: _Stage, short: bool) -> None:
    """Run each command that can show or store something; note the calls of the engine in some."""
    workspace, pulumi = stage.workspace, stage.workspace.pulumi
    loud = ("--verbose=9", "--logtostderr", "--logflow")
    plan, events = str(stage.folder / "plan.json"), str(stage.folder / "events.json")
    stage.write("one")
    pulumi("preview", "--diff", "--save-plan", plan)
    workspace.up("--diff", "--plan", plan, "--event-log", events)
    with _noting_calls(stage, "created"):
        stage.write("two", reads=False)
        pulumi("preview", "--json", "--save-plan", f"{plan}.two")
        workspace.up("--json", "--plan", f"{plan}.two")
        workspace.refresh("--diff", *loud)
    stage.write("three")
    workspace.up("--debug", "--diff", "--event-log", f"{events}.three", *loud)
    if not short:
        _failures(stage)
    programs.show(workspace)
    pulumi("stack", "export", "--show-secrets", "--file", str(stage.folder / "exported.json"))
    with _noting_calls(stage, "destroyed"):
        workspace.destroy()


def _failures(stage: _Stage) -> None:
    """Let stores and the service fail, and let tokens go; then all ends well."""
    workspace = stage.workspace
    with _noting_calls(stage, "failures"):
        for store in stage.stores:
            store.refuse()
        stage.write("four")
        workspace.up("--diff", "--debug", fails=True)  # what is minted is pending
        for store in stage.stores:
            store.accept()
        workspace.up("--diff", "--json")
        programs.refresh_without_service(workspace, stage.emulator)
        for store in stage.stores:
            store.clear()
            store.put({store.key or "token": UNKNOWN})
        stage.write("five")
        workspace.up("--diff", fails=True)
        workspace.refresh("--diff")  # marks them as gone
        workspace.up("--diff", "--verbose=9", "--logtostderr")
        if stage.half == "native":
            place = json.dumps(to_wire(stage.places["hashi_vault"]))
            workspace.pulumi(
                "import", "echovalue:index:Token", "imported", place, "--yes", "--protect=false", "--diff"
            )


@contextmanager
def _noting_calls(stage: _Stage, name: str) -> Iterator[None]:
    """Let the engine note all calls of its plugins in a file."""
    before = stage.workspace.prefix
    stage.workspace.prefix = (*before, f"PULUMI_DEBUG_GRPC={stage.folder}/calls-{name}.json")
    try:
        yield
    finally:
        stage.workspace.prefix = before


def _check(stage: _Stage, temporary: bytes, report: Report) -> None:
    """Search all that is left for tokens, by their text and by their hash, and for the logins."""
    workspace, folder = stage.workspace, stage.folder.parent
    hashes = known(stage.emulator) - stage.before
    where = {
        "the screen": "\n".join(run.text for run in workspace.runs).encode(),
        "temporary files": temporary,
        **files_in(folder, ALLOWED, PASSPHRASE, properties=True),
    }
    processes = "the file workspace/processes"
    where[processes] = _LOGINS.sub(b"", where[processes])
    who = f"Pulumi, {stage.half}, in places"
    for store in stage.stores:
        held = str(store.content().get(store.key or "token"))
        report.expect(
            hunt([], {"": held}, hashes=hashes), f"{who}: {store.store} holds no token of this life"
        )
        stage.secrets.add(held)
    calls = [content for name, content in where.items() if "/calls-" in name]
    logs = [name for name in where if "/logs/" in name]
    report.expect(
        calls and all(b"Create" in one or b"Delete" in one for one in calls), f"{who}: no calls noted"
    )
    report.expect(logs, f"{who}: the engine wrote no logs of its own")
    sdk = f"Pulumi, SDK {version('pulumi')}"
    row = (sdk, f"{stage.half}, in {len(stage.places)} places", f"{len(workspace.runs)} commands")
    search(who, row, stage.secrets, where, report, hashes)
