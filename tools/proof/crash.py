# SPDX-License-Identifier: BSD-2-Clause
"""Kill a run at every system call from the first touch of its place on; then let the next run come.

A token may be lost in one window only: the request to mint has left, and the answer is not yet in a
file. `in the window` counts the calls there, for one token; `lost` those at which a kill lost one.
"""

from __future__ import annotations

from tools.emulator.client import Emulator
from tools.proof import subject
from tools.proof.report import Report
from tools.proof.scenarios import ADOPTED, OLD, Scenario, hashes, minted, play_all

_SAMPLE = 40  # every 40th call in the short form


def run(short: bool) -> Report:
    """Run the experiment."""
    return play_all("Killed at each system call", _play, short)


def _play(scenario: Scenario, emulator: Emulator, short: bool) -> Report:
    report = Report("Killed")
    place = scenario.place
    points = lost = recovered = window = 0
    with place.work(base_url=emulator.url, **scenario.options) as work:
        for thread in scenario.threads:
            calls = scenario.recorded(work, thread, report)
            if thread == subject.MINT:
                window = max(subject.windows(calls))
            for call in calls[:: _SAMPLE if short else 1]:
                scenario.start_over(emulator)
                kill = f"{call.name}:signal=SIGKILL:when={call.number}"
                killed = subject.run(work, kill, trace=True, thread=thread)
                where = f"{scenario.words}, killed at {call.words}"
                report.expect(not killed.stuck, f"{where}: it hangs")
                points += 1
                gone = minted(emulator) - hashes(place.tokens())
                lost += bool(gone)
                at = killed.calls[-1] if killed.calls else call  # runs differ a little
                report.expect(at.may_lose or not gone, f"{where}: a token is lost")
                _check_after(scenario, where, report)
                found = place.tokens()
                again = subject.run(work)
                recovered += bool(found - {OLD, ADOPTED})
                if scenario.is_done_once:
                    mints = len(minted(emulator)) - len(gone)
                    report.expect(mints == 1, f"{where}: {mints} tokens are minted and not lost")
                _check_again(scenario, where, again, found, report)
    counts = {"points": points, "found_again": recovered, "in_the_window": window, "lost": lost}
    report.row(place=place.kind, what=scenario.name, **counts)
    return report


def _check_after(scenario: Scenario, where: str, report: Report) -> None:
    """Check what a killed run left."""
    place = scenario.place
    report.expect(not place.open_to_others(), f"{where}: open to others: {place.open_to_others()}")
    for token in place.current():
        report.expect(token is None or "broken" not in token, f"{where}: {token}")
    if scenario.old is not None:
        report.expect(scenario.old in place.tokens(), f"{where}: the old token is gone")
    if scenario.old is not None and "state" not in scenario.options:
        report.expect(None not in place.current(), f"{where}: no token is stored there")


def _check_again(
    scenario: Scenario, where: str, again: subject.Ended, found: set[str], report: Report
) -> None:
    """Check the run that comes next, which is the same once more."""
    place = scenario.place
    report.expect(again.code == 0 and not again.stuck, f"{where}: the next run fails: {again.output}")
    report.expect(found <= place.tokens(), f"{where}: the next run loses a token")
    report.expect(not place.pending_files(), f"{where}: the next run leaves {place.pending_files()}")
    report.expect(not place.open_to_others(), f"{where}: then open to others: {place.open_to_others()}")
    entries = again.result.get("tokens") or [again.result]
    reported = [entry.get("hash") for entry in entries]
    report.expect(reported == place.hashes(), f"{where}: the next run reports another token than it keeps")
    if scenario.old is None and again.code == 0:
        waiting = hashes(found - {OLD, ADOPTED})
        report.expect(waiting <= set(reported), f"{where}: the next run does not take up what waits")
