# SPDX-License-Identifier: BSD-2-Clause
"""An emulator for each worker, as new for each test; a real engine's workspace, searched for tokens in
clear when its test ends. No test may try to reach the internet.
"""

from __future__ import annotations

import importlib.util
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testkit.pulumi_workspace import Workspace
from tools.emulator.client import Emulator

EMULATOR_PYTHON = os.environ.get("EMULATOR_PYTHON", sys.executable)  # it runs on newer ones than the package


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with Emulator(python=EMULATOR_PYTHON) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, as after its start, with no token; the default service of this process."""
    _emulator.reset()
    for token in _emulator.tokens():
        _emulator.forget(token["hash"])
    _emulator.forgotten.clear()
    monkeypatch.setenv("ECHOVALUE_BASE_URL", _emulator.url)
    return _emulator


@pytest.fixture
def other(emulator: Emulator) -> Iterator[Emulator]:
    """Another service, that knows no token of the first."""
    with Emulator(python=EMULATOR_PYTHON) as other:
        yield other


@pytest.fixture(scope="session")
def _asked_for() -> Iterator[list[str]]:
    """Note what is asked of a proxy that connects to nowhere: such as the download of a plugin."""
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode(errors="replace").strip())

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as proxy,
        pytest.MonkeyPatch.context() as patch,
    ):
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        for name in ("HTTPS_PROXY", "https_proxy"):
            patch.setenv(name, f"http://127.0.0.1:{proxy.server_address[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1")  # the program, the engine and the provider talk to each other
        yield asked
        proxy.shutdown()


@pytest.fixture(autouse=True)
def _no_downloads(_asked_for: list[str]) -> Iterator[None]:
    """Fail where a test made something reach for the internet."""
    yield
    asked = _asked_for.copy()
    _asked_for.clear()
    assert asked == []


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not importlib.util.find_spec("pip"):  # as in an environment made by uv
        pytest.fail("The language host asks pip for the packages: install pip in this environment.")
    folder = tmp_path_factory.mktemp("template")
    Workspace(folder, "http://127.0.0.1:1")
    return folder


@pytest.fixture
def workspace(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, _template: Path
) -> Iterator[Workspace]:
    """A project with an empty stack; whatever its test did, no token may be anywhere in clear."""
    # With the token in the links too, so that a link in clear is found as well.
    emulator.options(links="token")
    workspace = Workspace(tmp_path, emulator.url, _template)
    monkeypatch.setenv("PATH", workspace.environment["PATH"])  # for the Automation API
    yield workspace
    hashes = {token["hash"] for token in emulator.tokens()} | emulator.forgotten
    assert hashes or not workspace.runs
    assert not workspace.finds(hashes=hashes)
