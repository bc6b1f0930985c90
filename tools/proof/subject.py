# SPDX-License-Identifier: BSD-2-Clause
"""Runs the product's own code in a child process that strace can kill, or fail, at one system call.

The child is a fork of this process, which has imported everything: a run takes some hundredths of a
second. strace attaches where the work starts, so that a system call's number counts from there.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.plugins.loader import init_plugin_loader, lookup_loader
from ansible.template import Templar

from tools.checkout import collections_path
from tools.proof import stacks

init_plugin_loader([collections_path()])

from ansible.module_utils._internal._json._profiles import _module_legacy_m2c  # noqa: E402, F401
from ansible_collections.echovalue.cloud.plugins.module_utils.core import signals, transport  # noqa: E402, F401
from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import EchoValueError  # noqa: E402
from ansible_collections.echovalue.cloud.plugins.module_utils.core.models import token_hash  # noqa: E402, F401
from ansible_collections.echovalue.cloud.plugins.module_utils.task import many_tokens  # noqa: E402
from ansible_collections.echovalue.cloud.plugins.module_utils.task.failure import failure  # noqa: E402
from ansible_collections.echovalue.cloud.plugins.modules import echovalue_token  # noqa: E402
from ansible_collections.echovalue.cloud.plugins.plugin_utils import controller as controllers  # noqa: E402
from ansible_collections.echovalue.cloud.plugins.plugin_utils.ansible_vault import yaml_edit  # noqa: E402, F401
from ansible_collections.echovalue.cloud.plugins.plugin_utils.connections.run_context import RunContext  # noqa: E402

VAULT = VaultLib([("default", VaultSecret(b"the password of the experiments"))])

_CALL = re.compile(r"(\w+)\((.*)")
_MINT = "token=new"  # in the body of a request
_WRITTEN = re.compile(r"\b[0-9a-f]{32}\\n|ANSIBLE_VAULT")  # a token, whole or encrypted, goes into a file
_OUTPUT = ("1<", "2<")  # what is printed is Ansible's to deliver
_PATIENCE = 120  # seconds for one run, on a busy machine
# What a thread calls that starts another one and waits for it.
_WAITING = ("clone3", "clone", "futex", "rt_sigprocmask", "mmap", "mprotect", "munmap", "madvise")

# The threads of a run: the main one, the one that works on many tokens, and the (first) one that mints and writes.
MAIN, POOL, MINT = "main", "pool", "mint"


@dataclass(frozen=True)
class Call:
    """One system call of a recorded run: its name, and the how-manieth of that name it is."""

    name: str
    number: int
    arguments: str
    may_lose: bool  # a mint may be on its way, here or in a thread that is waited for, and in no file yet

    @property
    def words(self) -> str:
        """The call as a person says it."""
        return f"{self.name}#{self.number}"

    @property
    def file(self) -> str:
        """What the descriptor leads to that it gets first."""
        return self.arguments.partition("<")[2].partition(">")[0]


@dataclass(frozen=True)
class Ended:
    """How a run ended; `result` is what it printed, None where that is no JSON."""

    code: int  # the exit code, or minus the signal
    output: str
    calls: list[Call]
    stuck: bool

    @property
    def result(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.output.splitlines()[-1]))
        except (IndexError, ValueError):
            return {}


@dataclass
class Started:
    """A run under way."""

    child: int
    scratch: tempfile.TemporaryDirectory[str]
    tracer: subprocess.Popen[bytes] | None
    trace: bool

    def end(self) -> Ended:
        """Wait for its end."""
        code, stuck = _wait(self.child)
        if self.tracer is not None:
            self.tracer.wait(_PATIENCE)
        text = Path(self.scratch.name, "output").read_text()
        calls = list(_calls(Path(self.scratch.name, "trace"))) if self.trace else []
        self.scratch.cleanup()
        return Ended(code, text, calls, stuck)


def start(
    work: Callable[[], None], inject: str | None = None, *, trace: bool = False, thread: str = MAIN
) -> Started:
    """Call `work` in a child; in one of its threads strace injects what `inject` says, or records with `trace`."""
    scratch = tempfile.TemporaryDirectory(prefix="echovalue-proof-")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _be_the_child(work, Path(scratch.name, "output"), writer, thread if inject or trace else None)
    os.close(writer)
    with open(reader) as pipe:
        number = pipe.readline().strip()
    tracer = None
    if number:  # it waits to be attached to
        os.waitpid(child, os.WUNTRACED)
        tracer = _attach(number, Path(scratch.name, "trace"), inject)
        os.kill(child, signal.SIGCONT)
    return Started(child, scratch, tracer, trace)


def run(work: Callable[[], None], inject: str | None = None, **how: Any) -> Ended:
    """Start a run, and wait for its end."""
    return start(work, inject, **how).end()


def _be_the_child(work: Callable[[], None], output: Path, writer: int, thread: str | None) -> None:
    code = 1
    try:
        stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for the life of this process

        def wait_for_strace() -> None:
            os.write(writer, f"{threading.get_native_id()}\n".encode())
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

        if thread == POOL:
            many_tokens.ThreadPoolExecutor = partial(  # type: ignore[misc, assignment]
                many_tokens.ThreadPoolExecutor, initializer=wait_for_strace
            )
        elif thread == MINT:
            waiting = _first_waits(wait_for_strace)
            signals.Thread = stacks.signals.Thread = waiting  # type: ignore[misc]
        elif thread == MAIN:
            wait_for_strace()
        else:
            os.close(writer)
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001 - passed to the parent, as a traceback would be
        sys.stdout.write(f"Traceback {type(error).__name__}: {error}")
    finally:
        sys.stdout.flush()
        os._exit(code)


def _first_waits(wait: Callable[[], None]) -> type[threading.Thread]:
    """Return a class of threads, of which the first calls `wait` where it starts."""
    waiting = [wait]

    class Thread(threading.Thread):
        def run(self) -> None:
            if waiting:
                waiting.pop()()
            super().run()

    return Thread


def _attach(thread: str, record: Path, inject: str | None) -> subprocess.Popen[bytes]:
    command = ["strace", "-qq", "-y", "-s", "4096", "-p", thread, "-o", str(record)]
    tracer = subprocess.Popen(command + ([f"--inject={inject}"] if inject else []), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + _PATIENCE
    while "TracerPid:\t0" in Path(f"/proc/{thread}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("strace could not attach to the run")
        time.sleep(0.001)
    return tracer


def _wait(child: int) -> tuple[int, bool]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), False
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), True
        time.sleep(0.002)


def _calls(record: Path) -> Iterator[Call]:
    seen: Counter[str] = Counter()
    minting = waiting = False
    for line in record.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match:
            seen[match[1]] += 1
            waiting = match[1].startswith("clone") or (waiting and match[1] in _WAITING)
            yield Call(match[1], seen[match[1]], match[2], minting or waiting)
            minting = (minting or _MINT in match[2]) and not (
                "write" in match[1] and _WRITTEN.search(match[2])
            )


def from_first_touch(calls: list[Call], place: Path) -> list[Call]:
    """Return the calls of a recorded run from the first one that names the place on, or that mints."""
    named = re.compile(rf'(?<!\\)"{re.escape(str(place))}')  # as a path, not in the arguments that are read
    first = next(
        index for index, call in enumerate(calls) if named.search(call.arguments) or _MINT in call.arguments
    )
    return [call for call in calls[first:] if not call.arguments.startswith(_OUTPUT)]


def windows(calls: list[Call]) -> list[int]:
    """Return how many calls are in each window in which a token may be lost."""
    return [len(list(group)) for may_lose, group in groupby(calls, lambda call: call.may_lose) if may_lose]


def made_by(calls: list[Call], base: Path) -> list[str]:
    """Return the files under a folder that a recorded run made."""
    made = [re.search(r'"(.+)", [^"]*O_CREAT', call.arguments) for call in calls if call.name == "openat"]
    return [one[1] for one in made if one and one[1].startswith(f"{base}/")]


@contextmanager
def module(rescue: Path, **options: Any) -> Iterator[Callable[[], None]]:
    """Yield what runs the module echovalue_token as a target does; `rescue` is its temporary directory."""
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as scratch:
        arguments = Path(scratch, "arguments.json")
        common = {"_ansible_remote_tmp": scratch, "_ansible_tmpdir": scratch, "retries": 0}
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**common, **options}}))

        def work() -> None:
            tempfile.tempdir = str(rescue)
            sys.argv = ["echovalue_token.py", str(arguments)]
            echovalue_token.main()

        yield work


@contextmanager
def controller(rescue: Path, **options: Any) -> Iterator[Callable[[], None]]:
    """Yield what does the work of echovalue_token on the controller, as its action plugin does."""
    specification = dict(controllers.OPTIONS)
    validator = ArgumentSpecValidator(specification.pop("argument_spec"), **specification)
    validated = validator.validate({"retries": 0, **options})
    assert not validated.error_messages, validated.error_messages
    params = validated.validated_parameters

    def find_lookup(name: str) -> Any:
        loader = DataLoader()
        return lookup_loader.get(name, loader=loader, templar=Templar(loader=loader))

    def work() -> None:
        tempfile.tempdir = str(rescue)
        run = RunContext({}, find_lookup, str, VAULT, False, params["backup"])
        try:
            result = controllers.provision_on_controller(params, run, lambda _warning: None)
        except EchoValueError as error:
            result = {"failed": True, **failure(error)}
        print(json.dumps(result))
        sys.exit(bool(result.get("failed")))

    yield work
