# SPDX-License-Identifier: BSD-2-Clause
"""Write a stack of the installed version, once for each release: `python -m tests.pulumi.data.make_stack`."""

import json
import sys
import tempfile
from pathlib import Path

from pulumi_echovalue import __version__
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Deploy the program of this version, and export its stack without where it was run."""
    file = HERE / f"stack-{__version__}.json"
    if file.exists():
        sys.exit(f"{file.name} is there: what a released version wrote is never made again.")
    with tempfile.TemporaryDirectory() as folder, Emulator() as emulator:
        workspace = Workspace(Path(folder), emulator.url, stack="old")
        program = (HERE / f"program-{__version__}.py").read_text()
        (workspace.root / "__main__.py").write_text(program)
        workspace.up()
        exported = json.loads(workspace.pulumi("stack", "export").out)
    for resource in exported["deployment"]["resources"]:
        resource.pop("sourcePosition", None)
        resource.pop("stackTrace", None)
    file.write_text(json.dumps(exported, indent=2) + "\n")


main()
