# SPDX-License-Identifier: BSD-2-Clause
"""Stacks at once: each with tokens of its own; two at one place in OpenBao, and one beside a playbook.

At the place both read at the same instant, held back until the other one comes.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Set
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, BrokenBarrierError

from tests.testkit.playbook import token
from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator
from tools.proof.report import Report
from tools.proof.scenarios import hashes, minted
from tools.proof.site import Site, one_site

_PATIENCE = 120  # seconds for one command, on a busy machine
_TOGETHER = 25  # seconds that one waits for the other, under the client's own time-out


def play(emulator: Emulator, report: Report, rounds: int) -> None:
    """Play all of them."""
    _play_stacks(emulator, report, rounds)
    meeting = _Meeting()
    with one_site(emulator, meeting.see) as site:
        races = _Races(site, meeting, report)
        for what, each in _RACES.items():
            mints = sum(each(races, number) for number in range(rounds))
            report.row(place="Pulumi, OpenBao", what=what, processes=2, rounds=rounds, mints=mints)


def _play_stacks(emulator: Emulator, report: Report, rounds: int) -> None:
    """Deploy two stacks of one project at once, which rotate their tokens in each round."""
    mints = 0
    with tempfile.TemporaryDirectory(prefix="ev-") as name:
        dev = Workspace(Path(name), emulator.url)
        prod = copy(dev)
        prod.stack = "prod"
        prod.pulumi("stack", "init", prod.stack)
        for number in range(rounds):
            dev.program(f'echovalue.Token("app", keepers={{"round": "{number}"}})')
            before = minted(emulator)
            _end([_up(dev), _up(prod)], "two stacks", report)
            new = minted(emulator) - before
            mints += len(new)
            kept = {stack.resources()["app"]["id"] for stack in (dev, prod)}
            report.expect(kept == new and len(new) == 2, f"two stacks: {len(new)} mints, {len(kept)} tokens")
    report.row(place="Pulumi", what="two stacks", processes=2, rounds=rounds, mints=mints)


class _Meeting:
    """Holds back the first reading of a secret until the second one comes."""

    def __init__(self) -> None:
        self._barrier = Barrier(2)
        self._open = True
        self.met = False

    def call(self) -> None:
        """Let the next two meet."""
        self._barrier, self._open, self.met = Barrier(2), False, False

    def see(self, operation: str) -> bool:
        """Let a request pass, once both are there."""
        if operation.startswith("GET /v1/secret/data/") and not self._open:
            with suppress(BrokenBarrierError):
                self._barrier.wait(_TOGETHER)
                self.met = True
            self._open = True
        return True


@dataclass(frozen=True)
class _Races:
    """Races for one place; each is played in rounds, and returns how many tokens were minted in one."""

    site: Site
    meeting: _Meeting
    report: Report

    def at_empty_place(self, number: int) -> int:
        self.site.write(f"empty_{number}", "1")
        return self._race(f"empty_{number}", "two stacks at an empty place")

    def rotate(self, number: int) -> int:
        """Rotate by changed keepers a token that both know."""
        self._make_both_know("rotated", number)
        self.site.write("rotated", str(number))
        return self._race("rotated", "two stacks that rotate")

    def rotate_unlike(self, number: int) -> int:
        """Rotate by changed keepers where only one state knows the token that is there.

        For the other one that very token is the rotation, or what the first one makes of it.
        """
        site, other = self.site, f"{number:032x}"
        self._make_both_know("unlike", number)
        site.emulator.register(other)
        site.kv.create_or_update_secret("unlike", {"token": other})
        site.stacks[number % 2].refresh()
        site.write("unlike", str(number))
        mints = self._race("unlike", "two stacks that know different tokens", {other})
        for stack in site.stacks:
            stack.refresh()
        agree = site.known() == hashes({site.token("unlike")})
        self.report.expect(agree, f"a refresh does not agree with the place: {site.known()}")
        return mints

    def beside_playbook(self, number: int) -> int:
        """Deploy a stack, now of one half, now of the other, and play a playbook for the same place."""
        path, site, stack = f"beside_{number}", self.site, self.site.stacks[number % 2]
        site.write(path, "1")
        before = minted(site.emulator)
        task = token(hashi_vault={"path": path, "connection": {"url": site.url, "token": site.login}})
        reported = site.ansible.directory / "hash"
        save = {"ansible.builtin.copy": {"content": "{{ result.hash }}", "dest": str(reported)}}
        playbook = site.ansible.playbook(task, save, name="beside.yml")
        self.meeting.call()
        where = "a stack beside a playbook"
        _end([_up(stack), site.ansible.start(playbook)], where, self.report)
        known = site.known(stack) | {reported.read_text()}
        return self._check(path, where, minted(site.emulator) - before, known)

    def _make_both_know(self, path: str, number: int) -> None:
        """In the first round, deploy a token with both stacks."""
        if number == 0:
            self.site.write(path, "before")
            for stack in self.site.stacks:
                stack.up()

    def _race(self, path: str, where: str, others: Set[str] = frozenset()) -> int:
        before = minted(self.site.emulator)
        self.meeting.call()
        _end([_up(stack) for stack in self.site.stacks], where, self.report)
        return self._check(path, where, minted(self.site.emulator) - before, self.site.known(), others)

    def _check(
        self, path: str, where: str, new: set[str], reported: set[str], others: Set[str] = frozenset()
    ) -> int:
        """Check what a race came to; both know the stored token, or one of `others`."""
        stored, expect = hashes({self.site.token(path)}), self.report.expect
        expect(self.meeting.met, f"{where}: they did not meet")
        expect(new == stored, f"{where}: {len(new)} mints, of which the place holds {len(new & stored)}")
        expect(stored <= reported <= stored | hashes(others), f"{where}: {len(reported)} tokens are known")
        expect(not self.site.spooled(), f"{where}: pending: {self.site.spooled()}")
        return len(new)


_RACES = {
    "two stacks, empty": _Races.at_empty_place,
    "two stacks that rotate": _Races.rotate,
    "two that know different tokens": _Races.rotate_unlike,
    "a stack and a playbook": _Races.beside_playbook,
}


def _up(stack: Workspace) -> subprocess.Popen[str]:
    return stack.start("up", "--yes", "--skip-preview")


def _end(started: list[subprocess.Popen[str]], where: str, report: Report) -> None:
    for process in started:
        out, err = process.communicate(timeout=_PATIENCE)
        report.expect(process.returncode == 0, f"{where}: one fails: {(out + (err or ''))[-600:]}")
