# SPDX-License-Identifier: BSD-2-Clause
"""Many processes at one place at once: one token stays, all report it, none fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tools.emulator.client import Emulator
from tools.proof import races_pulumi, subject
from tools.proof.places import FilePlace, KubernetesPlace, SecretsManagerPlace, SpooledPlace
from tools.proof.report import Report
from tools.proof.scenarios import Scenario, minted, scenarios, service


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Processes at one place at once")
    processes, rounds = (6, 1) if short else (50, 20)
    with service() as (emulator, base):
        for scenario in _scenarios(base, short):
            with scenario.place.ready():
                _play(scenario, emulator, report, processes, rounds)
        races_pulumi.play(emulator, report, rounds)
    return report


def _scenarios(base: Path, short: bool) -> list[Scenario]:
    """Return what is raced for; in short without Kubernetes, which must be built first."""
    remote = (SecretsManagerPlace(base),) if short else (SecretsManagerPlace(base), KubernetesPlace(base))
    return [
        *(
            scenario
            for scenario in scenarios(base)
            if scenario.name == "new"
            or (scenario.name in ("replaced", "removed") and scenario.place.kind == FilePlace.kind)
        ),
        *(Scenario("new", place) for place in remote),
    ]


def _play(scenario: Scenario, emulator: Emulator, report: Report, processes: int, rounds: int) -> None:
    place, mints = scenario.place, 0
    for _round in range(rounds):
        place.set(scenario.old)
        before = minted(emulator)
        with ExitStack() as stack:
            works = []
            for number in range(processes):
                # Of those that remove, every second one provisions; what has a spool has one of its own.
                options = {} if scenario.name == "removed" and number % 2 else dict(scenario.options)
                if isinstance(place, SpooledPlace):
                    options["spool"] = str(_spool(place.touched / f"{number}"))
                works.append(stack.enter_context(place.work(base_url=emulator.url, **options)))
            ended = at_once(works)
        mints += len(minted(emulator) - before)
        _check(scenario, ended, report)
    report.row(place=place.kind, what=scenario.name, processes=processes, rounds=rounds, mints=mints)
    if scenario.name == "new" and not isinstance(place, SpooledPlace):
        report.expect(mints == rounds, f"{place.kind}: {mints} mints in {rounds} rounds")


def _spool(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True)
    return path


def at_once(works: list[Callable[[], None]]) -> list[subject.Ended]:
    """Run all, each in a process of its own, let loose at one instant."""
    gate, opener = os.pipe()

    def waiting(work: Callable[[], None]) -> Callable[[], None]:
        def wait() -> None:
            os.close(opener)
            os.read(gate, 1)  # ends when the last holder of the other end closes it
            work()

        return wait

    started = [subject.start(waiting(work)) for work in works]
    os.close(opener)
    os.close(gate)
    with ThreadPoolExecutor(len(started)) as pool:
        return list(pool.map(lambda one: one.end(), started))


def _check(scenario: Scenario, ended: list[subject.Ended], report: Report) -> None:
    place, where = scenario.place, f"{scenario.place.kind} {scenario.name}"
    for one in ended:
        report.expect(one.code == 0 and not one.stuck, f"{where}: one fails: {one.output[-300:]}")
    if scenario.name == "new":
        reported = {one.result.get("hash") for one in ended}
        (current,) = place.current()
        report.expect(
            reported == {subject.token_hash(str(current))}, f"{where}: {len(reported)} tokens are reported"
        )
    report.expect(not place.pending_files(), f"{where}: left: {place.pending_files()}")
    report.expect(not place.open_to_others(), f"{where}: open to others: {place.open_to_others()}")
