# SPDX-License-Identifier: BSD-2-Clause
"""Mitogen, which runs modules in a process of its own making."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.testkit.playbook import Ansible, alert, link, logs, token, wallet
from tools.emulator.client import Emulator

mitogen = pytest.importorskip("ansible_mitogen", reason="the session `slow` has it")
pytestmark = pytest.mark.slow


def test_each_module(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    emulator.options(links="token")
    strategies = Path(mitogen.__file__).parent / "plugins" / "strategy"
    ansible.environment |= {"ANSIBLE_STRATEGY_PLUGINS": str(strategies), "ANSIBLE_STRATEGY": "mitogen_linear"}
    path = str(tmp_path / "token")
    tasks = [
        token("token", path=path),
        token("adopted", token="{{ token.token }}"),
        wallet("wallet", path=path, details=False),
        alert("alert", token="{{ token.token }}", threshold=5),
        logs("logs", path=path),
        link("link", token="{{ token.token }}"),
    ]
    run = ansible.play(*tasks, options=("-vvv", "--diff"))
    minted = Path(path).read_text().strip()
    assert run["token"]["token"] == minted
    assert run.done("token", "adopted") == [(True, "minted"), (False, "adopted")]
    assert (run["wallet"]["wallet"], run["alert"]["cost"], run["logs"]["spent"]) == (100, 2, 2)
    assert minted in run["link"]["url"]
    assert not run.finds(minted)
    assert ansible.play(token(path=path))["result"]["status"] == "kept"
