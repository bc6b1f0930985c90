# SPDX-License-Identifier: BSD-2-Clause
"""Ordinary Pulumi programs on a real engine: a backend in a folder, a passphrase, one stack at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.testkit.hunt import hunt
from tools.checkout import ROOT
from tools.engine import tool_path

OUTSIDE = dict(os.environ)  # before the tests shut off the internet
PASSPHRASE = "correct horse"
PROJECT = "shop"
TYPES = tuple(
    f"{package}:{name}"
    for package in ("pulumi-python:dynamic/echovalue", "echovalue:index")
    for name in ("Token", "WalletAlert")
)


@dataclass(frozen=True)
class Run:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that a person saw."""
        return self.out + self.err


@dataclass
class Workspace:
    """A project in `folder`, with a stack, whose program runs against the service at `base_url`.

    `python` is the interpreter that runs the program; its environment has this package. `template`
    is a workspace to start from, which spares the making of the stack.
    """

    folder: Path
    base_url: str
    template: Path | None = None
    python: str = sys.executable
    stack: str = "dev"
    provider: Path | None = None
    runs: list[Run] = field(default_factory=list)
    prefix: tuple[str, ...] = ()  # a program that runs pulumi

    def __post_init__(self) -> None:
        if self.template:
            shutil.copytree(self.template, self.folder, dirs_exist_ok=True)
            return
        for path in (self.root, self.state_folder, self.folder / "home"):
            path.mkdir()
        (self.root / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        self.pulumi("stack", "init", self.stack)

    @property
    def root(self) -> Path:
        """The folder of the program."""
        return self.folder / "program"

    @property
    def state_folder(self) -> Path:
        """The folder where the engine keeps state, history and backups."""
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see."""
        path = [str(Path(self.python).parent), tool_path("pulumi"), os.environ["PATH"]]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PATH": os.pathsep.join(path),
            "ECHOVALUE_BASE_URL": self.base_url,
            "PULUMI_BACKEND_URL": self.state_folder.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_STACK": self.stack,
            # The language host looks for pulumi-plugin.json beside a package's metadata: of a checkout
            # that is installed as editable, they are here.
            **({"PYTHONPATH": str(ROOT)} if self.python == sys.executable else {}),
        }

    def program(self, text: str) -> None:
        """Make `text` the program; what all programs begin with comes by itself."""
        head = "import pulumi\nimport pulumi_echovalue as echovalue\n"
        (self.root / "__main__.py").write_text(head + text)

    def yaml(self, text: str) -> None:
        """Make `text` the program, in YAML."""
        self.project("yaml", text)

    def project(self, runtime: str, text: str = "") -> None:
        """Make a project of a runtime, with the native provider of this environment or of `self.provider`."""
        folder = self.provider or Path(self.python).parent
        plugins = f"plugins: {{providers: [{{name: echovalue, path: {folder}}}]}}"
        (self.root / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: {runtime}\n{plugins}\n{text}")

    def pulumi(self, *arguments: str, fails: bool = False) -> Run:
        """Run a pulumi command; a failure is an error unless it is asked for."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        run = Run(process.returncode, out, err)
        if "--show-secrets" not in arguments:
            self.runs.append(run)
        assert (run.code != 0) == fails, run.text
        return run

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a pulumi command."""
        return subprocess.Popen(
            [*self.prefix, "pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as a terminal gives it
        )

    def send_while_creating(self, sent: int) -> Run:
        """Deploy, and send a signal to all of it as soon as the token `app` is being created."""
        process = self.start("up", "--yes", "--skip-preview")
        assert process.stdout
        shown = next(line for line in process.stdout if "Token app creating" in line)
        os.killpg(process.pid, sent)  # as Ctrl-C in a terminal does
        out, err = process.communicate(timeout=60)
        run = Run(process.returncode, shown + out, err)
        assert run.code != 0, run.text
        return run

    def up(self, *arguments: str, fails: bool = False) -> Run:
        """Deploy."""
        return self.pulumi("up", "--yes", "--skip-preview", *arguments, fails=fails)

    def refresh(self, *arguments: str, fails: bool = False) -> Run:
        """Hold the state against the service."""
        return self.pulumi("refresh", "--yes", "--skip-preview", *arguments, fails=fails)

    def destroy(self) -> Run:
        """Let everything go."""
        return self.pulumi("destroy", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets included."""
        return json.loads(self.pulumi("stack", "output", "--json", "--show-secrets").out)

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return what the state keeps of each Token and WalletAlert, by its name."""
        file = self.state_folder / ".pulumi" / "stacks" / PROJECT / f"{self.stack}.json"
        resources = json.loads(file.read_text())["checkpoint"]["latest"].get("resources", [])
        return {r["urn"].rpartition("::")[2]: r for r in resources if r["type"] in TYPES}

    def finds(self, *secrets: str, hashes: Collection[str] = (), allowed: tuple[str, ...] = ()) -> list[str]:
        """Return where a secret is in clear, of all that a person saw and that the engine keeps.

        Programs, and what they are installed with, are not searched, nor is what `allowed` names.
        """
        where = {"the screen": "\n".join(run.text for run in self.runs), "the workspace": self.folder}
        allowed = ("program/__main__.py", "program/__pycache__/*", "*node_modules*", *allowed)
        return hunt(secrets, where, hashes=hashes, allowed=allowed, passphrase=PASSPHRASE)
