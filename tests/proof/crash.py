# SPDX-License-Identifier: BSD-2-Clause
"""Kill a run at every system call from the first touch of its place on; then let the next run come.

A token may be lost in one window alone: the request to mint has left, and the answer is not yet in a
file. `lost` counts the calls of that window at which a kill lost one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.emulator.client import Emulator
from tests.engine.servers import OpenBao, openbao_server
from tests.proof import subject
from tests.proof.places import CommandPlace, FilePlace, HashiVaultPlace, SopsPlace, SpooledPlace, VaultPlace
from tests.proof.report import Report

OLD = "0123456789abcdef0123456789abcdef"
GIVEN = "fedcba9876543210fedcba9876543210"
_SAMPLE = 40  # every 40th call in the short form


@dataclass(frozen=True)
class Scenario:
    """What is done to a place that keeps `old`."""

    name: str
    place: Any
    old: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """One of how many cases is tried: to look at a place by a program, or to decrypt, takes its time."""
        return {SopsPlace: 10, VaultPlace: 2, HashiVaultPlace: 2, CommandPlace: 4}.get(type(self.place), 1)


def scenarios(base: Path, server: OpenBao) -> list[Scenario]:
    """Return what is tried."""
    names = ("one", "two", "three")
    file, many = FilePlace(base), FilePlace(base, names)
    vault, many_vault = VaultPlace(base), VaultPlace(base, names)
    spooled = (SopsPlace(base), HashiVaultPlace(base, server), CommandPlace(base))
    rotate = {"regenerate": "always"}
    return [
        Scenario("new", file),
        Scenario("replaced", file, OLD, rotate),
        Scenario("adopted", file, OLD, {"token": GIVEN}),
        Scenario("removed", file, OLD, {"state": "absent"}),
        Scenario("many", many, None, {"concurrency": 1}),
        Scenario("many replaced", many, OLD, {"concurrency": 1, **rotate}),
        Scenario("new", vault),
        Scenario("replaced", vault, OLD, rotate),
        Scenario("removed", vault, OLD, {"state": "absent"}),
        Scenario("many", many_vault, None, {"concurrency": 1}),
        Scenario("many replaced", many_vault, OLD, {"concurrency": 1, **rotate}),
        *(Scenario("new", place) for place in spooled),
        *(Scenario("replaced", place, OLD, rotate) for place in spooled),
    ]


@contextmanager
def stage() -> Iterator[tuple[Emulator, list[Scenario]]]:
    """Run the servers; yield the service, and what is tried."""
    with (
        tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name,
        Emulator() as emulator,
        openbao_server(Path(name)) as server,
    ):
        for token in (OLD, GIVEN):
            emulator.register(token)
        yield emulator, scenarios(Path(name, "base"), server)


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Killed at each system call")
    with stage() as (emulator, tried):
        for scenario in tried:
            if short and isinstance(scenario.place, SpooledPlace):
                continue  # slow, for what they keep is looked at by programs
            _play(scenario, emulator, report, _SAMPLE if short else scenario.step)
    return report


def _play(scenario: Scenario, emulator: Emulator, report: Report, step: int) -> None:
    place = scenario.place
    pools = (False, True) if "concurrency" in scenario.options else (False,)
    points = lost = recovered = 0
    with place.work(base_url=emulator.url, **scenario.options) as work:
        for pool in pools:
            place.set(scenario.old)
            recorded = subject.run(work, trace=True, pool=pool)
            report.expect(recorded.code == 0, f"{scenario.name}: fails undisturbed: {recorded.output}")
            for call in subject.from_first_touch(recorded.calls, place.touched)[::step]:
                place.set(scenario.old)
                before = minted(emulator)
                kill = f"{call.name}:signal=SIGKILL:when={call.number}"
                killed = subject.run(work, kill, trace=True, pool=pool)
                where = f"{place.kind} {scenario.name}, killed at {call.words}"
                report.expect(not killed.stuck, f"{where}: it hangs")
                points += 1
                gone = minted(emulator) - before - hashes(place.tokens())
                lost += bool(gone)
                at = killed.calls[-1] if killed.calls else call  # runs differ a little
                report.expect(at.may_lose or not gone, f"{where}: a token is lost")
                _check_after(scenario, where, report)
                found = place.tokens()
                again = subject.run(work)
                recovered += bool(found - {OLD, GIVEN})
                _check_again(scenario, where, again, found, report)
    print(f"{place.kind}, {scenario.name}: {points} points", file=sys.stderr, flush=True)
    report.rows.append(
        {
            "place": place.kind,
            "what": scenario.name,
            "points": points,
            "one of": step,
            "found again": recovered,
            "lost": lost,
        }
    )


def _check_after(scenario: Scenario, where: str, report: Report) -> None:
    """Check what a killed run left."""
    place = scenario.place
    report.expect(not place.open_to_others(), f"{where}: open to others: {place.open_to_others()}")
    for token in place.current():
        report.expect(token is None or "broken" not in token, f"{where}: {token}")
    if scenario.old is not None:
        report.expect(scenario.old in place.tokens(), f"{where}: the old token is gone")
    if scenario.old is not None and "state" not in scenario.options:
        report.expect(None not in place.current(), f"{where}: no token stands there")


def _check_again(
    scenario: Scenario, where: str, again: subject.Ended, found: set[str], report: Report
) -> None:
    """Check the run that comes next, which is the same once more."""
    place = scenario.place
    report.expect(again.code == 0 and not again.stuck, f"{where}: the next run fails: {again.output}")
    report.expect(found <= place.tokens(), f"{where}: the next run loses a token")
    report.expect(not place.leftovers(), f"{where}: the next run leaves {place.leftovers()}")
    report.expect(not place.open_to_others(), f"{where}: then open to others: {place.open_to_others()}")
    entries = again.result.get("tokens") or [again.result]
    told = [entry.get("token") for entry in entries]
    report.expect(told == place.current(), f"{where}: the next run tells another token than it keeps")
    if scenario.old is None and again.code == 0:
        waiting = found - {OLD, GIVEN}
        report.expect(waiting <= set(told), f"{where}: the next run does not take up what waits")


def minted(emulator: Emulator) -> set[str]:
    """Return the hashes of all tokens that the service knows."""
    return {token["hash"] for token in emulator.tokens()}


def hashes(tokens: set[str]) -> set[str]:
    """Return the hashes by which the service names tokens."""
    return set(map(subject.token_hash, tokens))
