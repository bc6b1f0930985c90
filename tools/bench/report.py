# SPDX-License-Identifier: BSD-2-Clause
"""What was measured, as tables and as a plot, and held against what was to be reached."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tools.bench.measure import Case
from tools.bench.rows import CONCURRENCY, DYNAMIC_THREADS, PHASES, ROWS
from tools.proof.report import markdown

_MANY = 1000
_MEMORY = 100 * 1024 * 1024  # bytes
_STARTS = {"bulk": "bulk", "floor": "ping"}  # whose time with no token is the start-up of which row
_TITLES = {(row.part, row.name): row.title for row in ROWS}


class Results:
    """The cases of a run, or of several."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self.cases = list(cases)

    def get(self, part: str, row: str, count: int, phase: str, latency: float) -> Case | None:
        """Return a case, None where it was not measured."""
        wanted = (part, row, count, phase, latency)
        for case in self.cases:
            if (case.part, case.row, case.count, case.phase, case.latency) == wanted and case.seconds:
                return case
        return None

    def latencies(self) -> list[float]:
        """Return the latencies at which something was measured."""
        return sorted({case.latency for case in self.cases})


@dataclass(frozen=True)
class Target:
    """The time of one row over that of another, repeat by repeat; `bound` is the most, or the least.

    `spared` seconds of latency do not count.
    """

    title: str
    part: str
    count: int
    phase: str
    latency: float
    over: str
    under: str
    bound: float
    least: bool = False
    spared: float = 0.0

    def ratios(self, results: Results, *, processor: bool = False) -> list[float]:
        """Return the ratio of each repeat, by the clock or by processor time; none where none was measured."""
        over, under = (
            results.get(self.part, row, self.count, self.phase, self.latency)
            for row in (self.over, self.under)
        )
        if over is None or under is None:
            return []
        if processor:
            return [a / b for a, b in zip(over.processor, under.processor)]
        return [(a - self.spared) / b for a, b in zip(over.seconds, under.seconds)]

    def reached(self, ratio: float) -> bool:
        """Return whether a ratio is what was to be reached."""
        return ratio >= self.bound if self.least else ratio <= self.bound


TARGETS = (
    Target("1 token: ours over `uri`", "ansible", 1, "new", 0, "single", "uri", 1.1),
    Target("50 new tokens: today over ours", "ansible", 50, "new", 0, "today", "bulk", 30, least=True),
    Target("50 tokens again: today over ours", "ansible", 50, "again", 0, "today", "bulk", 10, least=True),
    Target("1,000 new tokens: ours over the floor", "ansible", _MANY, "new", 0, "bulk", "floor", 2.5),
    Target("1,000 tokens again: ours over the floor", "ansible", _MANY, "again", 0, "bulk", "floor", 2),
    Target("1,000 new tokens: ours over the floor", "ansible", _MANY, "new", 0.05, "bulk", "floor", 1.5),
    Target("1,000 tokens again: ours over the floor", "ansible", _MANY, "again", 0.05, "bulk", "floor", 2),
    Target("OpenBao, 1 new token: the role over ping and the import of hvac", "openbao", 1, "new", 0, "role", "start", 2),
    Target("OpenBao, 50 new tokens: ours over the floor", "openbao", 50, "new", 0, "bulk", "floor", 2.5),
    Target("OpenBao, 50 tokens again: ours over the floor", "openbao", 50, "again", 0, "bulk", "floor", 2),
    Target("Pulumi, 100 new tokens: ours over a resource that does nothing", "pulumi", 100, "new", 0, "token", "idle", 1.25),
    Target("Pulumi, 100 new tokens: native over ours", "pulumi", 100, "new", 0, "native", "token", 1),
    Target("Pulumi, 1,000 new tokens: native over ours", "pulumi", _MANY, "new", 0, "native", "token", 1),
    Target("Pulumi, 1,000 tokens again: native over ours", "pulumi", _MANY, "again", 0, "native", "token", 1),
    Target("Pulumi, 100 new tokens: in OpenBao over the state and bare calls", "placed", 100, "new", 0, "place", "state", 1.3),
    Target("Pulumi, native, 100 new tokens: in OpenBao over the state and bare calls", "placed", 100, "new", 0, "native", "native state", 1.3),
    Target(
        "100 new tokens over a resource that does nothing, without the latency itself", "pulumi", 100, "new", 0.05, "token", "idle", 1.25,
        spared=100 * 0.05 / DYNAMIC_THREADS,
    ),
)  # fmt: skip


def tables(results: Results) -> str:
    """Return all tables, as text that is Markdown as well."""
    parts = list(dict.fromkeys(case.part for case in results.cases))
    texts = [
        f"{part}, {latency * 1000:g} ms of latency: seconds, median (least to most)\n\n{text}"
        for part in parts
        for latency in results.latencies()
        if (text := times(results, part, latency))
    ]
    return "\n\n".join(filter(None, [*texts, costs(results), growth(results), targets(results)]))


