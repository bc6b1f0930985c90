# SPDX-License-Identifier: BSD-2-Clause
"""What an experiment found: a table for people, problems that must not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class Report:
    """The rows of an experiment's table; `problems` are broken promises, and none is the wanted number."""

    title: str
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: object, problem: str) -> None:
        """Note `problem` unless the promise `holds`."""
        if not holds:
            self.problems.append(problem)

    def __str__(self) -> str:
        told = [f"{problem} ({count} times)" for problem, count in Counter(self.problems).items()]
        return "\n".join([f"{self.title}\n", table(self.rows), "", *(f"PROBLEM: {one}" for one in told)])


Experiment = Callable[[bool], Report]  # takes whether it shall be short


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    if not rows:
        return "(nothing)"
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |" for line in lines
    ]
    return "\n".join([padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]])
