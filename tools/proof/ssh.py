# SPDX-License-Identifier: BSD-2-Clause
"""Real hosts over SSH: two users of this machine, made and removed here; only root can do that."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from tests.testkit.playbook import Ansible, token
from tools.emulator.client import Emulator
from tools.proof.report import Report
from tools.proof.scenarios import minted

_LOGIN, _OTHER = "evproof-login", "evproof-other"
_SUDOERS = Path("/etc/sudoers.d/echovalue-proof")
_PYTHON = "/usr/bin/python3"  # the system's own, which all users may run
_NEEDED = ("requests", "urllib3", "idna", "certifi", "charset_normalizer")


def run(short: bool) -> Report:
    """Run the experiment; there is no short form."""
    del short
    report = Report("On a real host, over SSH")
    with (
        tempfile.TemporaryDirectory(prefix="ev-") as name,
        Emulator() as emulator,
        _users(),
        _server(Path(name)) as port,
    ):
        base = Path(name)
        base.chmod(0o755)
        for package in _NEEDED:
            (folder,) = find_spec(package).submodule_search_locations or ()  # type: ignore[union-attr]
            shutil.copytree(folder, base / "site" / package)
        targets = _Targets(base, port, emulator, report)
        for become in ("", "root", _OTHER):
            for pipelining in (False, True):
                targets.provision(become, pipelining)
        targets.without_requests()
        targets.ten_hosts()
        for pipelining in (False, True):
            targets.cut(pipelining)
    return report


class _Targets:
    """Playbooks against the hosts; each method is a row of the table."""

    def __init__(self, base: Path, port: int, emulator: Emulator, report: Report) -> None:
        self._base = base
        self._emulator = emulator
        self._report = report
        self._number = 0
        self._ansible = Ansible(base, emulator.url)
        self._ansible.environment["ANSIBLE_REMOTE_TEMP"] = "~/.ansible/tmp"
        self._ansible.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(base / "cp")
        common = {
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": _LOGIN,
            "ansible_ssh_private_key_file": base / "key",
            "ansible_python_interpreter": _PYTHON,
            "ansible_ssh_common_args": "'-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null'",
        }
        words = " ".join(f"{name}={value}" for name, value in common.items())
        hosts = "".join(f"host{number} {words}\n" for number in range(10))
        (base / "inventory").write_text(f"{hosts}localhost ansible_connection=local\n")
        (base / "password").write_text("the password of the experiments")

    def provision(self, become: str, pipelining: bool) -> None:
        user = become or _LOGIN
        place = self._directory(user)
        path = place / "token"
        reported = []
        for status in ("minted", "kept"):
            ran = self._play(become, pipelining, path=str(path))
            reported.append(ran["result"].get("status"))
            self._report.expect(ran["result"].get("status") == status, f"{user}: {reported}, not {status}")
            self._report.expect(ran["result"].get("token") not in ran.shown, f"{user}: the token is shown")
        found = path.stat()
        self._report.expect(pwd.getpwuid(found.st_uid).pw_name == user, f"{user}: it is not the owner")
        self._report.expect(found.st_mode & 0o777 == 0o600, f"{user}: its mode is {found.st_mode:o}")
        words = f"become {become or 'nobody'}, pipelining {_on_or_off(pipelining)}"
        self._report.row(what=words, outcome=", ".join(reported))

    def without_requests(self) -> None:
        before = minted(self._emulator)
        ran = self._play("root", True, path=str(self._directory("root") / "token"), library=False, fails=True)
        self._report.expect("requests" in ran.screen, "a missing requests is not reported")
        self._report.expect(minted(self._emulator) == before, "a token was minted without requests")
        self._report.row(what="a target without requests", outcome="refused before the mint")

    def ten_hosts(self) -> None:
        before = minted(self._emulator)
        self._ansible.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self._base / "password")
        ran = self._play("", True, hosts="all:!localhost", vault_file=str(self._base / "vault.yml"))
        mints = len(minted(self._emulator) - before)
        self._report.expect(ran.code == 0 and mints == 1, f"ten hosts at once mint {mints} tokens")
        self._report.row(what="ten hosts at once, one vault_file", outcome=f"{mints} mint")

    def cut(self, pipelining: bool) -> None:
        """Cut the connection while the answer to the mint is on its way."""
        path = self._directory(_LOGIN) / "token"
        before = minted(self._emulator)
        self._emulator.fault("POST /token", "late", seconds=3)
        self._emulator.reset_stats()
        cutter = threading.Thread(target=self._cut_when_asked)
        cutter.start()
        ran = self._play("", pipelining, path=str(path), cut=True)
        cutter.join()
        self._report.expect("Traceback" not in ran.screen, f"cut: a traceback: {ran.screen[-300:]}")
        time.sleep(4)  # what goes on at the target comes to its end
        again = self._play("", pipelining, path=str(path))
        mints = len(minted(self._emulator) - before)
        self._report.expect(mints == 1, f"cut: {mints} tokens were minted")
        words = f"the connection is cut during the mint, pipelining {_on_or_off(pipelining)}"
        self._report.row(what=words, outcome=f"the next run: {again['result'].get('status')}")

    def _cut_when_asked(self) -> None:
        deadline = time.monotonic() + 60
        while self._ansible_is_not_there_yet() and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in psutil.process_iter(["name", "cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            if process.info["name"] == "sshd" and words.startswith(f"sshd: {_LOGIN}"):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)

    def _ansible_is_not_there_yet(self) -> bool:
        return not any(
            "echovalue_token" in " ".join(process.info["cmdline"] or []) or self._talks(process)
            for process in psutil.process_iter(["username", "cmdline"])
            if process.info["username"] == _LOGIN
        )

    def _talks(self, process: psutil.Process) -> bool:
        """Return whether a process has a connection to the service."""
        with suppress(psutil.Error):
            return any(
                one.raddr and one.raddr.port == self._emulator.port for one in process.net_connections("tcp")
            )
        return False

    def _play(
        self,
        become: str,
        pipelining: bool,
        *,
        hosts: str = "host0",
        library: bool = True,
        fails: bool = False,
        cut: bool = False,
        **options: Any,
    ) -> Any:
        self._ansible.environment["ANSIBLE_PIPELINING"] = str(pipelining)
        (self._base / "registered").unlink(missing_ok=True)
        self._base.chmod(0o777)  # each user saves there what was registered
        shutil.rmtree(self._base / "cp", ignore_errors=True)
        play: dict[str, Any] = {"hosts": hosts, "become": bool(become)}
        if become:
            play["become_user"] = become
        if library:
            play["environment"] = {"PYTHONPATH": str(self._base / "site")}
        task = token(base_url=self._emulator.url, ignore_errors=cut, **options)
        task["ignore_unreachable"] = cut
        try:
            return self._ansible.play(task, fails=fails, **play)
        finally:
            self._base.chmod(0o755)

    def _directory(self, user: str) -> Path:
        self._number += 1
        place = self._base / f"place{self._number}"
        place.mkdir(mode=0o755)
        shutil.chown(place, user)
        return place


def _on_or_off(pipelining: bool) -> str:
    return "on" if pipelining else "off"


@contextmanager
def _users() -> Iterator[None]:
    if os.geteuid() != 0:
        sys.exit("The experiment over SSH makes and removes two users, so it must run as root.")
    try:
        for user in (_LOGIN, _OTHER):
            subprocess.run(
                ["useradd", "--create-home", "--password", "*", "--shell", "/bin/sh", user], check=True
            )
        _SUDOERS.write_text(f"{_LOGIN} ALL=(ALL) NOPASSWD: ALL\n")
        yield
    finally:
        _SUDOERS.unlink(missing_ok=True)
        for user in (_LOGIN, _OTHER):
            subprocess.run(["userdel", "--force", "--remove", user], check=False, capture_output=True)


@contextmanager
def _server(base: Path) -> Iterator[int]:
    """Run an OpenSSH server on a free port of loopback, which lets one key in."""
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", base / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (base / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {base}/host_key\nPidFile none\nUsePAM no\n"
        f"StrictModes no\nAuthorizedKeysFile {base}/key.pub\nPasswordAuthentication no\nMaxStartups 50\n"
        f"AllowUsers {_LOGIN}\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(
        [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", base / "sshd_config"],
        stderr=subprocess.DEVNULL,
    )
    try:
        for _try in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()
