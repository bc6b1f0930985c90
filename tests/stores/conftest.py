# SPDX-License-Identifier: BSD-2-Clause
"""Real servers, started once for each worker, with a place as new for each test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.ansible.conftest import _emulator, emulator  # noqa: F401 - fixtures
from tests.testkit.gate import gate
from tests.testkit.places import PLACES, Pass, Place
from tests.testkit.playbook import Ansible, Run, token
from tools.emulator.client import Emulator

MakePlace = Callable[..., Any]
AtTheMint = list[Callable[[], object]]


class Controller(Ansible):
    """A controller with a home and a spool of its own."""

    emulator: Emulator

    @property
    def spool(self) -> list[Path]:
        """What is in the spool."""
        return sorted((self.directory / ".echovalue" / "spool").glob("*"))

    @property
    def pending(self) -> list[Path]:
        """The tokens that wait in the spool."""
        return [path for path in self.spool if path.suffix == ".token"]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files; its path is short, for Ansible makes sockets there."""
    with tempfile.TemporaryDirectory(prefix="ev-") as name:
        yield Path(name)


def controller(directory: Path, temporary: Path, emulator: Emulator) -> Controller:  # noqa: F811
    """Return a controller that works in `directory`."""
    directory.mkdir()
    ansible = Controller(directory, emulator.url)
    ansible.emulator = emulator
    ansible.environment["TMPDIR"] = str(temporary)
    return ansible


@pytest.fixture
def ansible(tmp_path: Path, temporary: Path, emulator: Emulator) -> Controller:  # noqa: F811
    """A controller."""
    return controller(tmp_path / "one", temporary, emulator)


@pytest.fixture
def other_ansible(tmp_path: Path, temporary: Path, emulator: Emulator) -> Controller:  # noqa: F811
    """Another controller, with another home."""
    return controller(tmp_path / "two", temporary, emulator)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """The server of a store, started when it is asked for."""
    started: dict[Any, Any] = {}
    with ExitStack() as stack:

        def server(store: str) -> Any:
            start = PLACES[store].server
            if start not in started:
                started[start] = stack.enter_context(start(tmp_path_factory.mktemp(store)))
            return started[start]

        yield server


@pytest.fixture
def make_place(servers: Callable[[str], Any], tmp_path: Path, ansible: Controller) -> Iterator[MakePlace]:
    """Make a place of a store; the controller gets its environment."""
    made: list[Place] = []

    def make(store: str, **options: Any) -> Any:
        directory = tmp_path / f"place{len(made)}"
        directory.mkdir()
        place = PLACES[store](servers(store), directory, **options)
        made.append(place)
        ansible.environment.update(place.environment)
        return place

    yield make
    for place in made:
        if isinstance(place, Pass):
            place.close()


@pytest.fixture
def at_the_mint(ansible: Controller, emulator: Emulator) -> Iterator[AtTheMint]:  # noqa: F811
    """What is called when the controller asks for a new token, before the service hears of it."""
    actions: AtTheMint = []

    def see(operation: str, _body: bytes) -> None:
        for action in actions if operation == "POST /token" else ():
            action()

    with gate(emulator.url, see) as running:
        ansible.environment["ECHOVALUE_BASE_URL"] = running.url
        yield actions


def stores(*names: str) -> pytest.MarkDecorator:
    """Run a test for each of these stores; those with Kubernetes can be chosen by its marker."""
    params = [
        pytest.param(name, marks=getattr(pytest.mark, name) if name == "kubernetes" else ()) for name in names
    ]
    return pytest.mark.parametrize("store", params)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str:
    """The store of a class of tests; a test for several stores has it as a parameter."""
    return str(request.cls.store)


@pytest.fixture
def place(make_place: MakePlace, store: str) -> Place:
    """The place of a test."""
    return make_place(store)


def failing(*options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return tasks that are to fail, `case0` and so on."""
    return [token(f"case{number}", ignore_errors=True, **each) for number, each in enumerate(options)]


def failures(
    ansible: Controller, *cases: tuple[dict[str, Any], str] | tuple[dict[str, Any], str, str]
) -> Run:
    """Make sure that a task with these options fails before any request, with this in its text, in each case.

    The place refuses, unless a reason comes before the text. Those cases are items of one task, where none
    may stop another.
    """
    together = [case for case in cases if len(case) == 2 and len(case[0]) == 1]
    alone = [case for case in cases if case not in together]
    before = ansible.emulator.stats()["total"]
    run = ansible.play(
        token("together", ignore_errors=True, tokens=[case[0] for case in together]),
        *failing(*(case[0] for case in alone)),
        options=("-vvv",),
    )
    results = [*run["together"].get("tokens", []), *(run[f"case{number}"] for number in range(len(alone)))]
    for (options, *reasons, text), result in zip([*together, *alone], results):
        (reason,) = reasons or ("store",)
        assert (result["failed"], result["reason"]) == (True, reason), (options, result)
        assert text in result["msg"], (options, result["msg"])
        assert "Traceback" not in result["msg"]
    assert len(results) == len(cases)
    assert ansible.emulator.stats()["total"] == before
    return run
