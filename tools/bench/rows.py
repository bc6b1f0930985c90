# SPDX-License-Identifier: BSD-2-Clause
"""The rows of the benchmark: what is run, for which numbers of tokens."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.testkit.pulumi_workspace import Workspace
from tools.checkout import collections_path

HERE = Path(__file__).resolve().parent
PHASES = ("new", "again")
CONCURRENCY = 8  # the default of echovalue_token
DYNAMIC_THREADS = 4  # in which the SDK of Pulumi calls the provider of a dynamic resource


@dataclass(frozen=True)
class Command:
    """A command that is timed."""

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Site:
    """Where a row is run: an empty folder, a service, a number of tokens."""

    folder: Path
    url: str
    count: int


Commands = Callable[[str], list[Command]]
Prepare = Callable[[Site], Commands]


@dataclass(frozen=True)
class Row:
    """A way to provision tokens, for `counts` of them; others between those, or up to `most`, may be requested.

    `prepare` makes ready, and returns a function of the phase, "new" or "again", that gives the
    commands whose time is summed up. `process` is a part of the command line by which the process
    whose memory counts is known.
    """

    part: str
    name: str
    title: str
    counts: tuple[int, ...]
    process: str
    prepare: Prepare
    phases: tuple[str, ...] = PHASES
    most: int | None = None


def ansible_environment(folder: Path, url: str) -> dict[str, str]:
    """Return what a command of Ansible sees that keeps all it writes in a folder."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": collections_path(),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ECHOVALUE_BASE_URL": url,
        "HOME": str(folder),  # where the spool is
    }


