# SPDX-License-Identifier: BSD-2-Clause
"""The stores of a vaulted file, without a playbook: labels, passwords, and runs that die."""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.testkit.refusals import fill_disk, follow_advice, refuse
from tools.checkout import collections_path

sys.path.append(collections_path())  # where the stores are imported from, as Ansible does

from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import (
    ConflictError,
    InvalidInputError,
    StoreError,
)
from ansible_collections.echovalue.cloud.plugins.module_utils.core.models import Probe
from ansible_collections.echovalue.cloud.plugins.module_utils.core.provision import provision, remove
from ansible_collections.echovalue.cloud.plugins.plugin_utils.ansible_vault.file import VaultFile
from ansible_collections.echovalue.cloud.plugins.plugin_utils.ansible_vault.secrets import Vault

pytestmark = pytest.mark.essential

DEV, DEV_TOO, PROD = (VaultSecret(f"password {name}".encode()) for name in ("dev", "dev too", "prod"))
SECRETS = [("dev", DEV), ("dev", DEV_TOO), ("prod", PROD)]
ADOPTED = "given-token-0123456789abcdef"


class Service:
    """Stands for the client: mints numbered tokens, and knows each."""

    def __init__(self) -> None:
        self.mints = 0

    def create_token(self) -> str:
        self.mints += 1
        return f"minted-token-number-{self.mints:04}"

    def probe(self, token: str) -> Probe:
        return Probe(True, 100)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vars.yml"


@contextmanager
def variables(path: Path, *names: str, secrets: Any = SECRETS, vault_id: Any = None) -> Iterator[list[Any]]:
    file = VaultFile(str(path), Vault(VaultLib(secrets)))
    opened = [file.variable(name, vault_id) for name in names]
    with file.lock():
        yield opened


def run(
    path: Path, service: Service, *names: str, secrets: Any = SECRETS, vault_id: Any = None, **how: Any
) -> Any:
    """Provision variables of a file; return the outcome of the last."""
    with variables(path, *names, secrets=secrets, vault_id=vault_id) as stores:
        return [provision(service, store, **how) for store in stores][-1]


def encrypted(text: str, label: str = "dev", secret: VaultSecret = DEV) -> str:
    return VaultLib([(label, secret)]).encrypt(text, secret, vault_id=label).decode()


def inline(name: str, text: str, label: str = "dev", secret: VaultSecret = DEV, tag: str = "!vault") -> str:
    lines = encrypted(text, label, secret).splitlines()
    return f"{name}: {tag} |\n" + "".join(f"  {line}\n" for line in lines)


def decrypted(ciphertext: str, secret: VaultSecret) -> str:
    """Return the plaintext; fail where this password is not the very one."""
    return VaultLib([("any", secret)]).decrypt(ciphertext).decode()


def block(path: Path, name: str) -> str:
    """Return the ciphertext of an inline value."""
    _before, _name, behind = path.read_text().partition(f"{name}: !vault")
    lines = behind.splitlines()[1:]
    return "".join(f"{line.strip()}\n" for line in lines if line.startswith(" "))[: len(encrypted("x" * 512))]


def others(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry != path)


@pytest.mark.parametrize(
    ("label", "secret", "header"),
    [
        ("dev", DEV, "1.2;AES256;dev"),
        ("dev", DEV_TOO, "1.2;AES256;dev"),
        ("elsewhere", PROD, "1.2;AES256;elsewhere"),
        ("default", PROD, "1.1;AES256"),
    ],
)
def test_label_and_password_stay(
    path: Path, service: Service, label: str, secret: VaultSecret, header: str
) -> None:
    path.write_text(encrypted("---\ndb: x\n", label, secret))
    for regenerate in ("never", "always"):
        outcome = run(path, service, "token", regenerate=regenerate)
        assert path.read_text().startswith(f"$ANSIBLE_VAULT;{header}\n")
        assert decrypted(path.read_text(), secret) == f'---\ndb: x\ntoken: "{outcome.token}"\n'
    path.write_text(f"---\ndb: x\n{inline('token', ADOPTED, label, secret)}# end\n")
    outcome = run(path, service, "token", regenerate="always")
    assert block(path, "token").startswith(f"$ANSIBLE_VAULT;{header}\n")
    assert decrypted(block(path, "token"), secret) == outcome.token


def test_what_is_new_takes_the_choice_of_the_run_or_of_vault_id(path: Path, service: Service) -> None:
    path.write_text(inline("other", "x", "prod", PROD))
    outcome = run(path, service, "token")
    assert decrypted(block(path, "token"), DEV) == outcome.token
    outcome = run(path, service, "token", vault_id="prod", regenerate="always")
    assert decrypted(block(path, "token"), PROD) == outcome.token
    path.write_text(encrypted("a: 1\n"))
    run(path, service, "token", vault_id="prod")
    assert path.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;prod\n")
    path.write_text(encrypted("a: 1\n", "dev", DEV_TOO))
    run(path, service, "token", vault_id="dev")  # its own label is no reason for another password
    assert decrypted(path.read_text(), DEV_TOO).startswith("a: 1\n")


