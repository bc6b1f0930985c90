# SPDX-License-Identifier: BSD-2-Clause
"""Many processes at one place at once: one token stays, all tell it, none fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.emulator.client import Emulator
from tests.proof import subject
from tests.proof.crash import OLD, minted
from tests.proof.places import FilePlace
from tests.proof.report import Report


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Processes at one place at once")
    processes, rounds = (8, 2) if short else (50, 20)
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name, Emulator() as emulator:
        emulator.register(OLD)
        for what, old, options in (
            ("new", None, {}),
            ("replaced", OLD, {"regenerate": "always"}),
            ("removed and new", OLD, {"state": "absent"}),
        ):
            place = FilePlace(Path(name, "base"))
            mints = 0
            for _round in range(rounds):
                place.set(old)
                before = minted(emulator)
                with (
                    place.work(base_url=emulator.url, **options) as work,
                    place.work(base_url=emulator.url) as plain,
                ):
                    works = [
                        work if index % 2 == 0 or what != "removed and new" else plain
                        for index in range(processes)
                    ]
                    ended = at_once(works)
                mints += len(minted(emulator) - before)
                _check(what, place, ended, report)
            report.rows.append(
                {"place": place.kind, "what": what, "processes": processes, "rounds": rounds, "mints": mints}
            )
            if what == "new":
                report.expect(mints == rounds, f"{what}: {mints} mints in {rounds} rounds")
    return report


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


def _check(what: str, place: FilePlace, ended: list[subject.Ended], report: Report) -> None:
    for one in ended:
        report.expect(one.code == 0 and not one.stuck, f"{what}: one fails: {one.output[-300:]}")
    if what == "removed and new":
        return
    told = {one.result.get("hash") for one in ended}
    (current,) = place.current()
    if what == "new":
        report.expect(told == {subject.token_hash(str(current))}, f"{what}: {len(told)} tokens are told")
    report.expect(not place.leftovers(), f"{what}: left: {place.leftovers()}")
    report.expect(not place.open_to_others(), f"{what}: open to others: {place.open_to_others()}")
