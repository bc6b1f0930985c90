# SPDX-License-Identifier: BSD-2-Clause
"""The command line: `make proof`, `make proof ONLY=crash`, and in short by `make test`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from importlib import import_module

from tools.checkout import ROOT
from tools.proof.report import Report, table

EXPERIMENTS = (
    "crash",
    "system_errors",
    "races",
    "previews",
    "service_faults",
    "doors",
    "canaries",
    "endurance",
    "options",
    "parsers",
)
LONG = ("ssh",)  # have no short form
_PAGE = ROOT / "docs" / "reliability.md"
_FIGURES = ROOT / "build" / "proof.json"


def main() -> None:
    """Run the experiments, show their tables, write figures and documentation; exit with 1 where a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a sample of each experiment")
    parser.add_argument("only", nargs="*", help=f"some of: {', '.join(EXPERIMENTS + LONG)}")
    options = parser.parse_args()
    problems: list[str] = []
    for name in options.only or (EXPERIMENTS if options.short else (*EXPERIMENTS, *LONG)):
        start = time.monotonic()
        report: Report = import_module(f"tools.proof.{name}").run(options.short)
        seconds = round(time.monotonic() - start, 1)
        problems += [f"{name}: {problem}" for problem in dict.fromkeys(report.problems)]
        _note(name, options.short, seconds, report)
        if not options.short:
            _publish(name, report)
        print(f"{report}\n{name}: {seconds} s, {len(report.problems)} problems\n", flush=True)
    # Again and last: whoever sees only the end of a log learns what failed.
    sys.exit("\n".join(problems) or 0)


def _note(name: str, short: bool, seconds: float, report: Report) -> None:
    """Write an experiment's figures beside those of the others."""
    figures = json.loads(_FIGURES.read_text()) if _FIGURES.exists() else {}
    figures[name] = {"short": short, "seconds": seconds, "rows": report.rows, "problems": report.problems}
    _FIGURES.parent.mkdir(exist_ok=True)
    _FIGURES.write_text(json.dumps(figures, indent=1))


def _publish(name: str, report: Report) -> None:
    """Write an experiment's table into its place in the documentation, if it has one there."""
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    text = place.sub(lambda match: f"{match[1]}\n{table(report.rows)}\n\n{match[2]}", _PAGE.read_text())
    _PAGE.write_text(text)


if __name__ == "__main__":
    main()