def times(results: Results, part: str, latency: float) -> str:
    """Return the table of one part at one latency."""
    cases = [case for case in results.cases if (case.part, case.latency) == (part, latency) and case.seconds]
    if not cases:
        return ""
    counts = sorted({case.count for case in cases})
    lines = []
    for row, phase in dict.fromkeys((case.row, case.phase) for case in cases):
        found = (results.get(part, row, count, phase, latency) for count in counts)
        spreads = [_spread(case.seconds) if case else "" for case in found]
        lines.append([_TITLES[part, row], phase, *spreads])
    return markdown(["", "", *(f"N = {count:,}" for count in counts)], lines)


def costs(results: Results) -> str:
    """Return the table of memory and traffic, for the most tokens that a row was measured with."""
    most: dict[tuple[str, str, str, float], Case] = {}
    for case in results.cases:
        key = (case.part, case.row, case.phase, case.latency)
        if case.seconds and case.latency == results.latencies()[0]:
            most[key] = max(most.get(key, case), case, key=lambda case: case.count)
    lines = [
        [
            f"{case.part}: {_TITLES[case.part, case.row]}",
            case.phase,
            f"{case.count:,}",
            f"{case.memory / 2**20:.0f}",
            *map(str, (case.requests, case.connections, case.credits)),
            f"{100 * max(case.emulator):.0f} %",
        ]
        for case in most.values()
    ]
    return markdown(["", "", "N", "peak MiB", "requests", "connections", "credits", "emulator busy"], lines)


def exponents(
    results: Results, part: str, row: str, phase: str, latency: float
) -> tuple[float, float] | None:
    """Return how time grows from 100 to 1,000 tokens: with the start-up, and without.

    It is taken from the least times, for other load only ever adds to them. The start-up is that of
    no token at all, which sends nothing, so that no latency touches it.
    """
    hundred, thousand = (results.get(part, row, count, phase, latency) for count in (_MANY // 10, _MANY))
    start = [
        second
        for case in results.cases
        if (case.part, case.row, case.count) == (part, _STARTS.get(row, "engine"), 0)
        for second in case.seconds
    ]
    if not (hundred and thousand and start):
        return None
    none, less, more = min(start), min(hundred.seconds), min(thousand.seconds)
    return math.log10(more / less), math.log10((more - none) / (less - none)) if less > none else math.nan


def growth(results: Results) -> str:
    """Return the table of the exponents."""
    lines = []
    for row in ROWS:
        for latency in results.latencies():
            for phase in row.phases:
                found = exponents(results, row.part, row.name, phase, latency)
                if found:
                    what = [f"{row.part}: {row.title}", phase, f"{latency * 1000:g} ms"]
                    lines.append([*what, *(f"{exponent:.2f}" for exponent in found)])
    return markdown(["growth from N = 100 to 1,000", "", "latency", "exponent", "without start-up"], lines)


def targets(results: Results) -> str:
    """Return the table of what was to be reached."""
    lines = []
    for target in TARGETS:
        ratios = target.ratios(results)
        if ratios:
            bound = f"{'at least' if target.least else 'at most'} {target.bound:g}"
            reached = _yes(target.reached(median(ratios)))
            latency = f"{target.latency * 1000:g} ms"
            by_processor = f"{median(target.ratios(results, processor=True)):.2f}"
            lines.append([target.title, latency, bound, _spread(ratios), reached, by_processor])
    for phase in PHASES:
        for latency in results.latencies():
            case = results.get("ansible", "bulk", _MANY, phase, latency)
            if case:
                grown = exponents(results, "ansible", "bulk", phase, latency)
                for name, value, bound in (
                    *([("exponent", round(grown[0], 2), 1.05)] if grown else []),
                    ("credits", case.credits, 0),
                    ("connections", case.connections, CONCURRENCY),
                    ("peak MiB", case.memory >> 20, _MEMORY >> 20),
                ):
                    what = [f"1,000 tokens {phase}: {name}", f"{latency * 1000:g} ms", f"at most {bound}"]
                    lines.append([*what, str(value), _yes(value <= bound), ""])
    return markdown(["to reach", "latency", "bound", "measured", "reached", "by processor time"], lines)


def plot(results: Results, path: Path) -> None:
    """Draw time against the number of tokens."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    rows = {"bulk": "tab:blue", "loop": "tab:orange", "today": "tab:red", "floor": "tab:gray"}
    latencies = results.latencies()
    figure = Figure(figsize=(10, 4 * len(latencies)), layout="constrained")
    axes = figure.subplots(len(latencies), len(PHASES), sharex=True, sharey=True, squeeze=False)
    for line, latency in zip(axes, latencies):
        for axis, phase in zip(line, PHASES):
            for row, colour in rows.items():
                found = (
                    results.get("ansible", row, count, phase, latency) for count in (1, 10, 50, 100, 1000)
                )
                cases = [case for case in found if case]
                axis.loglog(
                    [case.count for case in cases],
                    [median(case.seconds) for case in cases],
                    marker="o",
                    markersize=4,
                    color=colour,
                    linestyle="--" if row == "floor" else "-",
                    label=_TITLES["ansible", row],
                )
            axis.set_title(f"{phase}, {latency * 1000:g} ms of latency")
            axis.grid(visible=True, which="both", alpha=0.2)
            axis.xaxis.set_major_formatter("{x:,.0f}")
            axis.yaxis.set_major_formatter("{x:g}")
        line[0].set_ylabel("seconds")
    for axis in axes[-1]:
        axis.set_xlabel("tokens")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(rows), frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
