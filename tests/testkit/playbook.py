# SPDX-License-Identifier: BSD-2-Clause
"""Real `ansible-playbook` runs, and all that they showed and registered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable

from tests.testkit.hunt import hunt
from tools.checkout import collections_path

HERE = Path(__file__).resolve().parent
Task = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What one run of a playbook did: `shown` is the screen, the log file, all that callbacks got."""

    code: int
    screen: str
    shown: str
    syslog: str
    registered: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.registered[name]

    def done(self, *names: str) -> list[tuple[bool, str]]:
        """Return whether each of these results, or of all, is a change, and its status."""
        return [(self[name]["changed"], self[name]["status"]) for name in names or self.registered]

    def finds(self, *secrets: str) -> list[str]:
        """Return where a secret is seen."""
        return hunt(secrets, {"what is shown": self.shown, "the system log": self.syslog})


class Ansible:
    """Runs playbooks in a directory of their own.

    `EXAMPLE_PYTHON` and `EXAMPLE_COLLECTIONS` name another environment for it, and the collection installed there.
    """

    def __init__(self, directory: Path, base_url: str) -> None:
        self.directory = directory
        self.python = os.environ.get("EXAMPLE_PYTHON", sys.executable)
        self.prefix: tuple[str, ...] = ()  # a program that runs ansible-playbook
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("ANSIBLE_", "ECHOVALUE_"))
            },
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("EXAMPLE_COLLECTIONS") or collections_path(),
            "ANSIBLE_ACTION_PLUGINS": str(HERE / "actions"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "capture",
            "ANSIBLE_HOME": str(directory / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INJECT_INVOCATION": "true",  # as cores before 2.21 do
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOG_PATH": str(directory / "log"),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
            "CAPTURE_FILE": str(directory / "captured"),
            "ECHOVALUE_BASE_URL": base_url,
            "HOME": str(directory),
            "PYTHONPATH": str(HERE / "shims"),
            "SYSLOG_FILE": str(directory / "syslog"),
        }
        self.target = os.environ.get("TARGET_PYTHON", self.python)
        (directory / "inventory").write_text(
            f"localhost ansible_connection=local ansible_python_interpreter={self.target}\n"
        )

    def start(self, playbook: Path, *options: str, start_new_session: bool = False) -> subprocess.Popen[str]:
        """Start a playbook and return its process."""
        program = (*self.prefix, Path(self.python).parent / "ansible-playbook")
        return subprocess.Popen(
            [*program, "-i", self.directory / "inventory", playbook, *options],
            cwd=self.directory,
            env=self.environment,
            start_new_session=start_new_session,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def playbook(self, *tasks: Task, name: str = "play.yml", **play: Any) -> Path:
        """Write a playbook with a play, for `start`."""
        path = self.directory / name
        whole = {"hosts": "localhost", "gather_facts": False, "tasks": tasks, **play}
        path.write_text(json.dumps([whole]))
        return path

    def play(
        self,
        *tasks: Task,
        options: tuple[str, ...] = (),
        fails: bool = False,
        also: tuple[str, ...] = (),
        **play: Any,
    ) -> Run:
        """Run tasks as a play; return what it showed, and whole what they registered, and what `also` names."""
        for name in ("registered", "captured", "log", "syslog"):
            (self.directory / name).unlink(missing_ok=True)
        names = [*also, *(task["register"] for task in tasks if "register" in task)]
        save = {
            "name": "Save what was registered",
            "save": {"dest": str(self.directory / "registered"), "names": names},
            "no_log": True,
        }
        process = self.start(self.playbook({"block": list(tasks), "always": [save]}, **play), *options)
        screen, _nothing = process.communicate(timeout=300)
        assert (process.returncode != 0) == fails, screen
        return Run(
            process.returncode,
            screen,
            screen + self._content("log") + self._content("captured"),
            self._content("syslog"),
            json.loads(self._content("registered") or "{}"),
        )

    def _content(self, name: str) -> str:
        path = self.directory / name
        return path.read_text() if path.exists() else ""


def finished(*processes: subprocess.Popen[str]) -> list[str]:
    """Wait for processes that end well; return what each printed."""
    screens = [process.communicate(timeout=120)[0] for process in processes]
    assert not any(process.returncode for process in processes), screens
    return screens


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until `condition` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _task(module: str, /, register: str = "result", ignore_errors: bool = False, **options: Any) -> Task:
    """Return a task of a module."""
    return {
        "name": f"{module} {register}",
        f"echovalue.cloud.{module}": options,
        "register": register,
        "ignore_errors": ignore_errors,
    }


token, wallet, link, alert, logs = (
    partial(_task, f"echovalue_{name}")
    for name in ("token", "wallet_info", "recharge_link", "wallet_alert", "logs_info")
)


def checked(task: Task) -> Task:
    """Return the task as one of a check, which shows the difference."""
    return {**task, "check_mode": True, "diff": True}


def role(variables: dict[str, Any], name: str = "token", **task: Any) -> Task:
    """Return a task that plays a role."""
    return {
        "name": f"Play the role echovalue_{name}",
        "ansible.builtin.include_role": {"name": f"echovalue.cloud.echovalue_{name}"},
        "vars": variables,
        **task,
    }
