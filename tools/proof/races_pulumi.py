# SPDX-License-Identifier: BSD-2-Clause
"""Stacks at once: each with tokens of its own; two at one place in OpenBao, and one beside a playbook.

At the place both read at the same instant, held back until the other one comes.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import suppress
from copy import copy
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
        for what, each in _RACES.items():
            mints = 0
            for number in range(rounds):
                mints += each(site, meeting, number, report)
            report.rows.append(
                {"place": "Pulumi, OpenBao", "what": what, "processes": 2, "rounds": rounds, "mints": mints}
            )


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
    report.rows.append(
        {"place": "Pulumi", "what": "two stacks", "processes": 2, "rounds": rounds, "mints": mints}
    )


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


def _at_empty_place(site: Site, meeting: _Meeting, number: int, report: Report) -> int:
    site.write(f"empty-{number}", "1")
    return _race(site, meeting, f"empty-{number}", "two stacks at an empty place", report)


def _rotate(site: Site, meeting: _Meeting, number: int, report: Report) -> int:
    """Rotate by changed keepers a token that both know."""
    if number == 0:
        site.write("rotated", "before")
        for stack in site.stacks:
            stack.up()
    site.write("rotated", str(number))
    return _race(site, meeting, "rotated", "two stacks that rotate", report)


def _rotate_unlike(site: Site, meeting: _Meeting, number: int, report: Report) -> int:
    """Rotate by changed keepers where one state alone knows the token that is there.

    For the other one that very token is the rotation, or what the first one makes of it.
    """
    if number == 0:
        site.write("unlike", "before")
        for stack in site.stacks:
            stack.up()
    other = f"{number:032x}"
    site.emulator.register(other)
    site.kv.create_or_update_secret("unlike", {"token": other})
    site.stacks[number % 2].refresh()
    site.write("unlike", str(number))
    mints = _race(site, meeting, "unlike", "two stacks that know different tokens", report, others={other})
    for stack in site.stacks:
        stack.refresh()
    found = site.known()
    report.expect(
        found == hashes({site.token("unlike")}), f"a refresh does not agree with the place: {found}"
    )
    return mints


def _beside_playbook(site: Site, meeting: _Meeting, number: int, report: Report) -> int:
    """Deploy a stack, now of one half, now of the other, and play a playbook for the same place."""
    path, stack = f"beside-{number}", site.stacks[number % 2]
    site.write(path, "1")
    before = minted(site.emulator)
    connection = {"url": site.url, "token": site.login}
    task = token(hashi_vault={"path": path, "connection": connection})
    playbook = site.ansible.directory / "beside.yml"
    save = {
        "ansible.builtin.copy": {"content": "{{ result.hash }}", "dest": f"{site.ansible.directory}/hash"}
    }
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task, save]}]))
    meeting.call()
    where = "a stack beside a playbook"
    _end([_up(stack), site.ansible.start(playbook)], where, report)
    told = site.known(stack) | {(site.ansible.directory / "hash").read_text()}
    return _check(site, meeting, path, where, minted(site.emulator) - before, told, set(), report)


_RACES = {
    "two stacks, empty": _at_empty_place,
    "two stacks that rotate": _rotate,
    "two that know different tokens": _rotate_unlike,
    "a stack and a playbook": _beside_playbook,
}


def _race(
    site: Site, meeting: _Meeting, path: str, where: str, report: Report, others: set[str] | None = None
) -> int:
    before = minted(site.emulator)
    meeting.call()
    _end([_up(stack) for stack in site.stacks], where, report)
    new = minted(site.emulator) - before
    return _check(site, meeting, path, where, new, site.known(), others or set(), report)


def _check(
    site: Site,
    meeting: _Meeting,
    path: str,
    where: str,
    new: set[str],
    told: set[str],
    others: set[str],
    report: Report,
) -> int:
    """Check what a race came to; both know the stored token, or one of `others`."""
    stored = hashes({site.token(path)})
    report.expect(meeting.met, f"{where}: they did not meet")
    report.expect(new == stored, f"{where}: {len(new)} mints, of which the place holds {len(new & stored)}")
    report.expect(stored <= told <= stored | hashes(others), f"{where}: {len(told)} tokens are known")
    report.expect(not site.spooled(), f"{where}: pending: {site.spooled()}")
    return len(new)


def _up(stack: Workspace) -> subprocess.Popen[str]:
    return stack.start("up", "--yes", "--skip-preview")


def _end(started: list[subprocess.Popen[str]], where: str, report: Report) -> None:
    for process in started:
        out, err = process.communicate(timeout=_PATIENCE)
        report.expect(process.returncode == 0, f"{where}: one fails: {(out + (err or ''))[-600:]}")
