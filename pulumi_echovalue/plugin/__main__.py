# SPDX-License-Identifier: BSD-2-Clause
"""Install the native provider where the engine finds it, or print its schema.

python -m pulumi_echovalue.plugin install
python -m pulumi_echovalue.plugin schema > schema.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from .._shared.module_utils.core.version import VERSION
from .provider import PACKAGE, schema

PROGRAM = f"pulumi-resource-{PACKAGE}"


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pulumi_echovalue.plugin", description=__doc__)
    parser.add_argument("command", choices=["install", "schema"])
    if parser.parse_args().command == "install":
        return install()
    print(json.dumps(schema(), indent=2))
    return 0


def install() -> int:
    """Put this environment's program into the engine's folder of plugins; return the exit code.

    The program there starts the Python of this environment, which has to stay where it is.
    """
    (program,) = Path(sysconfig.get_path("scripts")).glob(f"{PROGRAM}*")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy2(program, folder)
        command = [
            "pulumi",
            "plugin",
            "install",
            "resource",
            PACKAGE,
            VERSION,
            "--file",
            folder,
            "--reinstall",
        ]
        try:
            return subprocess.run(command, check=False).returncode  # noqa: S603 - words of our own
        except FileNotFoundError:
            sys.exit(
                "The program pulumi is not on PATH. Nothing was installed. Install Pulumi, then run again."
            )


if __name__ == "__main__":
    sys.exit(main())