@pytest.mark.parametrize(
    "text",
    [
        inline("token", ADOPTED),
        inline("token", ADOPTED + "\n"),
        inline("token", ADOPTED, tag="!vault-encrypted"),
        encrypted(f"token: {ADOPTED}\n"),
        encrypted(f"token: !unsafe '{ADOPTED}'\n"),
        encrypted(f"token: |\n  {ADOPTED}\n"),
        encrypted(inline("token", ADOPTED, "prod", PROD)),
        encrypted(f'{{"token": "{ADOPTED}"}}'),
        f"a: &a {inline('x', ADOPTED)[3:]}token: *a\n",
    ],
)
def test_a_stored_token_is_read_and_nothing_changes(path: Path, service: Service, text: str) -> None:
    path.write_text(text)
    outcome = run(path, service, "token")
    assert (outcome.status, outcome.token, outcome.changed) == ("kept", ADOPTED, False)
    assert path.read_text() == text
    assert others(path) == []
    assert run(path, service, "token", regenerate="always").changed
    assert service.mints == 1


def test_a_tag_stays(path: Path, service: Service) -> None:
    path.write_text(inline("token", ADOPTED, tag="!vault-encrypted"))
    run(path, service, "token", regenerate="always")
    assert path.read_text().startswith("token: !vault-encrypted |\n  $ANSIBLE_VAULT;1.2;AES256;dev\n")
    path.write_text(encrypted(f"token: !unsafe '{ADOPTED}'\n"))
    outcome = run(path, service, "token", regenerate="always")
    assert decrypted(path.read_text(), DEV) == f'token: !unsafe "{outcome.token}"\n'


@pytest.mark.parametrize("empty", ["token:\n", "token: ~ # fill me\n", "token: ''\n", "token: null\n"])
def test_a_placeholder_is_filled(path: Path, service: Service, empty: str) -> None:
    path.write_text(f"---\n{empty}region: eu\n")
    outcome = run(path, service, "token")
    assert outcome.status == "minted"
    assert decrypted(block(path, "token"), DEV) == outcome.token
    assert path.read_text().endswith("\nregion: eu\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("token: in-clear-0123456789\n", "is there in clear text"),
        (inline("token", "short"), "exists and holds no token"),
        (inline("token", "two\nlines-0123456789"), "exists and holds no token"),
        (encrypted("token: 12345678901\n"), "is not text"),
        (encrypted("a: 1\ntoken: [x]\n"), "is no single value (line 2)"),
        (encrypted("a: 1\ntoken: {a: }}\n"), "(line 2)"),
        (inline("token", ADOPTED).replace("3", "4"), "cannot be decrypted"),
        (encrypted("a: 1\n", "dev", VaultSecret(b"nobody's")), "cannot be decrypted"),
        (encrypted("caf\udce9: 1\n"), "is not UTF-8 text"),
    ],
)
def test_what_is_refused_is_refused_before_any_mint(
    path: Path, service: Service, text: str, why: str
) -> None:
    path.write_text(text)
    with pytest.raises(StoreError) as caught:
        run(path, service, "token", regenerate="always")
    reported = str(caught.value)
    assert str(path) in reported
    assert why in reported
    assert "0123456789" not in reported
    assert "No token was minted" in reported
    assert path.read_text() == text
    assert others(path) == []
    assert service.mints == 0


