# SPDX-License-Identifier: BSD-2-Clause
"""The service for the reports, and the servers and programs that some of them need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ansible.conftest import _emulator, emulator  # noqa: F401 - fixtures
from tests.testkit.servers import kubernetes_server, openbao_server, secrets_manager_server


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An OpenBao."""
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield {"ADDR": server.address, "LOGIN": server.token}


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Secrets Manager."""
    with secrets_manager_server(tmp_path_factory.mktemp("aws")) as server:
        yield {"AWS": server.url}


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Two clusters."""
    with (
        kubernetes_server(tmp_path_factory.mktemp("one")) as one,
        kubernetes_server(tmp_path_factory.mktemp("two")) as two,
    ):
        yield {"ONE": str(one.kubeconfig), "TWO": str(two.kubeconfig)}


@pytest.fixture
def sops(tmp_path: Path) -> dict[str, str]:
    """An age key; `sops` itself is on PATH where the stores are tested."""
    import pyrage  # which only the stores' session has

    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "age-key"
    key.write_text(f"{identity}\n")
    return {"AGE_KEY_FILE": str(key), "AGE_RECIPIENT": str(identity.to_public())}
