# SPDX-License-Identifier: BSD-2-Clause
"""Let the system refuse one call, at each call that can be refused so, and look at what people see."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tools.emulator.client import Emulator
from tools.proof import subject
from tools.proof.report import Report
from tools.proof.scenarios import Scenario, hashes, minted, play_all

# Which error a call can give; a signal's EINTR is seen by those that may wait.
_ERRORS = {
    call: errors.split()
    for errors, calls in {
        "EACCES EMFILE EIO EINTR ENOSPC EROFS EDQUOT": "openat",
        "EIO EINTR": "read pread64 sendto recvfrom close",
        "EIO": "getdents64 fstat lseek listxattr",
        "ENOSPC EDQUOT EIO EINTR": "write pwrite64",
        "EIO EROFS EINTR": "ftruncate",
        "EIO ENOSPC EDQUOT EROFS EINTR": "fsync",
        "EINTR ENOLCK": "flock",
        "EACCES EROFS EIO ENOSPC EDQUOT": "rename mkdir",
        "EACCES EROFS EIO": "unlink faccessat2 access utimensat",
        "EPERM EROFS EIO": "fchmod chmod fchmodat",
        "EPERM EROFS EIO EDQUOT": "chown",
        "EACCES EIO": "newfstatat lstat stat statx",
        "ENOSPC EIO EDQUOT": "setxattr",
        "EMFILE": "memfd_create pipe2 epoll_create1",
        "EMFILE EACCES": "socket",
        "EINTR EACCES": "connect",
        "EINTR": "epoll_wait wait4 clock_nanosleep getrandom poll ppoll",
    }.items()
    for call in calls.split()
}
_SAMPLE = 60  # every 60th case in the short form


def run(short: bool) -> Report:
    """Run the experiment."""
    return play_all("A system call refused", _play, short)


def _play(scenario: Scenario, emulator: Emulator, short: bool) -> Report:
    report = Report("Refused")
    counted: Counter[str] = Counter()
    place = scenario.place
    with place.work(base_url=emulator.url, **scenario.options) as work:
        for thread in scenario.threads:
            calls = scenario.recorded(work, thread, report)
            cases = [(call, error) for call in calls for error in _errors_of(call)]
            for call, error in cases[:: _SAMPLE if short else 1]:
                scenario.start_over(emulator)
                ended = subject.run(work, f"{call.name}:error={error}:when={call.number}", thread=thread)
                counted["points"] += 1
                where = f"{scenario.words}, {error} at {call.words} {call.arguments[:60]}"
                _check(scenario, where, ended, minted(emulator), counted, report)
    columns = ("points", "done all the same", "refused", "of these kept elsewhere")
    report.row(place=place.kind, what=scenario.name, **{name: counted[name] for name in columns})
    return report


def _errors_of(call: subject.Call) -> list[str]:
    """Return the errors that a call can give.

    strace leaves a descriptor open whose close it refuses, as no system does: the lock, or the end of a pipe,
    and a person would wait for it.
    """
    if call.name == "close" and not Path(call.file).is_file():
        return []
    return _ERRORS.get(call.name, [])


def _check(
    scenario: Scenario,
    where: str,
    ended: subject.Ended,
    new: set[str],
    counted: Counter[str],
    report: Report,
) -> None:
    place, reported = scenario.place, ended.result
    kept = place.tokens()
    report.expect(not ended.stuck, f"{where}: it hangs")
    report.expect(not place.open_to_others(), f"{where}: open to others: {place.open_to_others()}")
    report.expect(
        new <= hashes(kept) or reported.get("reason") == "ambiguous_mint", f"{where}: a token is lost"
    )
    if scenario.old is not None:
        report.expect(scenario.old in kept, f"{where}: the old token is gone")
    if ended.code == 0:
        counted["done all the same"] += 1
        if "state" not in scenario.options:
            entries = reported.get("tokens") or [reported]
            is_kept = [entry.get("hash") for entry in entries] == place.hashes()
            report.expect(is_kept, f"{where}: reported is not what is stored")
        return
    counted["refused"] += 1
    report.expect(reported.get("reason"), f"{where}: no reason: {ended.output[-300:]}")
    report.expect("Traceback" not in ended.output, f"{where}: a traceback: {ended.output[-300:]}")
    report.expect(not any(token in ended.output for token in kept), f"{where}: a token is shown")
    elsewhere = hashes(kept) & new - hashes({token for token in place.current() if token})
    if elsewhere:
        counted["of these kept elsewhere"] += 1
        named = [*map(str, place.holding(elsewhere)), "is pending beside it"]
        is_reported = any(words in reported.get("msg", "") for words in named)
        report.expect(is_reported, f"{where}: not said where the token is: {reported.get('msg')}")