@pytest.mark.parametrize("name", ["my-token", "1st", "class", "True", "tökén", "", "a b", "x\n"])
def test_a_name_that_ansible_does_not_take_is_refused(path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a name that Ansible takes for a variable"):
        VaultFile(str(path), Vault(VaultLib(SECRETS))).variable(name)


def test_a_bad_variable_does_not_stop_another(path: Path, service: Service) -> None:
    path.write_text("bad: [x]\n")
    with variables(path, "bad", "good") as (bad, good):
        with pytest.raises(StoreError, match="bad is no single value"):
            provision(service, bad)
        outcome = provision(service, good)
    assert decrypted(block(path, "good"), DEV) == outcome.token


def test_the_file_stays_what_it_was(path: Path, service: Service) -> None:
    target = path.parent / "real" / "vars.yml"
    target.parent.mkdir()
    target.write_text("a: 1\n")
    target.chmod(0o640)
    path.symlink_to(target)
    run(path, service, "token")
    assert path.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.read_text().startswith("a: 1\ntoken: !vault |\n")
    assert [entry.name for entry in target.parent.iterdir()] == ["vars.yml"]


def test_removing_leaves_the_rest(path: Path, service: Service) -> None:
    path.write_text(f"---\n{inline('token', ADOPTED)}")
    before = path.read_text()
    with variables(path, "token") as (store,):
        assert remove(store).status == "removed"
        backup = Path(store.backup_file)
    assert path.read_text() == "---\n{}\n"
    assert backup.read_text() == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    run(path, service, "token")
    assert path.read_text().startswith("---\ntoken: !vault |\n")


def provision_and_die(path: Path, names: tuple[str, ...], secrets: Any, how: Any) -> None:
    with variables(path, *names, secrets=secrets) as stores:
        service = Service()
        for store in stores:
            provision(service, store, **how)
        os._exit(9)


def dies(path: Path, *names: str, secrets: Any = SECRETS, **how: Any) -> None:
    """Provision in a process that dies once all is minted, before the file is written."""
    child = multiprocessing.get_context("spawn").Process(
        target=provision_and_die, args=(path, names, secrets, how)
    )
    child.start()
    child.join()
    assert child.exitcode == 9


@pytest.mark.parametrize("text", [encrypted("a: 1\n"), inline("v007", ADOPTED, "prod", PROD)])
def test_a_run_that_dies_after_its_mints_loses_none(path: Path, text: str) -> None:
    path.write_text(text)
    names = [f"v{number:03}" for number in range(20)]
    dies(path, *names, regenerate="always")
    assert len([name for name in others(path) if name.endswith(".vault")]) == 20
    for name in others(path):
        left = path.parent / name
        assert b"minted-token" not in left.read_bytes()
        assert name == ".vars.yml.tmp" or name.endswith("~") or stat.S_IMODE(left.stat().st_mode) == 0o600
    service = Service()
    with variables(path, *names) as stores:
        found = [provision(service, store).token for store in stores]
    assert found == [f"minted-token-number-{number:04}" for number in range(1, 21)]
    assert service.mints == 0
    assert [name for name in others(path) if not name.endswith("~")] == []
    with variables(path, *names) as stores:
        assert [store.read() for store in stores] == found


def test_a_token_refused_by_a_full_disk_is_taken_up(
    path: Path, service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path.write_text(inline("other", "x"))
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("rescue")))
        fill_disk(patch, b"$ANSIBLE_VAULT")
        with pytest.raises(StoreError) as caught:
            run(path, service, "app")
    assert others(path) == []
    follow_advice(caught.value)
    outcome = run(path, service, "app")
    assert (outcome.status, decrypted(block(path, "app"), DEV)) == ("minted", outcome.token)
    assert (service.mints, others(path)) == (1, [])


def test_what_is_pending_for_others_stays(path: Path, service: Service) -> None:
    dies(path, "a", secrets=[("prod", PROD)])
    waits = [".vars.yml=a.vault"]
    assert run(path, service, "b").status == "minted"
    assert others(path) == waits
    assert run(path, service, "a", secrets=[("dev", DEV)]).status == "minted"  # these secrets do not open it
    assert others(path) == waits
    assert service.mints == 2  # beside the one of the run that died
    assert run(path, service, "a", secrets=[("dev", DEV), ("prod", PROD)]).status == "kept"
    assert others(path) == []  # superseded by the one that is stored there


def test_what_a_run_that_died_was_to_replace_decides(path: Path, service: Service) -> None:
    path.write_text(inline("token", ADOPTED))
    dies(path, "token", regenerate="always")
    path.write_text(inline("token", "put-there-by-hand-01"))
    assert run(path, service, "token").token == "put-there-by-hand-01"
    assert [name for name in others(path) if not name.endswith("~")] == []


def test_a_file_that_is_edited_meanwhile(path: Path, service: Service) -> None:
    def edited(text: str, **how: Any) -> Any:
        with variables(path, "token") as (store,):
            outcome = provision(service, store, **how)
            path.write_text(text)
        return outcome

    path.write_text("a: 1\n")
    outcome = edited("a: 2\nb: 3\n")
    assert path.read_text().startswith("a: 2\nb: 3\ntoken: !vault |\n")
    assert decrypted(block(path, "token"), DEV) == outcome.token
    theirs = inline("token", "put-there-by-hand-01")
    with pytest.raises(ConflictError, match="was changed by another writer meanwhile"):
        edited(theirs, regenerate="always")
    assert path.read_text() == theirs
    assert run(path, service, "token").token == "put-there-by-hand-01"
    path.write_text(encrypted("a: 1\n"))
    with pytest.raises(ConflictError, match="was encrypted or decrypted by another writer meanwhile"):
        edited("a: 1\n")
    assert path.read_text() == "a: 1\n"
    assert run(path, service, "token").token == "minted-token-number-0003"
    assert "minted" not in path.read_text()


def test_a_file_that_cannot_be_replaced(
    path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("a: 1\n")
    refuse(monkeypatch, "replace")
    with pytest.raises(StoreError) as caught:
        run(path, service, "token")
    monkeypatch.undo()
    assert "The new token is pending beside it, encrypted, and the next run goes on from there." in str(
        caught.value
    )
    assert path.read_text() == "a: 1\n"
    assert run(path, service, "token").token == "minted-token-number-0001"
    assert service.mints == 1
    assert others(path) == []


def test_a_run_without_secrets(path: Path, service: Service) -> None:
    for text in ("a: 1\n", encrypted("a: 1\n"), inline("token", ADOPTED)):
        path.write_text(text)
        with pytest.raises(StoreError, match="This run has no vault secret"):
            run(path, service, "token", secrets=[])
    with pytest.raises(StoreError, match="no vault secret for the vault id nobody"):
        run(path, service, "new", vault_id="nobody")
    assert others(path) == []
    assert service.mints == 0
