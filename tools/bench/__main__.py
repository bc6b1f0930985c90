# SPDX-License-Identifier: BSD-2-Clause
"""The command line: `make bench REPEAT=5 ONLY=ansible`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from tests.testkit.servers import openbao_server
from tools.bench.measure import Case, measure, plan
from tools.bench.report import Results, plot, tables
from tools.bench.rows import ROWS
from tools.bench.startup import module_imports, payloads
from tools.checkout import ROOT
from tools.emulator.client import Emulator

PARTS = tuple(dict.fromkeys(row.part for row in ROWS))


def main() -> None:
    """Measure, show, and write down."""
    # A job in the background ignores it, and so would Pulumi's plugins, which are stopped by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="of each row (%(default)s)")
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="a part; what is not measured keeps its last results"
    )
    parser.add_argument("--counts", type=int, nargs="+", help="numbers of tokens")
    parser.add_argument("--latency", type=float, nargs="+", default=[0, 50], help="milliseconds (0 50)")
    parser.add_argument("--workers", type=int, default=1, help="of the emulator (%(default)s)")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "bench.json", help="(%(default)s)")
    parser.add_argument("--plot", type=Path, help="a PNG to draw; the start-up is measured too")
    options = parser.parse_args()
    parts = options.only or PARTS

    groups = plan(
        [row for row in ROWS if row.part in parts],
        [milliseconds / 1000 for milliseconds in options.latency],
        options.counts,
    )
    runs = options.repeat * sum(len(cases) for group in groups for _row, cases in group)
    with ExitStack() as until_done:
        if {"openbao", "placed"} & set(parts):
            folder = Path(until_done.enter_context(tempfile.TemporaryDirectory()))
            server = until_done.enter_context(openbao_server(folder))
            os.environ.update(VAULT_ADDR=server.address, VAULT_TOKEN=server.token)
        emulator = until_done.enter_context(Emulator(workers=options.workers))
        numbers, data = count(1), _last(options.results)
        for group in groups:
            for case in measure(group, emulator, options.repeat):
                print(f"[{next(numbers)}/{runs}] {case} ...", flush=True)
            data["cases"] = _merged(data["cases"], [case for _row, cases in group for case in cases])
            _write(options.results, data)  # a run that is interrupted keeps what it measured

    drawn = options.plot and "ansible" in parts
    if drawn:
        data |= {"payload in bytes": payloads(), "imports in ms": module_imports()}
        _write(options.results, data)

    results = Results(Case(**case) for case in data["cases"])
    print(f"\n{tables(results)}\n")
    for name in ("payload in bytes", "imports in ms"):
        for module, value in data.get(name, {}).items():
            print(f"{name:16} {value:12,} {module}")
    if drawn:
        plot(results, options.plot)


def _last(file: Path) -> dict[str, Any]:
    """Return what `file` holds of earlier runs, with the name of this machine."""
    data = json.loads(file.read_text()) if file.exists() else {"cases": []}
    machine = f"{os.cpu_count()} processors, Python {platform.python_version()}, {platform.system()}"
    return {**data, "machine": machine}


def _merged(former: list[dict[str, Any]], cases: list[Case]) -> list[dict[str, Any]]:
    """Return the `former` cases, with `cases` in place of what was measured of the same before."""
    measured = {str(case) for case in cases}
    return [*(case for case in former if str(Case(**case)) not in measured), *map(asdict, cases)]


def _write(file: Path, data: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(data, indent=1))


if __name__ == "__main__":
    main()
