# SPDX-License-Identifier: BSD-2-Clause
"""Play every command with every place at the highest verbosity; then search all that it left for a token."""

from __future__ import annotations

import base64
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.ansible.playbook import Ansible, Task, link, token, wallet
from tests.emulator.client import Emulator
from tests.engine.servers import openbao_server
from tests.proof.places import CommandPlace, HashiVaultPlace, SopsPlace
from tests.proof.report import Report

ADOPTED = "c0ffeec0ffeec0ffeec0ffeec0ffee00"
UNKNOWN = "badc0de0badc0de0badc0de0badc0de0"
# Where a token belongs: the playbook that gives it, what that saves, the places themselves, and their backups.
_ALLOWED = ("play.yml", "registered", "place/*", "*/kept", "spool/*.replaced")


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Canaries")
    with tempfile.TemporaryDirectory(prefix="ev-") as name, Emulator(links="token") as emulator:
        directory = Path(name)
        ansible = Ansible(directory, emulator.url)
        (directory / "password").write_text("the password of the experiments")
        (directory / "place").mkdir()
        with openbao_server(Path(_made_directory(directory / "bao"))) as server:
            places = {
                "file": {"path": str(directory / "place" / "token")},
                "vault": {"vault_file": str(directory / "vault.yml")},
                "command": _made(CommandPlace(directory / "command")),
                "sops": _made(SopsPlace(directory / "sops")),
                "hashi_vault": HashiVaultPlace(directory / "hashi", server).options(),
            }
            ansible.environment.update(
                ANSIBLE_VAULT_PASSWORD_FILE=str(directory / "password"),
                TMPDIR=_made_directory(directory / "tmp"),
                **{key: os.environ[key] for key in ("PATH", "SOPS_AGE_KEY")},
            )
            for verbosity in ("-vvvv",) if short else ("", "-v", "-vvv", "-vvvv"):
                for kind, place in places.items():
                    if short and kind != "file":
                        continue
                    _play(ansible, emulator, kind, place, verbosity, report)
    return report


def _made(place: Any) -> dict[str, Any]:
    place.set(None)
    return dict(place.options())


def _made_directory(path: Path) -> str:
    path.mkdir()
    return str(path)


def _play(
    ansible: Ansible, emulator: Emulator, kind: str, place: dict[str, Any], verbosity: str, report: Report
) -> None:
    emulator.register(ADOPTED)
    spool = {"spool": str(ansible.directory / "spool")}
    options = tuple(filter(None, ("--diff", verbosity)))
    with _processes() as seen:
        ran = ansible.play(*_tasks(kind, {**place, **spool}), options=options, fails=False)
    told: set[str] = {ADOPTED, UNKNOWN}
    for result in ran.registered.values():
        told |= {entry["token"] for entry in [result, *result.get("tokens", [])] if entry.get("token")}
    where: dict[str, bytes] = {
        "the screen, the log and callbacks": ran.shown.encode(),
        "the system log": ran.syslog.encode(),
        "arguments and environments of processes": b"\n".join(seen),
        **{f"the file {path}": content for path, content in _files(ansible.directory)},
    }
    found = 0
    for place_of_find, content in where.items():
        for one in told:
            for form, needle in _forms(one).items():
                if needle in content:
                    found += 1
                    report.problems.append(f"{kind} {verbosity}: a token, {form}, in {place_of_find}")
    report.expect(len(told) > 4, f"{kind}: only {len(told)} tokens were to be searched for")
    report.rows.append(
        {
            "place": kind,
            "verbosity": verbosity or "none",
            "tokens": len(told),
            "forms of each": len(_forms(ADOPTED)),
            "bytes searched": sum(map(len, where.values())),
            "found": found,
        }
    )


def _tasks(kind: str, place: dict[str, Any]) -> list[Task]:
    """Return each thing that can be done, and what can go wrong."""
    tasks = [
        token("new", **place),
        token("again", **place),
        token("rotated", regenerate="always", **place),
        token("adopted", token=ADOPTED, **place),
        token("refused", True, token=UNKNOWN, **place),
        token("away", True, base_url="http://127.0.0.1:1", retries=0, **place),
        token("handed"),
        wallet("wallet", token="{{ adopted.token }}"),
        wallet("wallet_refused", True, token=UNKNOWN),
        link("link", token="{{ adopted.token }}"),
        link("link_refused", True, token=UNKNOWN),
    ]
    if kind == "file":
        items = [{"path": f"{place['path']}-{number}"} for number in range(3)]
        tasks.append(token("many", tokens=items))
        tasks.append(token("some", True, tokens=[*items, {"path": "/proc/none/token"}]))
    if kind == "vault":
        tasks.append(
            token("many", tokens=[{"vault_file": place["vault_file"], "variable": name} for name in "ab"])
        )
    if kind != "command":
        tasks.append(token("removed", state="absent", **place))
    return tasks


def _forms(one: str) -> dict[str, bytes]:
    """Return what a token could look like where somebody tried to hide it, or split it."""
    plain = one.encode()
    aligned = {
        f"in base64 at {shift}": base64.b64encode(b"\0" * shift + plain)[4 if shift else 0 : -4]
        for shift in range(3)
    }
    return {
        "plain": plain,
        "reversed": plain[::-1],
        "in hexadecimal": plain.hex().encode(),
        "its first half": plain[:16],
        "its last half": plain[16:],
        **aligned,
    }


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_file() and not any(fnmatch(name, allowed) for allowed in _ALLOWED):
            yield name, path.read_bytes()


@contextmanager
def _processes() -> Iterator[Iterable[bytes]]:
    """Collect arguments and environments of all processes that are seen meanwhile, but for this one's own."""
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for entry in os.scandir("/proc"):
                if entry.name.isdigit() and int(entry.name) != os.getpid():
                    for name in ("cmdline", "environ"):
                        try:
                            with open(f"/proc/{entry.name}/{name}", "rb") as file:
                                seen.add(file.read())
                        except OSError:
                            pass  # it has ended

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
