# SPDX-License-Identifier: BSD-2-Clause
"""The Pulumi half of `make demo`: a real program on a real engine, twice, and what is in its state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tools.checkout import ROOT
from tools.engine import tool_path

EXAMPLE = ROOT / "docs" / "examples" / "pulumi"


def run(url: str) -> None:
    """Deploy docs/examples/pulumi twice against the service at `url`, and say what happened."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="echovalue-pulumi-")))
        state = scratch / "state"
        if os.environ.get("ECHOVALUE_BASE_URL"):
            state = Path.home() / ".echovalue-demo" / "pulumi"  # paid credits may come to hang on its token
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        program = scratch / "program"
        shutil.copytree(EXAMPLE, program)
        environment = {
            **os.environ,
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), tool_path("pulumi"), os.environ["PATH"]]
            ),
            "ECHOVALUE_BASE_URL": url,
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": os.environ.get("PULUMI_CONFIG_PASSPHRASE", "demo"),
            "PULUMI_HOME": str(scratch / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_STACK": "demo",
            "PYTHONPATH": str(ROOT),  # where the language host finds this package's pulumi-plugin.json
        }
        _pulumi(program, environment, "stack", "select", "--create", "demo")
        first = _up(program, environment, "First up: the token is minted")
        second = _up(program, environment, "Second up: nothing is to be done")
        _report(first, second, state)


def _up(program: Path, environment: Mapping[str, str], title: str) -> dict[str, Any]:
    """Deploy, show what the engine says, and return the stack's outputs, secrets included."""
    print(f"\n{title}\npulumi up ({EXAMPLE.name}/__main__.py)", flush=True)
    shown = _pulumi(program, environment, "up", "--yes", "--skip-preview", "--suppress-progress")
    print("".join(f"  {line}\n" for line in shown.splitlines() if line.strip()), end="", flush=True)
    return json.loads(_pulumi(program, environment, "stack", "output", "--json", "--show-secrets"))


def _pulumi(program: Path, environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive", "--color=never"],
        cwd=program,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}pulumi {arguments[0]} failed: the lines above say why.")
    return done.stdout


def _report(first: dict[str, Any], second: dict[str, Any], state: Path) -> None:
    """Say in plain words what the two runs did, and prove that the token is nowhere in clear."""
    files = [path for path in state.rglob("*") if path.is_file()]
    found = [path for path in files if first["token"].encode() in path.read_bytes()]
    kept = [path for path in files if first["hash"].encode() in path.read_bytes()]
    if found or not kept or first["token"] != second["token"]:
        sys.exit(f"This must not be: the token changed, or is in clear in one of {found}.")
    rows = {
        "token": "one, the same after both runs; a secret, so shown by nothing here",
        "hash": f"{second['hash'][:16]}...",
        "balance": f"{_balance(first['credits'])}, and after the second up {_balance(second['credits'])}",
        "credits spent": "0" if first["credits"] == second["credits"] else "some, by others",
        "recharge link": f"{second['recharge'].partition('?')[0]}?... (a secret: it may carry the token)",
        "token in clear in the state": f"in none of {len(files)} files of state, history and backups",
    }
    print("\nWhat the two runs did:")
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}", flush=True)


def _balance(wallet: int | None) -> str:
    return "not reported for free by this service" if wallet is None else f"{wallet} credits"
