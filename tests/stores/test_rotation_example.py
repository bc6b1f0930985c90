# SPDX-License-Identifier: BSD-2-Clause
"""The example of a nightly rotation, as its pipeline runs it."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pytest

from tests.stores.conftest import Controller
from tests.testkit.ci_servers import Github
from tests.testkit.servers import openbao_server
from tests.testkit.web_server import running
from tools.checkout import ROOT
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "docs" / "examples" / "rotation"
OLD = "2024-02-29T23:59:59.77Z"


def test_a_nightly_rotation(ansible: Controller, emulator: Emulator) -> None:
    before = {known["hash"] for known in emulator.tokens()}
    playbook = ansible.directory / "nightly.yml"
    shutil.copy(EXAMPLE / "nightly.yml", playbook)
    directory = ansible.directory / "bao"
    directory.mkdir()
    with running(Github()) as github, openbao_server(directory) as server:
        ansible.environment.update(
            VAULT_ADDR=server.address,
            VAULT_TOKEN=server.token,
            GH_TOKEN=github.token,
            GITHUB_API_URL=github.url,
        )

        def night() -> str:
            process = ansible.start(playbook)
            screen, _nothing = process.communicate(timeout=120)
            assert process.returncode == 0, screen
            return screen

        assert "New tokens are in key token of secret/apps/shop" in night()
        first = github.opened("acme/shop")
        assert first
        quiet = night()
        assert "changed=0" in quiet
        assert "is due" not in quiet
        hashes = {known["hash"] for known in emulator.tokens()} - before
        shop = sha256(first.encode()).hexdigest()
        (search,) = hashes - {shop}
        for digest in hashes:
            emulator.set_created(digest, OLD)
        emulator.set_wallet(search, 5000)
        screen = night()
        second = github.opened("acme/shop")
        assert second not in (None, first)
        assert "key token of secret/apps/search/echovalue" in screen
        assert "is due. Spend its credits first" in screen
        assert "is due" in night(), "each night, until the credits are spent"
        assert github.opened("acme/shop") == second
        assert emulator.stats()["mints"] == 3
        for secret in (first, second, github.token, server.token):
            assert secret not in screen
