# SPDX-License-Identifier: BSD-2-Clause
"""The command line: `make proof`, `make proof ONLY=crash`, and in short by `make test`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module

from tests.proof.report import Report
from tests.workspace import ROOT

EXPERIMENTS = ("crash", "system_errors", "races", "service_faults", "doors", "endurance", "parsers")
_FIGURES = ROOT / "build" / "proof.json"


def main() -> None:
    """Run the experiments, show their tables, write the figures; exit with 1 where a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a sample of each experiment")
    parser.add_argument("only", nargs="*", help=f"some of: {', '.join(EXPERIMENTS)}")
    options = parser.parse_args()
    figures = json.loads(_FIGURES.read_text()) if _FIGURES.exists() else {}
    problems = 0
    for name in options.only or EXPERIMENTS:
        start = time.monotonic()
        report: Report = import_module(f"tests.proof.{name}").run(options.short)
        seconds = round(time.monotonic() - start, 1)
        problems += len(report.problems)
        figures[name] = {
            "short": options.short,
            "seconds": seconds,
            "rows": report.rows,
            "problems": report.problems,
        }
        print(f"{report}\n{name}: {seconds} s, {len(report.problems)} problems\n", flush=True)
    _FIGURES.parent.mkdir(exist_ok=True)
    _FIGURES.write_text(json.dumps(figures, indent=1))
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
