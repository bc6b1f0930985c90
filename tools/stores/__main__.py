# SPDX-License-Identifier: BSD-2-Clause
"""Start a store's server and an emulator for a molecule scenario, and stop them.

    python -m tools.stores start kubernetes DIRECTORY
    python -m tools.stores stop DIRECTORY

`start` returns when both are ready, with the role's variables in DIRECTORY/variables.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.testkit.places import PLACES
from tools.emulator.client import Emulator

LIFETIME = 15 * 60  # seconds, after which they end by themselves, whatever became of the scenario


def start(store: str, directory: Path) -> None:
    """Start them in a process of its own, and wait until they are ready."""
    stop(directory)
    directory.mkdir(mode=0o700, parents=True)
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.stores", "serve", store, directory],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (directory / "pid").write_text(str(process.pid))
    while not (directory / "variables.json").exists():
        if process.poll() is not None:
            sys.exit((directory / "log").read_text())
        time.sleep(0.05)


def serve(store: str, directory: Path) -> None:
    """Run them until asked to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Emulator() as emulator, PLACES[store].server(directory) as server:
        place = PLACES[store](server, directory)
        variables = {
            "echovalue_token_base_url": emulator.url,
            "echovalue_token_store": place.store,
            **place.variables,
        }
        new = directory / "variables.new"
        new.write_text(json.dumps(variables))
        new.rename(directory / "variables.json")
        time.sleep(LIFETIME)


def stop(directory: Path) -> None:
    """Stop what was started, and remove the directory."""
    with suppress(FileNotFoundError, ProcessLookupError):
        pid = int((directory / "pid").read_text())
        if "tools.stores\0serve\0" in Path(f"/proc/{pid}/cmdline").read_text():  # else it is another's by now
            os.kill(pid, signal.SIGTERM)
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.05)
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.stores", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for function in (start, serve, stop):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if function is not stop:
            command.add_argument("store", choices=PLACES)
        command.add_argument("directory", type=Path)
    options = vars(parser.parse_args())
    options.pop("function")(**options)


if __name__ == "__main__":
    main()
