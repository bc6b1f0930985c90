# SPDX-License-Identifier: BSD-2-Clause
"""Real servers, started once for each worker, with a place as new for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ansible.conftest import _emulator, emulator  # noqa: F401 - fixtures
from tests.ansible.playbook import Ansible, Run, role
from tests.emulator.client import Emulator
from tests.engine import tool_path
from tests.engine.servers import Kubernetes, OpenBao, kubernetes_server, openbao_server
from tests.stores.kept import HashiVault, Kept, KubernetesSecret, Sops
from tests.stores.places import PLACES


class Controller(Ansible):
    """A controller with a home and a spool directory of its own, which plays the roles."""

    def provision(self, variables: dict[str, Any], **play: Any) -> Run:
        """Play the role echovalue_token; its result is `["echovalue_token_result"]`."""
        return self.play(role(variables), also=("echovalue_token_result",), **play)

    @property
    def waiting(self) -> list[Path]:
        """What is in the spool directory."""
        return sorted((self.directory / ".echovalue" / "spool").glob("*"))


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files; its path is short, for Ansible makes sockets there."""
    with tempfile.TemporaryDirectory(prefix="ev-") as name:
        yield Path(name)


def controller(directory: Path, temporary: Path, emulator: Emulator) -> Controller:  # noqa: F811
    """Return a controller that works in `directory`."""
    directory.mkdir()
    ansible = Controller(directory, emulator.url)
    ansible.environment["PATH"] = os.pathsep.join([tool_path("sops"), ansible.environment["PATH"]])
    ansible.environment["TMPDIR"] = str(temporary)
    ansible.environment["SOPS_AGE_KEY_FILE"] = str(directory.parent / "sops" / "age-key")
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
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    with kubernetes_server(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture
def sops(tmp_path: Path) -> Iterator[Sops]:
    (tmp_path / "sops").mkdir()
    with PLACES["sops"](tmp_path / "sops") as variables:
        yield Sops(variables)


@pytest.fixture
def hashi_vault(openbao: OpenBao) -> HashiVault:
    return HashiVault(openbao)


@pytest.fixture
def kubernetes(cluster: Kubernetes) -> KubernetesSecret:
    return KubernetesSecret(cluster)


@pytest.fixture(params=["hashi_vault", "kubernetes", "sops"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Each store that is no file of the module's own."""
    return request.getfixturevalue(request.param)
