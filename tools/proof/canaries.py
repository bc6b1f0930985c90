# SPDX-License-Identifier: BSD-2-Clause
"""Play every command with every place, in every verbosity; then search all that it left for what is secret."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ansible.release import __version__ as core

from tests.testkit.hunt import files_in, hunt, noting_processes, watched
from tests.testkit.places import PLACES, Place
from tests.testkit.playbook import Ansible, Run, Task, alert, link, logs, role, token, wallet
from tools.emulator.client import Emulator
from tools.proof import canaries_placed, canaries_pulumi
from tools.proof.report import Report
from tools.proof.search import search

ADOPTED = "c0ffee+c0ffee/c0ffee=c0ffee&c0ffee%c0ffee"  # each encoding changes it
UNKNOWN = "badc0de0badc0de0badc0de0badc0de0"
HOOK = {
    "url": "https://hooks.example.com/services/deadbeefdeadbeefdeadbeef",
    "headers": {"Authorization": "Bearer facefeedfacefeedfacefeed"},
    "options": {"routing_key": "cafebabecafebabecafebabe"},
    "format": "pagerduty",
}
_OF_THE_HOOK = {"deadbeefdeadbeefdeadbeef", "facefeedfacefeedfacefeed", "cafebabecafebabecafebabe"}

# Where a secret belongs, by patterns of names, and why.
ALLOWED = {
    "play.yml": "the playbook that gives it",
    "registered": "what the playbook saves of its results",
    "place/app.token*": "token files, and their backups",
    "place/kept*": "what the program of `command` keeps",
    "place/age-key": "the key of SOPS",
    "password": "the vault password",
    ".echovalue/spool/*.replaced": "a former token, of a place that keeps none itself",
}
# With ANSIBLE_KEEP_REMOTE_FILES a module's arguments stay on the target, as its user asked for.
_KEPT_MODULES = {"remote/*": "modules with their arguments, which were to be kept"}


@dataclass(frozen=True)
class How:
    """A way to run ansible-playbook."""

    words: str
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, str] = field(default_factory=dict)


_CALLBACKS = {
    "ANSIBLE_CALLBACKS_ENABLED": "capture,junit,tree,community.general.log_plays",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    "ANSIBLE_CALLBACK_TREE_DIR": "tree",
    "ANSIBLE_LOG_FOLDER": "plays",
    "JUNIT_HIDE_TASK_ARGUMENTS": "true",  # else it writes down what the playbook's own text says
    "JUNIT_OUTPUT_DIR": "junit",
}
LOUDEST = How("-vvvv --diff", ("-vvvv", "--diff"))
_HOWS = (
    How("--diff", ("--diff",)),
    How("-v, callback minimal", ("-v",), {"ANSIBLE_STDOUT_CALLBACK": "minimal"}),
    How("-vvv, callback json", ("-vvv",), {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}),
    How("-vvvv, callbacks junit, tree, log_plays", ("-vvvv", "--diff"), _CALLBACKS),
    How("--check -vvv", ("--check", "--diff", "-vvv")),
    How(
        "-vvvvvv, ANSIBLE_KEEP_REMOTE_FILES", ("-vvvvvv",), {"ANSIBLE_KEEP_REMOTE_FILES": "1"}, _KEPT_MODULES
    ),
)


def run(short: bool) -> Report:
    """Run the experiment, both halves at once; then what is in no state."""
    report = Report("Canaries")
    with Emulator(links="token") as one, Emulator(links="token") as other, ThreadPoolExecutor(2) as pool:
        halves = [
            pool.submit(_play_all, one, report, short),
            pool.submit(canaries_pulumi.play, other, report, short),
        ]
        for half in halves:
            half.result()
    with Emulator(links="token") as emulator:  # by itself: the logins are in the environment of this process
        canaries_placed.play(emulator, report, short)
    return report


def _play_all(emulator: Emulator, report: Report, short: bool) -> None:
    for kind in ("file",) if short else PLACES:
        if kind != "pass":  # is `command`
            for how in _HOWS if kind == "file" and not short else (LOUDEST,):
                play(kind, how, emulator, report)


@contextmanager
def _stage(kind: str, how: How, emulator: Emulator) -> Iterator[tuple[Ansible, Place]]:
    """Run the server of a place, apart; yield a controller in a folder of its own, and the place."""
    prefix = "ev-"  # short, for Ansible makes sockets there
    with (
        tempfile.TemporaryDirectory(prefix=prefix) as name,
        tempfile.TemporaryDirectory(prefix=prefix) as apart,
        PLACES[kind].server(Path(apart)) as server,
    ):
        ansible = Ansible(Path(name), emulator.url)
        for folder in ("place", "tmp"):
            Path(name, folder).mkdir()
        place = PLACES[kind](server, Path(name, "place"))
        Path(name, "password").write_text("the password of the experiments")
        ansible.environment.update(
            {"ANSIBLE_VAULT_PASSWORD_FILE": f"{name}/password", "TMPDIR": f"{name}/tmp"}
            | place.environment
            | how.environment
        )
        ansible.prefix = noting_processes(Path(name, "processes"))
        yield ansible, place


def play(kind: str, how: How, emulator: Emulator, report: Report) -> None:
    """Play all commands with a place; search all that they left, the arguments of each program too."""
    for known in (ADOPTED, UNKNOWN):
        emulator.register(known)
    emulator.forget(emulator.register(UNKNOWN))
    with _stage(kind, how, emulator) as (ansible, place):
        directory = ansible.directory
        folders = [directory / name for name in ("ansible", "remote", "tmp")]
        with watched(*folders) as seen:
            played = [ansible.play(*_tasks(kind, place), options=how.options)]
            if kind not in ("file", "ansible_vault"):  # a token that cannot be put in its place
                place.refuse()
                played.append(
                    ansible.play(
                        token("stuck", "--check" not in how.options, regenerate="always", **place.options),
                        options=how.options,
                    )
                )
                place.accept()
                played.append(ansible.play(token("taken", **place.options), options=how.options))
        secrets = {ADOPTED, UNKNOWN, *_OF_THE_HOOK, *place.secrets, *_tokens_of(played)}
        where = {
            "the screen, the log and callbacks": "".join(run.shown for run in played).encode(),
            "the system log": "".join(run.syslog for run in played).encode(),
            "temporary files": b"\n".join(
                one.content for one in seen if one.is_open or not _belongs(one.content)
            ),
            **files_in(directory, ALLOWED | how.allowed),
        }
        report.expect(
            hunt(secrets, {"what is saved": directory / "registered"}),
            f"{kind}: the search finds nothing where it must",
        )
    row = (f"Ansible, core {core}", kind, how.words)
    search(f"Ansible, {kind}, {how.words}", row, secrets, where, report)


def _belongs(content: bytes) -> bool:
    """Return whether a private temporary file may hold secrets: a module with its arguments, while it runs."""
    return b"ANSIBLE_MODULE_ARGS" in content


def _tokens_of(played: list[Run]) -> set[str]:
    """Return all tokens that were registered."""
    results = [result for run in played for result in run.registered.values()]
    entries = [entry for result in results for entry in [result, *result.get("tokens", [])]]
    return {entry["token"] for entry in entries if entry.get("token")}


def _tasks(kind: str, place: Place) -> list[Task]:
    """Return each thing that can be done, and what can go wrong."""
    named = place.options
    tasks = [
        token("new", **named),
        token("again", **named),
        role({"echovalue_token_store": place.store, **place.variables}),
        token("rotated", regenerate="always", **named),
        token("adopted", token=ADOPTED, **named),
        token("refused", True, token=UNKNOWN, **named),
        token("away", True, base_url="http://127.0.0.1:1", retries=0, **named),
        wallet("placed", details=False, forecast=True, **named),
        link("link_placed", **named),
        alert("alert_placed", threshold=40, **named),
        logs("logs_placed", **named),
        wallet("wallets", True, tokens=[{"name": "one", **named}, {"name": "dead", "token": UNKNOWN}]),
        token("handed"),
        wallet("wallet", token=ADOPTED),
        wallet("wallet_refused", True, token=UNKNOWN),
        link("link", token=ADOPTED, amount=3),
        link("link_refused", True, token=UNKNOWN),
        alert("alert", token=ADOPTED, threshold=50, email="ops@example.com", webhook=HOOK),
        alert("alert_refused", True, token=UNKNOWN, webhook=HOOK),
        alert("alert_wrong", True, token=ADOPTED, webhook={**HOOK, "url": HOOK["headers"]}),
        logs("logs", token=ADOPTED, n=50),
        logs("logs_refused", True, token=UNKNOWN),
    ]
    if kind == "file":
        items = [{"path": f"{named['path']}-{number}"} for number in range(3)]
        tasks.append(token("many", tokens=items))
        tasks.append(token("some", True, tokens=[*items, {"path": "/proc/none/token"}]))
    if kind == "ansible_vault":
        items = [{**named, "variable": name} for name in "ab"]
        tasks.append(token("many", tokens=items))
        tasks.append(token("some", True, tokens=[*items, {**named, "variable": "c", "token": UNKNOWN}]))
    if kind != "command":
        tasks.append(token("removed", state="absent", **named))
    return tasks
