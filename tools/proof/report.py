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

    def row(self, **columns: Any) -> None:
        """Note a row; `found_again` is the column "found again"."""
        self.rows.append({name.replace("_", " "): value for name, value in columns.items()})

    def expect(self, holds: object, problem: str) -> None:
        """Note `problem` unless the promise `holds`."""
        if not holds:
            self.problems.append(problem)

    def __str__(self) -> str:
        reported = [f"{problem} ({count} times)" for problem, count in Counter(self.problems).items()]
        return "\n".join([f"{self.title}\n", table(self.rows), "", *(f"PROBLEM: {one}" for one in reported)])


Experiment = Callable[[bool], Report]  # takes whether it shall be short


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    return markdown(list(rows[0]), [list(map(str, row.values())) for row in rows]) if rows else "(nothing)"


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table; nothing where it has no line."""
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    padded = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |"
        for line in [header, *lines]
    ]
    return "\n".join([padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]])
