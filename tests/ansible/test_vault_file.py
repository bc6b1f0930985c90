# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_token with vault_file: real vaults, one variable, never a plaintext on disk."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.hunt import hunt
from tests.testkit.playbook import Ansible, checked, finished, link, token, wallet
from tools.emulator.client import Emulator

ADOPTED = "given-token-0123456789abcdef"
BIN = Path(sys.executable).parent


class Vault:
    """A directory with a vaulted file, and two vault passwords."""

    def __init__(self, ansible: Ansible) -> None:
        self.ansible = ansible
        self.directory = ansible.directory / "group_vars"
        self.directory.mkdir()
        self.file = self.directory / "all.yml"
        for name in ("default", "prod"):
            (ansible.directory / f"{name}.password").write_text(f"password-{name}")
        self.options = (
            "--vault-id", f"default@{ansible.directory}/default.password",
            "--vault-id", f"prod@{ansible.directory}/prod.password",
        )  # fmt: skip

    def run(self, *tasks: Any, **play: Any) -> Any:
        return self.ansible.play(*tasks, options=(*self.options, "-vvv", "--diff"), **play)

    def task(self, register: str = "result", ignore_errors: bool = False, **options: Any) -> dict[str, Any]:
        return token(register, ignore_errors, vault_file="group_vars/all.yml", **options)

    def command(self, *arguments: str, text: str | None = None) -> str:
        return subprocess.run(
            [BIN / "ansible-vault", *arguments],
            env=self.ansible.environment,
            cwd=self.ansible.directory,
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def loaded(self, variable: str = "echovalue_token") -> str:
        """Return what a play of its own loads from group_vars."""
        show = {
            "name": "Load",
            "ansible.builtin.set_fact": {"loaded": f"{{{{ {variable} }}}}"},
            "register": "shown",
            "no_log": True,
        }
        return str(self.run(show)["shown"]["ansible_facts"]["loaded"])

    def encrypt_string(self, text: str, name: str, vault_id: str = "default") -> str:
        identity = f"{vault_id}@{self.ansible.directory}/{vault_id}.password"
        return self.command("encrypt_string", "--vault-id", identity, "--stdin-name", name, text=text)


@pytest.fixture
def vault(ansible: Ansible) -> Vault:
    return Vault(ansible)


@pytest.mark.essential
def test_a_life_in_a_plain_file(vault: Vault, emulator: Emulator) -> None:
    other = vault.encrypt_string("a secret of others", "other", "prod")
    before = f"---\n# why\nplain: 1   # kept\n{other}\nlast: [x]\n\n# end\n"
    vault.file.write_text(before)
    vault.file.chmod(0o640)
    run = vault.run(
        checked(vault.task("check")),
        vault.task("first"),
        checked(vault.task("check_again")),
        vault.task("again"),
        vault.task("rotated", regenerate="always", vault_id="prod"),
        vault.task("kept"),
    )
    first, rotated = run["first"], run["rotated"]
    assert run.done() == [
        *((True, "minted"), (True, "minted"), (False, "kept"), (False, "kept")),
        *((True, "replaced"), (False, "kept")),
    ]
    assert run["again"]["token"] == first["token"]
    assert (first["path"], first["backup_file"]) == ("group_vars/all.yml", None)
    head = f"{before}echovalue_token: !vault |\n          $ANSIBLE_VAULT;"
    assert Path(rotated["backup_file"]).read_text().startswith(f"{head}1.1;AES256\n")
    assert vault.file.read_text().startswith(f"{head}1.2;AES256;prod\n")
    assert not run.finds(first["token"], rotated["token"])
    assert (vault.loaded(), vault.loaded("other")) == (rotated["token"], "a secret of others")
    removed = vault.run(vault.task(state="absent", backup=False))["result"]
    assert removed["status"] == "removed"
    assert "cannot revoke" in str(removed["warnings"])
    assert (vault.file.read_text(), stat.S_IMODE(vault.file.stat().st_mode)) == (before, 0o640)
    assert (emulator.stats()["mints"], emulator.stats()["credits_spent"]) == (2, 0)


def test_other_modules_read_the_variable(vault: Vault, emulator: Emulator) -> None:
    place = {"vault_file": "group_vars/all.yml"}
    vault.run(vault.task("first"))
    before = vault.file.read_bytes()
    run = vault.run(
        wallet("wallet", details=False, **place),
        link("link", **place),
        checked(wallet("check", vault_file="group_vars/none.yml")),
        wallet("missing", ignore_errors=True, variable="other", **place),
    )
    assert run["wallet"]["wallet"] == 100
    assert run["link"]["balance"] == 100
    assert run["check"]["wallet"] is None
    assert run["missing"]["msg"].startswith("There is no token in variable other of group_vars/all.yml.")
    assert vault.file.read_bytes() == before
    assert [entry.name for entry in vault.directory.iterdir()] == ["all.yml"]


def test_what_is_refused_is_refused_before_any_mint(vault: Vault, emulator: Emulator) -> None:
    vault.file.write_text("clear: some-token-in-clear-text\n")
    before = vault.file.read_bytes()
    run = vault.run(
        vault.task("clear", True, variable="clear"),
        token("missing", True, vault_file="missing/all.yml"),
        vault.task("id", True, vault_id="nobody"),
        vault.task("both", True, path="/tmp/x"),
        vault.task("mode", True, mode="0644"),
        vault.task("name", True, variable="no name"),
    )
    for name in run.registered:
        assert run[name].get("failed"), name
        assert "Traceback" not in run[name]["msg"]
    assert "clear text" in run["clear"]["msg"]
    assert not run.finds("some-token-in-clear-text")
    vault.options = ()
    assert "--vault-id" in vault.run(vault.task("new"), fails=True)["new"]["msg"]
    assert [(path, path.read_bytes()) for path in vault.directory.iterdir()] == [(vault.file, before)]
    assert emulator.stats()["total"] == 0


def test_many_hosts_and_runs_at_once_end_with_one_token(vault: Vault, emulator: Emulator) -> None:
    emulator.options(latency=0.1)
    playbook = vault.ansible.playbook(token(vault_file="group_vars/all.yml"), hosts="all")
    hosts = ("-i", "a,b,c,d,")
    finished(*(vault.ansible.start(playbook, *vault.options, *hosts) for _ in range(2)))
    assert emulator.stats()["mints"] == 1


@pytest.mark.essential
def test_no_plaintext_reaches_the_disk(vault: Vault, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    vault.run(vault.task(token=ADOPTED), vault.task(regenerate="always"), vault.task(state="absent"))
    assert not hunt([ADOPTED], {"the disk": vault.ansible.directory}, allowed=("play.yml", "registered"))
