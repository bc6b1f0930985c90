# SPDX-License-Identifier: BSD-2-Clause
"""Ordinary Pulumi programs on a real engine: a backend in a folder, a passphrase, one stack at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine import tool_path

PASSPHRASE = "correct horse"
PROJECT = "shop"


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
    """A project with its program in `folder`, run against the service at `base_url`.

    `python` is the environment's interpreter that runs the program; it has this package.
    """

    folder: Path
    base_url: str
    python: str = sys.executable
    stack: str = "dev"
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("program", "state", "home"):
            (self.folder / name).mkdir()
        (self.folder / "program" / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        self.pulumi("stack", "init", self.stack)

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see."""
        path = [str(Path(self.python).parent), tool_path("pulumi"), os.environ["PATH"]]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PATH": os.pathsep.join(path),
            "ECHOVALUE_BASE_URL": self.base_url,
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def program(self, text: str) -> None:
        """Make `text` the program; what all programs begin with comes by itself."""
        head = "import pulumi\nimport pulumi_echovalue as echovalue\n"
        (self.folder / "program" / "__main__.py").write_text(head + text)

    def pulumi(self, *arguments: str, fails: bool = False) -> Run:
        """Run a pulumi command; a failure is an error unless it is asked for."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder / "program",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        run = Run(done.returncode, done.stdout, done.stderr)
        self.runs.append(run)
        assert (run.code != 0) == fails, run.text
        return run

    def up(self, *arguments: str, fails: bool = False) -> Run:
        """Deploy."""
        return self.pulumi("up", "--yes", "--skip-preview", *arguments, fails=fails)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs with their secrets."""
        return json.loads(self.pulumi("stack", "output", "--json", "--show-secrets").out)

    def resources(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the tokens in the state; with `--show-secrets` as they are."""
        state = json.loads(self.pulumi("stack", "export", *arguments).out)
        resources = state["deployment"].get("resources", [])
        return [r for r in resources if r["type"] == "pulumi-python:dynamic/echovalue:Token"]

    def files(self) -> Iterator[tuple[Path, str]]:
        """Yield all that the engine keeps: state, history, backups, stack configs."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                yield path, path.read_text(errors="replace")
