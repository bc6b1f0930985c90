# SPDX-License-Identifier: BSD-2-Clause
"""The command line: `python -m tools.emulator --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from .ledger import Ledger
from .openapi import DOCUMENT
from .server import listen, serve


def main() -> None:
    """Read the arguments and serve until asked to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.emulator", description="An EchoValue-compatible server."
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback host (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 is any free port (%(default)s)")
    parser.add_argument("--port-file", type=Path, help="gets the port once the server accepts")
    parser.add_argument("--database", help="file that outlives the server (a temporary one)")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument(
        "--links", choices=("hash", "token"), default="hash", help="what a payment link carries (%(default)s)"
    )
    parser.add_argument("--no-balance-headers", action="store_true", help="send neither x-balance nor x-cost")
    parser.add_argument("--latency", type=float, default=0, help="seconds before each call")
    parser.add_argument(
        "--put",
        choices=("replace", "merge"),
        default="replace",
        help="whether a setting that a PUT leaves out is cleared or kept (%(default)s)",
    )
    parser.add_argument("--webhook-ca", default="", help="CA certificates that alerts trust (the usual ones)")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop at the end of standard input")
    parser.add_argument("--openapi", action="store_true", help="print the document and exit")
    options = parser.parse_args()
    if options.openapi:
        print(json.dumps(DOCUMENT, indent=2))
        return
    try:
        listeners = listen(options.host, options.port, options.workers)
    except (OSError, OverflowError, ValueError) as error:
        parser.error(str(error))

    port = listeners[0].getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host

    def ready() -> None:
        if options.port_file:
            _write(options.port_file, f"{port}\n")
        print(f"EchoValue emulator on http://{host}:{port}", flush=True)

    with ExitStack() as stack:
        database = options.database
        if database is None:
            scratch = tempfile.TemporaryDirectory(prefix="echovalue-emulator-")
            database = os.path.join(stack.enter_context(scratch), "emulator.sqlite")
        with closing(Ledger(database)) as ledger:
            ledger.create()
            named = {name: getattr(options, name) for name in ("links", "latency", "put", "webhook_ca")}
            ledger.set_options(balance_headers=not options.no_balance_headers, **named)
        parent = sys.stdin.fileno() if options.exit_with_parent else None
        serve(listeners, database, ready, parent)


def _write(path: Path, text: str) -> None:
    """Write `path` in one step, so that nobody reads half of it."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    main()
