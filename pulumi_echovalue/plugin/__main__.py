# SPDX-License-Identifier: BSD-2-Clause
"""Install the native provider where the engine finds it, or print its schema.

python -m pulumi_echovalue.plugin install
python -m pulumi_echovalue.plugin schema > schema.json
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path

from .._shared.module_utils.core.version import VERSION
from .provider import PACKAGE, schema

PROGRAM = f"pulumi-resource-{PACKAGE}"
# The engine starts it in the user's project: a secrets.py there must not hide Python's own.
_SERVE = "import sys; sys.path[:] = filter(None, sys.path); import pulumi_resource_echovalue as it; it.main()"


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pulumi_echovalue.plugin", description=__doc__)
    parser.add_argument("command", choices=["install", "schema"])
    if parser.parse_args().command == "install":
        return install()
    print(json.dumps(schema(), indent=2))
    return 0


def install() -> int:
    """Put a program into the engine's folder of plugins that starts this Python; return the exit code.

    This Python, and what it has found this package by, have to stay where they are.
    """
    with tempfile.TemporaryDirectory() as folder:
        if os.name == "nt":
            shutil.copy2(_windows_program(), folder)
        else:
            program = Path(folder, PROGRAM)
            program.write_text(_launcher(folder), "utf-8")
            program.chmod(0o755)
        command = ["pulumi", "plugin", "install", "resource", PACKAGE, VERSION, "--file", folder]
        try:
            return subprocess.run([*command, "--reinstall"], check=False).returncode  # noqa: S603 - our words
        except FileNotFoundError:
            sys.exit(
                "The program pulumi is not on PATH. Nothing was installed. Install Pulumi, then run again."
            )


def _launcher(elsewhere: str) -> str:
    """Return a program that starts this Python with the modules that it has now.

    pip's own program may be missing, or may not find them: as after `pip install --target`, or from a zip.
    """
    print_path = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path[1:]))"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    printed = subprocess.run(  # noqa: S603 - our words
        print_path, cwd=elsewhere, env=environment, stdout=subprocess.PIPE, check=True
    )
    own = json.loads(printed.stdout)
    more = [path for path in map(os.path.abspath, sys.path) if path not in own and _is_needed(path)]
    path = shlex.quote(os.pathsep.join(more))
    setting = f"PYTHONPATH={path}${{PYTHONPATH:+:$PYTHONPATH}} " if more else ""
    return f'#!/bin/sh\n{setting}exec {shlex.quote(sys.executable)} -c {shlex.quote(_SERVE)} "$@"\n'


def _is_needed(path: str) -> bool:
    """Return whether modules may come from a path; the working directory is there only by `python -m`."""
    return os.path.exists(path) and (path != os.getcwd() or Path(path, f"pulumi_{PACKAGE}").is_dir())


def _windows_program() -> Path:
    """Return the program that pip made of the console script."""
    for file in files(f"pulumi-{PACKAGE}") or ():
        if file.name == f"{PROGRAM}.exe" and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    sys.exit(
        f"pip has made no {PROGRAM}.exe. Nothing was installed. Install the package into an environment."
    )


if __name__ == "__main__":
    sys.exit(main())