def _ansible(site: Site, program: str, *arguments: str) -> Commands:
    """Return a command of Ansible, the same in each phase."""
    tokens = site.folder / "tokens"
    tokens.mkdir()
    inventory = site.folder / "inventory"
    inventory.write_text(f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    values = {
        "base_url": site.url,
        "concurrency": CONCURRENCY,
        "tokens": [{"path": str(tokens / f"token{n}")} for n in range(site.count)],
        "secrets": [{"hashi_vault": {"path": f"{site.folder.name}/token{n}"}} for n in range(site.count)],
    }
    (site.folder / "values.json").write_text(json.dumps(values))
    environment = ansible_environment(site.folder, site.url)
    program = str(Path(sys.executable).with_name(program))
    call = (program, *arguments, "-i", str(inventory), "-e", f"@{site.folder}/values.json")
    return lambda _phase: [Command(call, site.folder, environment)]


def _playbook(name: str) -> Prepare:
    return lambda site: _ansible(site, "ansible-playbook", str(HERE / name))


def _ping(site: Site) -> Commands:
    return _ansible(site, "ansible", "localhost", "-m", "ansible.builtin.ping")


def _after_ping(*program: str) -> Prepare:
    def prepare(site: Site) -> Commands:
        ping = _ping(site)
        wheres = {"file": str(site.folder / "kept"), "openbao": site.folder.name}

        def commands(phase: str) -> list[Command]:
            rest = (site.url, phase, str(site.count), str(CONCURRENCY), wheres.get(program[-1], ""))
            return [*ping(phase), Command((sys.executable, *program, *rest), site.folder, os.environ)]

        return commands

    return prepare


def _up(program: str, *, native: bool = False) -> Prepare:
    def prepare(site: Site) -> Commands:
        workspace = Workspace(site.folder, site.url)
        if native:
            workspace.project("python")
        head = f"COUNT = {site.count}\nPREFIX = {site.folder.name!r}\n"
        (workspace.root / "__main__.py").write_text(f"{head}{program}")
        up = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color=never")
        environment = {**workspace.environment, "HOME": str(site.folder)}  # where the spool is
        return lambda _phase: [Command(up, workspace.root, environment)]

    return prepare


def _up_and_bare_calls(program: str, *, native: bool = False) -> Prepare:
    """Tokens in the state; and what a place in OpenBao must ask of it, in as many threads as a dynamic resource has."""

    def prepare(site: Site) -> Commands:
        up = _up(program, native=native)(site)
        arguments = ("openbao", site.url, "bare", str(site.count), str(DYNAMIC_THREADS), site.folder.name)
        bare = Command((sys.executable, str(HERE / "floor.py"), *arguments), site.folder, os.environ)
        return lambda phase: [*up(phase), *([bare] if phase == "new" else [])]

    return prepare


OURS = """
import pulumi_echovalue as echovalue

for number in range(COUNT):
    echovalue.Token(f"token{number}")
"""

NATIVE = """
import pulumi

for number in range(COUNT):
    pulumi.CustomResource("echovalue:index:Token", f"token{number}", {"token": None, "hash": None})
"""

PLACED = """
import pulumi_echovalue as echovalue

for number in range(COUNT):
    echovalue.Token(f"token{number}", place={"hashi_vault": {"path": f"{PREFIX}/token{number}"}})
"""

NATIVE_PLACED = """
import pulumi

for number in range(COUNT):
    place = {"hashiVault": {"path": f"{PREFIX}/token{number}"}}
    pulumi.CustomResource("echovalue:index:Token", f"token{number}", {"place": place, "hash": None})
"""

ALERT = """
import pulumi_echovalue as echovalue

echovalue.WalletAlert("low", token=echovalue.Token("token"), threshold=50, email="ops@example.com")
"""

IDLE = """
from tools.bench.idle import Idle

for number in range(COUNT):
    Idle(f"idle{number}")
"""

ENGINE = """
import pulumi

for number in range(COUNT):
    pulumi.ComponentResource("bench:Nothing", f"nothing{number}")
"""

MODULE = "AnsiballZ_"
FLOOR, IMPORT = str(HERE / "floor.py"), ("-c", "import hvac")
PROVIDER = "pulumi.dynamic"
PLUGIN = "pulumi-resource-echovalue"

# All rows of one part and count are run one after the other, then again: so they are paired.
ROWS = (
    Row("ansible", "ping", "ansible -m ping", (0,), MODULE, _ping, ("new",)),
    Row("ansible", "uri", "one `uri` task", (1,), MODULE, _playbook("uri.yml"), ("new",)),
    Row("ansible", "single", "ours, one task", (1,), MODULE, _playbook("single.yml")),
    Row("ansible", "alert", "ours, one token and its alert", (1,), MODULE, _playbook("alert.yml")),
    Row("ansible", "floor", "the floor", (1, 10, 50, 100, 1000), "floor.py", _after_ping(FLOOR, "file")),
    Row("ansible", "bulk", "ours in bulk", (0, 1, 10, 50, 100, 1000), MODULE, _playbook("bulk.yml")),
    Row("ansible", "loop", "ours in a loop", (1, 10, 100), MODULE, _playbook("loop.yml"), most=1000),
    Row("ansible", "today", "today's playbook", (1, 10, 50), MODULE, _playbook("today.yml")),
    Row(
        "openbao",
        "start",
        "`ansible -m ping` and `import hvac`",
        (1,),
        MODULE,
        _after_ping(*IMPORT),
        ("new",),
    ),
    Row("openbao", "role", "ours, by the role", (1,), MODULE, _playbook("openbao_role.yml")),
    Row("openbao", "floor", "the floor", (1, 50), "floor.py", _after_ping(FLOOR, "openbao")),
    Row("openbao", "bulk", "ours in bulk", (1, 50), MODULE, _playbook("openbao.yml")),
    Row("pulumi", "engine", "the engine alone", (0, 1, 100, 1000), PROVIDER, _up(ENGINE)),
    Row("pulumi", "idle", "a resource that does nothing", (1, 100, 1000), PROVIDER, _up(IDLE)),
    Row("pulumi", "token", "ours", (1, 100, 1000), PROVIDER, _up(OURS)),
    Row("pulumi", "alert", "ours, one token and its alert", (1,), PROVIDER, _up(ALERT)),
    Row("pulumi", "native", "ours, native", (1, 100, 1000), PLUGIN, _up(NATIVE, native=True)),
    Row("placed", "state", "ours, in the state, and bare calls to OpenBao", (1, 100), PROVIDER, _up_and_bare_calls(OURS)),
    Row("placed", "place", "ours, in OpenBao", (1, 100), PROVIDER, _up(PLACED)),
    Row(
        "placed", "native state", "ours, native, in the state, and bare calls to OpenBao", (1, 100), PLUGIN,
        _up_and_bare_calls(NATIVE, native=True),
    ),
    Row("placed", "native", "ours, native, in OpenBao", (1, 100), PLUGIN, _up(NATIVE_PLACED, native=True)),
)  # fmt: skip
