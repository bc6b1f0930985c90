# SPDX-License-Identifier: BSD-2-Clause
"""What is done to the places: the scenarios that several experiments play, side by side."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tools.emulator.client import Emulator
from tools.proof import subject
from tools.proof.places import (
    CommandPlace,
    FilePlace,
    HashiVaultPlace,
    SopsPlace,
    SpooledPlace,
    StackPlace,
    VaultPlace,
)
from tools.proof.report import Report
from tools.proof.search import known

OLD = "0123456789abcdef0123456789abcdef"
ADOPTED = "fedcba9876543210fedcba9876543210"


@dataclass(frozen=True)
class Scenario:
    """What is done to a place that keeps `old`."""

    name: str
    place: Any
    old: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The place, and what is done to it."""
        return f"{self.place.kind} {self.name}"

    @property
    def is_done_once(self) -> bool:
        """Whether the next run, which is the same once more, finds it done: a state remembers what to rotate."""
        return self.name in ("new", "rotated")

    @property
    def threads(self) -> list[str]:
        """The threads that are looked at, each in runs of its own."""
        mints = "token" not in self.options and "state" not in self.options
        used = {subject.MAIN: True, subject.POOL: "concurrency" in self.options, subject.MINT: mints}
        return [thread for thread, is_used in used.items() if is_used]

    def recorded(self, work: Callable[[], None], thread: str, report: Report) -> list[subject.Call]:
        """Return the system calls of a run that nothing disturbs, from the first touch of the place on."""
        self.place.set(self.old)
        ended = subject.run(work, trace=True, thread=thread)
        report.expect(ended.code == 0, f"{self.words}: fails undisturbed: {ended.output}")
        return subject.from_first_touch(ended.calls, self.place.touched)

    def start_over(self, emulator: Emulator) -> None:
        """Make the place as new, and let the service forget what it minted."""
        for token in minted(emulator):
            emulator.forget(token)
        self.place.set(self.old)


def scenarios(base: Path) -> list[Scenario]:
    """Return what is done to places under a folder."""
    names = ("one", "two", "three")
    rotate, adopt, remove = {"regenerate": "always"}, {"token": ADOPTED}, {"state": "absent"}
    one_at_a_time = {"concurrency": 1}

    def each(place: Any) -> list[Scenario]:
        found = [
            Scenario("new", place),
            Scenario("replaced", place, OLD, rotate),
            Scenario("adopted", place, OLD, adopt),
        ]
        return found if isinstance(place, CommandPlace) else [*found, Scenario("removed", place, OLD, remove)]

    def many(place: Any) -> list[Scenario]:
        return [
            Scenario("many", place, None, one_at_a_time),
            Scenario("many replaced", place, OLD, {**one_at_a_time, **rotate}),
        ]

    return [
        *each(FilePlace(base)),
        *many(FilePlace(base, names)),
        *each(VaultPlace(base)),
        *many(VaultPlace(base, names)),
        *each(SopsPlace(base)),
        *each(HashiVaultPlace(base)),
        *each(CommandPlace(base)),
        Scenario("new", StackPlace(base)),
        Scenario("rotated", StackPlace(base), OLD, {"rotates": subject.token_hash(OLD)}),
    ]


@contextmanager
def service() -> Iterator[tuple[Emulator, Path]]:
    """Run a service that knows `OLD` and `ADOPTED`; yield it, and a folder for a place."""
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name, Emulator() as emulator:
        for token in (OLD, ADOPTED):
            emulator.register(token)
        yield emulator, Path(name, "base")


def play_all(title: str, play: Callable[[Scenario, Emulator, bool], Report], short: bool) -> Report:
    """Play all scenarios, as many at a time as there are processors; return what all of them found.

    In short what has a spool is left out: it is slow, for what it keeps is looked at by programs.
    """
    numbers = [
        number
        for number, scenario in enumerate(scenarios(Path("nowhere")))
        if not (short and isinstance(scenario.place, SpooledPlace))
    ]
    whole = Report(title)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        for part in pool.map(partial(_play_one, play, short), numbers):
            whole.rows += part.rows
            whole.problems += part.problems
    return whole


def _play_one(play: Callable[[Scenario, Emulator, bool], Report], short: bool, number: int) -> Report:
    with service() as (emulator, base):
        scenario = scenarios(base)[number]
        with scenario.place.ready():
            report = play(scenario, emulator, short)
    print(f"{report.title}: {scenario.words}", file=sys.stderr, flush=True)
    return report


def minted(emulator: Emulator) -> set[str]:
    """Return the hashes of all tokens that the service minted and has not forgotten."""
    return known(emulator) - hashes({OLD, ADOPTED})


def hashes(tokens: Set[str]) -> set[str]:
    """Return the hashes by which the service names tokens."""
    return set(map(subject.token_hash, tokens))
