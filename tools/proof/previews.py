# SPDX-License-Identifier: BSD-2-Clause
"""Preview, and look at an unchanged `up`: neither sends anything, to the service or to the store of a token."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator
from tools.proof.programs import HALVES
from tools.proof.report import Report
from tools.proof.site import Site, one_site

_PREVIEWS, _SHORT = 60, 6
_STEPS = (
    "before it is created",
    "unchanged",
    "with other keepers",
    "with another place",
    "marked as gone",
    "read by a function",
)


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("What a preview sends")
    seen: list[str] = []
    with Emulator() as emulator, one_site(emulator, seen.append) as site:
        for half, stack in zip(HALVES, site.stacks):
            for step in _STEPS:
                _make_ready(site, stack, step)
                times = (_SHORT if short else _PREVIEWS) // len(_STEPS)
                counts = _count(emulator, seen, partial(stack.pulumi, "preview"), times)
                _note(report, half, "preview", step, times, counts)
            _make_ready(site, stack, "unchanged")
            counts = _count(emulator, seen, partial(stack.up, "--expect-no-changes"), 1)
            _note(report, half, "up", "unchanged", 1, counts)
            stack.destroy()
    return report


def _make_ready(site: Site, stack: Workspace, step: str) -> None:
    """Let the state and the program differ as the step says."""
    site.write("app", "1")
    if step != _STEPS[0]:
        stack.up()
    if step == "with other keepers":
        site.write("app", "2")
    elif step == "with another place":
        site.write("other", "1", name="app")
    elif step == "marked as gone":
        site.kv.delete_metadata_and_all_versions("app")
        stack.refresh()
    elif step == "read by a function":
        site.write("app", "1", reads=True)
        stack.up()


def _count(emulator: Emulator, seen: list[str], command: Callable[[], object], times: int) -> tuple[int, int]:
    """Return how many requests the service and the store got."""
    emulator.reset_stats()
    seen.clear()
    for _time in range(times):
        command()
    return emulator.stats()["total"], len(seen)


def _note(report: Report, half: str, command: str, step: str, times: int, counts: tuple[int, int]) -> None:
    service, store = counts
    report.expect(
        counts == (0, 0), f"{half}, {command} {step}: {service} to the service, {store} to the store"
    )
    traffic = {"to the service": service, "to the store": store}
    report.row(half=half, command=command, token=step, runs=times, **traffic)
