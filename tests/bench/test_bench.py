# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark runs; and what holds of many tokens on the busiest machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.bench.measure import Case, measure, plan
from tools.bench.rows import CONCURRENCY, ROWS
from tools.checkout import ROOT
from tools.emulator.client import Emulator

MANY = 200
BY_NAME = {(row.part, row.name): row for row in ROWS}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def run(emulator: Emulator, name: str, count: int) -> list[Case]:
    """Measure a row of Ansible once; return its cases, one for each phase."""
    (group,) = plan([BY_NAME["ansible", name]], [0], [count])
    list(measure(group, emulator, 1))
    return [case for _row, cases in group for case in cases]


@pytest.mark.parametrize("part", ["ansible", "openbao", "pulumi", "placed"])
def test_the_benchmark_runs(part: str, tmp_path: Path) -> None:
    results = tmp_path / "bench.json"
    options = ["--repeat", "1", "--counts", "0", "1", "2", "--latency", "0", "--only", part]
    command = [sys.executable, "-m", "tools.bench", *options, "--results", str(results)]
    subprocess.run(command, cwd=ROOT, check=True)
    cases = json.loads(results.read_text())["cases"]
    assert {(case["part"], case["row"]) for case in cases} == {name for name in BY_NAME if name[0] == part}
    assert all(len(case["seconds"]) == 1 for case in cases)
    ours = [case for case in cases if case["row"] in ("single", "bulk", "role", "token", "place", "native")]
    assert all(case["memory"] > 0 for case in ours if part != "openbao")  # there it is no module's
    assert {case["mints"] for case in ours} == {0, 1, 2}


def test_many_tokens_cost_what_they_must(emulator: Emulator) -> None:
    new, again = run(emulator, "bulk", MANY)
    (alone, _again) = run(emulator, "single", 1)
    for case in (new, again):
        assert (case.requests, case.credits) == (MANY, 0)
        assert case.connections <= CONCURRENCY
        assert case.memory < 100 * 1024 * 1024
        assert case.seconds[0] < MANY / 10 * alone.seconds[0]
    assert (new.mints, again.mints) == (MANY, 0)
