# SPDX-License-Identifier: BSD-2-Clause
"""Two stacks whose tokens are in OpenBao, one stack of each half, and a playbook beside them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import hvac

from tests.testkit.gate import gate
from tests.testkit.playbook import Ansible
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import openbao_server
from tools.emulator.client import Emulator
from tools.proof import programs


@dataclass(frozen=True)
class Site:
    """Two stacks, one of each half, and a playbook, with one home and one store."""

    emulator: Emulator
    kv: Any
    url: str
    login: str
    dynamic: Workspace
    native: Workspace
    ansible: Ansible

    @property
    def stacks(self) -> tuple[Workspace, Workspace]:
        return self.dynamic, self.native

    def write(self, path: str, keepers: str, name: str = "", *, reads: bool = False) -> None:
        """Make the programs of both stacks: a token in the place at `path`, with its name unless there is a `name`."""
        places = {name or path: {"hashi_vault": {"path": path}}}
        for half, stack in zip(programs.HALVES, self.stacks):
            programs.write(stack, half, places, keepers, reads=reads)

    def token(self, path: str) -> str:
        """Return the token that the place holds."""
        found = self.kv.read_secret_version(path, raise_on_deleted_version=True)
        return str(found["data"]["data"]["token"])

    def known(self, *stacks: Workspace) -> set[str]:
        """Return the hashes that the states have."""
        return {
            resource["outputs"]["hash"]
            for stack in stacks or self.stacks
            for resource in stack.resources().values()
        }

    def spooled(self) -> list[str]:
        """Return what is pending."""
        return [path.name for path in self.ansible.directory.glob(".echovalue/spool/*.token")]


@contextmanager
def one_site(emulator: Emulator, see: Callable[[str], object]) -> Iterator[Site]:
    """Run an OpenBao behind a gate, which asks `see` of each request, and make two empty stacks."""
    with tempfile.TemporaryDirectory(prefix="ev-") as name, openbao_server(Path(name)) as server:
        folders = [Path(name, one) for one in ("dynamic", "native", "home")]
        for folder in folders:
            folder.mkdir()
        dynamic, native, home = folders
        with (
            gate(server.address, lambda operation, _body: see(operation)) as front,
            mock.patch.dict(os.environ, VAULT_ADDR=front.url, VAULT_TOKEN=server.token, HOME=str(home)),
        ):
            yield Site(
                emulator,
                hvac.Client(server.address, server.token).secrets.kv.v2,
                front.url,
                server.token,
                Workspace(dynamic, emulator.url),
                Workspace(native, emulator.url),
                Ansible(home, emulator.url),
            )
