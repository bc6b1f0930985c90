# SPDX-License-Identifier: BSD-2-Clause
"""A real place for each store of the role echovalue_token, with the variables that name it.

with PLACES["kubernetes"](tmp_path) as variables:
    ...  # play the role with these
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.engine import ensure
from tests.engine.servers import kubernetes_server, openbao_server

Variables = dict[str, Any]


@contextmanager
def file(directory: Path) -> Iterator[Variables]:
    """A file on the target."""
    yield {"echovalue_token_path": str(directory / "app.token")}


@contextmanager
def ansible_vault(directory: Path) -> Iterator[Variables]:
    """A vaulted file; the password comes with the run."""
    yield {"echovalue_token_vault_file": str(directory / "vault.yml")}


@contextmanager
def hashi_vault(directory: Path) -> Iterator[Variables]:
    """OpenBao."""
    with openbao_server(directory) as server:
        yield {
            "echovalue_token_hashi_vault_path": "app",
            "echovalue_token_hashi_vault_connection": {"url": server.address, "token": server.token},
        }


@contextmanager
def kubernetes(directory: Path) -> Iterator[Variables]:
    """A Kubernetes API server."""
    with kubernetes_server(directory) as server:
        yield {
            "echovalue_token_kubernetes_name": "app",
            "echovalue_token_kubernetes_connection": {"kubeconfig": str(server.kubeconfig)},
        }


@contextmanager
def sops(directory: Path) -> Iterator[Variables]:
    """A folder with creation rules for a new age key; the run finds the key by its environment."""
    keygen, key = ensure("sops") / "age-keygen", directory / "age-key"
    subprocess.run([keygen, "-o", key], capture_output=True, check=True)
    recipient = subprocess.run([keygen, "-y", key], capture_output=True, text=True, check=True).stdout
    (directory / ".sops.yaml").write_text(f"creation_rules: [{{age: {recipient.strip()}}}]\n")
    yield {"echovalue_token_sops_file": str(directory / "secrets.yaml")}


PLACES: dict[str, Callable[[Path], AbstractContextManager[Variables]]] = {
    place.__name__: place for place in (file, ansible_vault, hashi_vault, kubernetes, sops)
}
