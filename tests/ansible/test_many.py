# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_token with tokens: many at once, each with the guarantees of one."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.ansible.test_vault_file import Vault, vault  # noqa: F401 - a fixture
from tests.testkit.playbook import Ansible, checked, token, wait_until
from tools.emulator.client import Emulator

ADOPTED = "given-token-0123456789abcdef"
MANY = 100


def paths(directory: Path, count: int) -> list[dict[str, Any]]:
    for name in ("a", "b"):
        (directory / name).mkdir(exist_ok=True)
    return [{"path": str(directory / "ab"[n % 2] / f"token{n}")} for n in range(count)]


@pytest.mark.essential
def test_a_life_of_many(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    tokens = paths(tmp_path, MANY)
    few, gone = tokens[:6], tokens[:3]
    run = ansible.play(
        checked(token("check", tokens=tokens)),
        token("first", tokens=tokens, concurrency=4),
        token("again", tokens=tokens, concurrency=4),
        token("rotated", tokens=few, regenerate="always"),
        token("removed", tokens=gone, state="absent", backup=False),
        token("absent", tokens=gone, state="absent"),
        options=("-vvv", "--diff"),
    )
    assert [one["changed"] for one in run.registered.values()] == [True, True, False, True, True, False]
    check, first, again, rotated, removed, _absent = (one["tokens"] for one in run.registered.values())
    assert [entry["path"] for entry in first] == [item["path"] for item in tokens]
    assert {(entry["status"], entry["token"]) for entry in check} == {("minted", None)}
    assert {entry["status"] for entry in first} == {"minted"}
    assert len({entry["token"] for entry in first}) == MANY
    assert [(entry["token"], entry["balance"]) for entry in again] == [(one["token"], 100) for one in first]
    assert {entry["status"] for entry in rotated} == {"replaced"}
    assert {entry["status"] for entry in removed} == {"removed"}
    assert len(run["removed"]["warnings"]) == 1
    left = {entry["path"]: entry["token"] for entry in (*rotated[3:], *first[6:])}
    left |= {new["backup_file"]: old["token"] for old, new in zip(first, rotated)}
    assert {str(path): path.read_text() for path in tmp_path.glob("[ab]/*")} == {
        path: f"{value}\n" for path, value in left.items()
    }
    assert {stat.S_IMODE(Path(path).stat().st_mode) for path in left} == {0o600}
    assert not run.finds(*(entry["token"] for entry in (*first, *rotated)))
    stats = emulator.stats()
    assert (stats["mints"], stats["credits_spent"]) == (MANY + 6, 0)
    assert f"{MANY} tokens for localhost are under way" in run.screen


def test_connections_are_as_many_as_asked_for(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    emulator.options(latency=0.02)
    ansible.play(token(tokens=paths(tmp_path, 30), concurrency=3))
    assert emulator.stats()["connections"] == 3


def test_a_failure_of_one_stops_no_other(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    emulator.register(ADOPTED)
    good = paths(tmp_path, 4)
    (tmp_path / "a" / "empty").write_text("")
    bad = [
        {"path": str(tmp_path / "a" / "empty")},
        {"path": str(tmp_path / "missing" / "token")},
        {"path": str(tmp_path / "a" / "dead"), "token": "dead-token-0123456789"},
        {"path": str(tmp_path / "a" / "owned"), "owner": "no-such-user"},
    ]
    passed = {"path": str(tmp_path / "b" / "given"), "token": ADOPTED, "mode": "0640"}
    run = ansible.play(token(tokens=[*bad, *good, passed]), fails=True, options=("-vvv",))
    result = run["result"]
    assert "4 of 9 tokens failed" in result["msg"]
    assert [bool(entry.get("failed")) for entry in result["tokens"]] == [True] * 4 + [False] * 5
    assert "holds no token" in result["tokens"][0]["msg"]
    assert {entry.get("token") for entry in result["tokens"]} == {None}
    assert result["changed"]
    assert (tmp_path / "b" / "given").read_text() == ADOPTED + "\n"
    assert stat.S_IMODE((tmp_path / "b" / "given").stat().st_mode) == 0o640
    for item in good:
        assert not run.finds(Path(item["path"]).read_text().strip())
    assert not run.finds(ADOPTED)
    assert emulator.stats()["mints"] == 4
    again = ansible.play(token(tokens=[*good, passed]))["result"]
    assert {entry["status"] for entry in again["tokens"]} == {"kept"}


def test_what_is_named_wrongly_is_refused_before_any_request(
    ansible: Ansible, emulator: Emulator, tmp_path: Path
) -> None:
    path = str(tmp_path / "token")
    (tmp_path / "link").symlink_to(path)
    run = ansible.play(
        token("twice", tokens=[{"path": path}, {"path": path}], ignore_errors=True),
        token("linked", tokens=[{"path": path}, {"path": str(tmp_path / "link")}], ignore_errors=True),
        token("nothing", tokens=[{}], ignore_errors=True),
        token("variable", tokens=[{"path": path, "variable": "x"}], ignore_errors=True),
        token("both", tokens=[{"path": path}], path=path, ignore_errors=True),
        token("zero", tokens=[{"path": path}], concurrency=0, ignore_errors=True),
        token("none", tokens=[]) | {"register": "no_tokens"},
    )
    for name in ("twice", "linked", "nothing", "variable", "both", "zero"):
        assert run[name]["failed"], name
    assert (run["no_tokens"]["changed"], run["no_tokens"]["tokens"]) == (False, [])
    assert emulator.stats()["total"] == 0


def test_a_cancelled_run_keeps_what_was_minted(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    emulator.options(latency=0.2)
    tokens = paths(tmp_path, 200)
    process = ansible.start(ansible.playbook(token(tokens=tokens)), start_new_session=True)
    wait_until(lambda: emulator.stats()["mints"] > 0)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    time.sleep(1.5)  # what was under way
    mints = emulator.stats()["mints"]
    kept = [item for item in tokens if Path(item["path"]).exists()]
    assert 0 < mints < 200
    assert len(kept) == mints


def test_many_variables_of_one_vaulted_file(vault: Vault, emulator: Emulator) -> None:  # noqa: F811
    emulator.register(ADOPTED)
    vault.file.write_text("# mine\nother: 1\n")
    identity = f"prod@{vault.ansible.directory}/prod.password"
    vault.command("encrypt", "--vault-id", identity, "--encrypt-vault-id", "prod", str(vault.file))
    tokens = [{"variable": f"token{n}"} for n in range(20)] + [{"variable": "given", "token": ADOPTED}]
    run = vault.run(
        checked(vault.task("check", tokens=tokens)),
        vault.task("first", tokens=tokens),
        vault.task("again", tokens=tokens),
        vault.task(
            "dead", True, tokens=[{"variable": "dead", "token": "dead-token-0123456789"}, {"variable": "new"}]
        ),
        vault.task("removed", tokens=tokens[:3], state="absent"),
    )
    assert [run[name]["changed"] for name in run.registered] == [True, True, False, True, True]
    assert [entry["variable"] for entry in run["first"]["tokens"]] == [item["variable"] for item in tokens]
    assert "1 of 2 tokens failed" in run["dead"]["msg"]
    assert all(entry["backup_file"] for entry in run["removed"]["tokens"])
    inner = vault.command("view", "--vault-id", identity, str(vault.file))
    lines = inner.splitlines()
    assert lines[:2] == ["# mine", "other: 1"]
    assert [line.split(":")[0] for line in lines[2:]] == [
        *(f"token{n}" for n in range(3, 20)),
        "given",
        "new",
    ]
    assert emulator.stats()["mints"] == 21
    for entry in run["first"]["tokens"]:
        assert not run.finds(entry["token"])


def test_a_cancelled_run_keeps_a_minted_vaulted_token(vault: Vault, emulator: Emulator) -> None:  # noqa: F811
    emulator.options(latency=0.2)
    tokens = [{"variable": f"token{n}"} for n in range(200)]
    playbook = vault.ansible.playbook(token(vault_file="group_vars/all.yml", tokens=tokens))
    vault.file.write_text("other: 1\n")
    identity = f"default@{vault.ansible.directory}/default.password"
    vault.command("encrypt", "--vault-id", identity, str(vault.file))
    process = vault.ansible.start(playbook, *vault.options, start_new_session=True)
    wait_until(lambda: emulator.stats()["mints"] > 0)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    time.sleep(1.5)  # what was under way
    kept = vault.command("view", "--vault-id", identity, str(vault.file)).count("token")
    assert 0 < emulator.stats()["mints"] < 200
    assert kept == emulator.stats()["mints"]


def test_two_vaulted_files_of_one_directory_share_its_lock(vault: Vault, emulator: Emulator) -> None:  # noqa: F811
    tokens = [{"vault_file": f"group_vars/{name}.yml"} for name in ("b", "a")]
    run = vault.run(token("result", tokens=tokens, variable="app_token"))
    assert [entry["path"] for entry in run["result"]["tokens"]] == [item["vault_file"] for item in tokens]
    files = sorted(vault.directory.iterdir())
    assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in files] == [
        ("a.yml", 0o600),
        ("b.yml", 0o600),
    ]
    head = "---\napp_token: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n"
    assert all(path.read_text().startswith(head) for path in files)
    assert emulator.stats()["mints"] == 2
