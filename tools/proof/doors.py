# SPDX-License-Identifier: BSD-2-Clause
"""Ways in: what others could plant, listen at, or slip in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from tests.testkit.raw_server import RawServer
from tools.emulator.client import Emulator
from tools.proof import subject
from tools.proof.places import CommandPlace, FilePlace, VaultPlace
from tools.proof.report import Report
from tools.proof.scenarios import ADOPTED, OLD

_NOBODY = 65534

# None of these is this machine, or none is a URL that two programs read alike.
_URLS = (
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://127.0.0.1@example.com",
    "http://example.com#@127.0.0.1",
    "http://example.com?@127.0.0.1",
    "http://127.0.0.1\\@example.com",
    "http://example.com\\@127.0.0.1",
    "http://0.0.0.0",
    "http://0",
    "http://[::]",
    "http://[::ffff:203.0.113.1]",
    "http://localhost\u3002example.com",
    "http://\u2488\u2488",
    "http://\uff11\uff12\uff17.0.0.1",
    "https://api.echovalue.dev\u2044@example.com",
    "https://api.echovalue.d\u0435v",
    "https://api.echovalue.dev\r\nX-Injected: 1",
    "https://api.echovalue.dev/\tpath",
    "https://user:secret@api.echovalue.dev",
    "https://[fe80::1%25eth0]",
    "https://api.echovalue.dev:99999",
    "https://",
    "//api.echovalue.dev",
    "ftp://api.echovalue.dev",
    "file:///etc/passwd",
)
_TOKENS = (
    f"{OLD}\r\nX-Injected: 1",
    f"{OLD}\nsecond line",
    f"{OLD}\0",
    f"{OLD} and more",
    f"{OLD}\u2028",
    f"\x1b[2J{OLD}",
    "\uff41" * 32,
    "x" * 513,
)


def run(short: bool) -> Report:
    """Run the experiment; it is as short as can be."""
    del short
    report = Report("Doors")
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name, Emulator() as emulator:
        Path(name).chmod(0o755)
        emulator.register(OLD)
        house = _House(Path(name, "base"), emulator, report)
        with house.command.ready():
            for words, door in _DOORS.items():
                before = len(report.problems)
                tries = door(house)
                report.row(door=words, tries=tries, open=len(report.problems) - before)
    return report


class _House:
    """The doors, each a method that returns how many ways in it tried."""

    def __init__(self, base: Path, emulator: Emulator, report: Report) -> None:
        self._emulator = emulator
        self._expect = report.expect
        self._file = FilePlace(base)
        self._vault = VaultPlace(base)
        self.command = CommandPlace(base)

    def urls(self) -> int:
        for url in _URLS:
            self._file.set(OLD)
            ended = self._run(base_url=url, timeout=1)
            self._expect(ended.result.get("reason") == "invalid_input", f"{url!r}: {ended.output[-200:]}")
        return len(_URLS)

    def tokens(self) -> int:
        self._emulator.reset_stats()
        for token in _TOKENS:
            self._file.set(None)
            ended = self._run(token=token)
            self._expect(ended.result.get("reason") == "invalid_input", f"{token!r}: {ended.output[-200:]}")
            self._file.paths[0].write_text(token)
            ended = self._run()
            self._expect(ended.result.get("reason") == "store", f"kept {token!r}: {ended.output[-200:]}")
        self._expect(self._emulator.stats()["total"] == 0, "a request was sent with what is no token")
        return 2 * len(_TOKENS)

    def server_text(self) -> int:
        forged = "FORGED\r\nok: [localhost]\x1b[2J"
        statuses = (200, 400, 401, 402, 429, 500, 503)
        for status in statuses:
            for old in (None, OLD):
                self._file.set(old)
                self._emulator.fault("*", "body", body=forged, status=status, times=0)
                ended = self._run()
                self._emulator.clear_faults()
                self._expect("FORGED" not in ended.output, f"{status}: {ended.output[-200:]}")
        return 2 * len(statuses)

    def redirect(self) -> int:
        statuses = (301, 302, 303, 307, 308)
        with RawServer(lambda _stream: None) as other:
            for status in statuses:
                for place in ("http://127.0.0.1", "//127.0.0.1", "http://localhost"):
                    self._file.set(OLD)
                    self._emulator.fault("*", "redirect", status=status, location=f"{place}:{other.port}/")
                    self._expect(self._run().code != 0, f"{status}: it is green")
                    self._emulator.clear_faults()
            self._expect(not other.accepted, "a redirect was followed")
        return 3 * len(statuses)

    def proxy(self) -> int:
        names = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
        with RawServer(lambda _stream: None) as other:
            for name in names:
                self._file.set(OLD)
                with mock.patch.dict(os.environ, {name: f"http://127.0.0.1:{other.port}"}):
                    self._expect(self._run().code == 0, f"{name}: it fails")
            self._expect(not other.accepted, "a proxy saw a token in clear")
        return len(names)

    def umasks(self) -> int:
        masks = (0o000, 0o002, 0o022, 0o077, 0o177, 0o777)
        for mask in masks:
            for place in (self._file, self.command):
                place.set(OLD)
                before = os.umask(mask)
                try:
                    with place.work(base_url=self._emulator.url, regenerate="always") as work:
                        ended = subject.run(work)
                finally:
                    os.umask(before)
                self._expect(ended.code == 0, f"umask {mask:o}: {ended.output[-200:]}")
                self._expect(not place.open_to_others(), f"umask {mask:o}: {place.open_to_others()}")
        return 2 * len(masks)

    def planted(self) -> int:
        plants: tuple[Callable[[Path, Path], None], ...] = (
            Path.symlink_to,
            Path.hardlink_to,
            lambda name, _target: name.mkdir(),
            lambda name, _target: os.mkfifo(name),
            lambda name, _target: name.symlink_to("/dev/zero"),
        )
        tries = 0
        for place in (self._file, self._vault, self.command):
            for old in (None, OLD):
                with place.work(base_url=self._emulator.url, regenerate="always") as work:
                    place.set(old)
                    names = subject.made_by(subject.run(work, trace=True).calls, place.base)
                    self._expect(names, f"{place.kind}: it makes no file")
                    for name in names:
                        for number, plant in enumerate(plants):
                            place.set(old)
                            target = place.base / "victim"
                            target.write_text(f"{ADOPTED}\n")
                            target.chmod(0o600)
                            plant(Path(name), target)
                            tries += 1
                            ended = subject.run(work)
                            where = f"plant {number} at {Path(name).name}"
                            self._expect(ended.code == 0, f"{where}: {ended.output[-200:]}")
                            intact = target.read_text() == f"{ADOPTED}\n"
                            self._expect(intact, f"{where}: what it leads to was written")
                            self._expect(place.current() != [ADOPTED], f"{where}: it became the token")
        return tries

    def shared_directory(self) -> int:
        for mode in (0o777, 0o1777):
            self._file.set(None)
            self._file.touched.chmod(mode)
            left = self._file.touched / ".token.new"
            left.write_text(f"{OLD}\n")
            os.chown(left, _NOBODY, _NOBODY)
            ended = self._run()
            self._expect(ended.code == 0, f"mode {mode:o}: {ended.output[-200:]}")
            self._expect(self._file.current() != [OLD], f"mode {mode:o}: what another user left is trusted")
        return 2

    def spool(self) -> int:
        self._emulator.reset_stats()
        ways: tuple[Callable[[Path], None], ...] = (
            lambda path: os.chown(path, _NOBODY, _NOBODY),
            lambda path: path.chmod(0o777),
            lambda path: path.chmod(0o770),
            lambda path: (path.rmdir(), path.write_text(""))[0],
        )
        for number, spoil in enumerate(ways):
            self.command.set(None)
            spoil(self.command.touched)
            with self.command.work(base_url=self._emulator.url) as work:
                ended = subject.run(work)
            self._expect(ended.result.get("reason") == "store", f"way {number}: {ended.output[-200:]}")
        self._expect(self._emulator.stats()["mints"] == 0, "a token was minted for an open spool")
        return len(ways)

    def _run(self, **options: object) -> subject.Ended:
        with self._file.work(**{"base_url": self._emulator.url, **options}) as work:
            return subject.run(work)


_DOORS = {
    "base URLs that only look right": _House.urls,
    "tokens that would inject a header": _House.tokens,
    "text of the service that would forge a line of a log": _House.server_text,
    "a redirect to another host": _House.redirect,
    "a proxy for plain http": _House.proxy,
    "every umask": _House.umasks,
    "links, pipes and folders planted at each temporary name": _House.planted,
    "a pending file of another user, where all may write": _House.shared_directory,
    "a spool that belongs to another user, or is open": _House.spool,
}
