# SPDX-License-Identifier: BSD-2-Clause
"""Let the system refuse one call, at each call that can be refused so, and look at what people are told."""

from __future__ import annotations

from collections import Counter

from tests.emulator.client import Emulator
from tests.proof import subject
from tests.proof.crash import Scenario, hashes, minted, stage
from tests.proof.places import SpooledPlace
from tests.proof.report import Report

_OPEN = ("EACCES", "EMFILE", "EIO", "EINTR", "ENOSPC", "EROFS", "EDQUOT")
_WRITE = ("ENOSPC", "EDQUOT", "EIO", "EINTR")
_CHANGE = ("EACCES", "EROFS", "EIO", "ENOSPC", "EDQUOT")
# Which error a call can give; a signal's EINTR is seen by those that may wait.
_ERRORS = {
    "openat": _OPEN,
    "read": ("EIO", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "getdents64": ("EIO",),
    "write": _WRITE,
    "ftruncate": ("EIO", "EROFS", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"),
    "flock": ("EINTR", "ENOLCK"),
    "rename": _CHANGE,
    "unlink": ("EACCES", "EROFS", "EIO"),
    "fchmod": ("EPERM", "EROFS", "EIO"),
    "chmod": ("EPERM", "EROFS", "EIO"),
    "fchmodat": ("EPERM", "EROFS", "EIO"),
    "chown": ("EPERM", "EROFS", "EIO", "EDQUOT"),
    "newfstatat": ("EACCES", "EIO"),
    "fstat": ("EIO",),
    "lstat": ("EACCES", "EIO"),
    "stat": ("EACCES", "EIO"),
    "statx": ("EACCES", "EIO"),
    "faccessat2": ("EACCES", "EROFS", "EIO"),
    "access": ("EACCES", "EROFS", "EIO"),
    "close": ("EIO", "EINTR"),
    "lseek": ("EIO",),
    "setxattr": ("ENOSPC", "EIO", "EDQUOT"),
    "socket": ("EMFILE", "EACCES"),
    "connect": ("EINTR", "EACCES"),
    "sendto": ("EIO", "EINTR"),
    "recvfrom": ("EIO", "EINTR"),
    "poll": ("EINTR",),
    "ppoll": ("EINTR",),
}
_SAMPLE = 60  # every 60th case in the short form


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("A system call refused")
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    with stage() as (emulator, tried):
        for scenario in tried:
            if "concurrency" not in scenario.options and not (
                short and isinstance(scenario.place, SpooledPlace)
            ):
                _play(scenario, emulator, report, outcomes, _SAMPLE if short else scenario.step)
    for (scenario_name, error), counted in sorted(outcomes.items()):
        columns = ("points", "done all the same", "refused", "of these kept elsewhere")
        report.rows.append(
            {"what": scenario_name, "error": error, **{name: counted[name] for name in columns}}
        )
    return report


def _play(
    scenario: Scenario,
    emulator: Emulator,
    report: Report,
    outcomes: dict[tuple[str, str], Counter[str]],
    step: int,
) -> None:
    place = scenario.place
    with place.work(base_url=emulator.url, **scenario.options) as work:
        place.set(scenario.old)
        calls = subject.from_first_touch(subject.run(work, trace=True).calls, place.touched)
        cases = [(call, error) for call in calls for error in _ERRORS.get(call.name, ())]
        for call, error in cases[::step]:
            place.set(scenario.old)
            before = minted(emulator)
            ended = subject.run(work, f"{call.name}:error={error}:when={call.number}")
            new = minted(emulator) - before
            counted = outcomes.setdefault((f"{place.kind} {scenario.name}", error), Counter())
            counted["points"] += 1
            where = f"{place.kind} {scenario.name}, {error} at {call.words} {call.arguments[:60]}"
            _check(scenario, where, ended, new, counted, report)


def _check(
    scenario: Scenario,
    where: str,
    ended: subject.Ended,
    new: set[str],
    counted: Counter[str],
    report: Report,
) -> None:
    place, told = scenario.place, ended.result
    kept = place.tokens()
    report.expect(not ended.stuck, f"{where}: it hangs")
    report.expect(not place.open_to_others(), f"{where}: open to others: {place.open_to_others()}")
    report.expect(new <= hashes(kept) or told.get("reason") == "ambiguous_mint", f"{where}: a token is lost")
    if scenario.old is not None:
        report.expect(scenario.old in kept, f"{where}: the old token is gone")
    if ended.code == 0:
        counted["done all the same"] += 1
        if "state" not in scenario.options:
            report.expect([told.get("token")] == place.current(), f"{where}: told is not what is kept")
        return
    counted["refused"] += 1
    report.expect(told.get("reason"), f"{where}: no reason: {ended.output[-300:]}")
    report.expect("Traceback" not in ended.output, f"{where}: a traceback: {ended.output[-300:]}")
    report.expect(not any(token in ended.output for token in kept), f"{where}: a token is told")
    elsewhere = hashes(kept) & new - hashes({token for token in place.current() if token})
    if elsewhere:
        counted["of these kept elsewhere"] += 1
        named = [*map(str, place.holding(elsewhere)), "waits beside it"]
        is_told = any(words in told.get("msg", "") for words in named)
        report.expect(is_told, f"{where}: not told where the token is: {told.get('msg')}")
