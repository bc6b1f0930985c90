# SPDX-License-Identifier: BSD-2-Clause
"""The one loop that runs the rows, and takes their time, memory and traffic."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil

from tools.bench.rows import Command, Row, Site
from tools.emulator.client import Emulator

_PAUSE = 0.05  # seconds between two looks at the memory; the kernel itself keeps the peak
_ENOUGH = 60.0  # seconds; a row that has taken so long is not repeated once more


@dataclass
class Case:
    """A row with a number of tokens, at a latency, in a phase; and what was measured of it.

    `seconds`, by the clock, and `processor`, seconds of the processor that the processes took, have
    one value for each repeat; `emulator` is the share of a processor that it took; `memory` is the peak in bytes; the rest are counts of the last run.
    """

    part: str
    row: str
    count: int
    latency: float
    phase: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    emulator: list[float] = field(default_factory=list)
    memory: int = 0
    requests: int = 0
    connections: int = 0
    credits: int = 0
    mints: int = 0

    def __str__(self) -> str:
        return f"{self.part} {self.row}, N={self.count}, {self.phase}, {self.latency * 1000:g} ms"


# A row with a number of tokens at a latency, and its cases, one for each phase.
Visit = tuple[Row, list[Case]]


def plan(
    rows: Sequence[Row], latencies: Sequence[float], counts: Sequence[int] | None = None
) -> list[list[Visit]]:
    """Return what to visit, in groups that are repeated as a whole, for their rows are compared.

    Without `counts` each row has its own; `counts` hold for each row that can do so many.
    """
    groups: dict[tuple[str, float, int], list[Visit]] = {}
    for latency in latencies:
        for row in rows:
            for count in row.counts if counts is None else counts:
                if min(row.counts) <= count <= (row.most or max(row.counts)):
                    cases = [Case(row.part, row.name, count, latency, phase) for phase in row.phases]
                    groups.setdefault((row.part, latency, count), []).append((row, cases))
    return [groups[key] for key in sorted(groups)]


def measure(group: list[Visit], emulator: Emulator, repeat: int) -> Iterator[Case]:
    """Run all cases of a group `repeat` times; yield each before it runs."""
    for _ in range(repeat):
        for row, cases in group:
            if sum(sum(case.seconds) for case in cases) < _ENOUGH:
                yield from _visit(row, cases, emulator)


def _visit(row: Row, cases: list[Case], emulator: Emulator) -> Iterator[Case]:
    with tempfile.TemporaryDirectory(prefix="echovalue-bench-") as folder:
        commands = row.prepare(Site(Path(folder), emulator.url, cases[0].count))
        emulator.options(latency=cases[0].latency)
        for case in cases:
            yield case
            emulator.reset_stats()
            busy, used = _emulator_time(emulator), _children_time()
            runs = [_run(command, row.process) for command in commands(case.phase)]
            seconds = sum(run[0] for run in runs)
            case.seconds.append(seconds)
            case.processor.append(_children_time() - used)
            case.emulator.append((_emulator_time(emulator) - busy) / seconds)
            case.memory = max(case.memory, *(run[1] for run in runs))
            stats = emulator.stats()
            case.requests, case.connections = stats["total"], stats["connections"]
            case.credits, case.mints = stats["credits_spent"], stats["mints"]


def _run(command: Command, process: str) -> tuple[float, int]:
    """Run a command; return its seconds, and the peak memory of the processes that `process` names."""
    began = time.perf_counter()
    started = subprocess.Popen(
        command.arguments,
        cwd=command.folder,
        env=dict(command.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    done = Event()
    peaks = [0]
    watch = Thread(target=lambda: peaks.extend(_peaks(started.pid, process, done)))
    watch.start()
    output, _nothing = started.communicate()
    seconds = time.perf_counter() - began
    done.set()
    watch.join()
    if started.returncode:
        raise RuntimeError(
            f"{' '.join(command.arguments)} ended with {started.returncode}:\n{output[-5000:]}"
        )
    return seconds, max(peaks)


def _peaks(root: int, process: str, done: Event) -> Iterator[int]:
    """Yield, until `done`, the peak so far of each process from `root` down that is looked for."""
    while not done.wait(_PAUSE):
        with suppress(psutil.Error):
            top = psutil.Process(root)
            for found in [top, *top.children(recursive=True)]:
                with suppress(psutil.Error, OSError):
                    if process in " ".join(found.cmdline()):
                        yield _peak(found.pid)


def _peak(number: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _children_time() -> float:
    """Return the processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _emulator_time(emulator: Emulator) -> float:
    process = psutil.Process(emulator.process_id)
    times = [one.cpu_times() for one in (process, *process.children())]
    return sum(one.user + one.system for one in times)
