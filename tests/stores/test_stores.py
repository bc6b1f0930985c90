# SPDX-License-Identifier: BSD-2-Clause
"""What each store promises, against the real server or program."""

from __future__ import annotations

import json
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.ansible.playbook import Run, wait_until
from tests.emulator.client import Emulator
from tests.stores.conftest import Controller, role
from tests.stores.kept import HashiVault, Kept, KubernetesSecret, Sops

# As awkward as a value may be that is somebody else's.
OTHERS = {"user": "{{ 1 + 1 }}", "number": "007", "word": "a: 'b' # \"c\"\n%", "empty": ""}
UNCHANGED = "changed=1 "  # by the task of the test itself, which saves the result


def result(run: Run) -> tuple[Any, ...]:
    told = run["echovalue_token_result"]
    assert told["hash"] == (told["token"] and sha256(told["token"].encode()).hexdigest())
    return told["changed"], told["status"]


def test_found_proven_kept_beside_what_others_keep(
    ansible: Controller, emulator: Emulator, kept: Kept
) -> None:
    kept.put(OTHERS)
    first = ansible.provision(kept.variables)
    assert result(first) == (True, "minted")
    token = first["echovalue_token_result"]["token"]
    assert kept.content() == {**OTHERS, kept.key: token}
    assert ansible.waiting == []

    emulator.reset_stats()
    again = ansible.provision(kept.variables)
    assert result(again) == (False, "kept")
    assert again["echovalue_token_result"]["token"] == token
    assert again["echovalue_token_result"]["balance"] == 100
    assert UNCHANGED in again.screen
    assert (emulator.stats()["total"], emulator.stats()["credits_spent"]) == (1, 0)

    rotated = ansible.provision({**kept.variables, "echovalue_token_regenerate": "always"})
    assert result(rotated) == (True, "replaced")
    new = rotated["echovalue_token_result"]["token"]
    assert kept.content() == {**OTHERS, kept.key: new}
    assert new != token

    emulator.reset_stats()
    unproven = ansible.provision({**kept.variables, "echovalue_token_verify": False})
    assert result(unproven) == (False, "kept")
    assert emulator.stats()["total"] == 0


def test_a_token_that_the_service_does_not_know(ansible: Controller, emulator: Emulator, kept: Kept) -> None:
    token = ansible.provision(kept.variables)["echovalue_token_result"]["token"]
    emulator.set_wallet(sha256(token.encode()).hexdigest(), 0)
    assert result(ansible.provision({**kept.variables, "echovalue_token_regenerate": "if_invalid"})) == (
        False,
        "kept",
    )
    emulator.forget(sha256(token.encode()).hexdigest())
    run = ansible.provision(kept.variables, fails=True)
    assert "HTTP 401" in run.screen
    assert "if_invalid" in run.screen
    assert kept.content()[kept.key] == token
    assert emulator.stats()["mints"] == 1
    run = ansible.provision({**kept.variables, "echovalue_token_regenerate": "if_invalid"})
    assert result(run) == (True, "replaced")
    assert kept.content()[kept.key] == run["echovalue_token_result"]["token"] != token


def test_check_mode_tells_and_does_nothing(ansible: Controller, emulator: Emulator, kept: Kept) -> None:
    run = ansible.provision(kept.variables, options=("--check", "--diff"))
    assert result(run) == (True, "minted")
    assert run["echovalue_token_result"]["token"] is None
    assert UNCHANGED not in run.screen
    assert (kept.content(), emulator.stats()["total"]) == ({}, 0)
    assert not (ansible.directory / ".echovalue").exists()
    ansible.provision(kept.variables)
    before = kept.content()
    run = ansible.provision(kept.variables, options=("--check",))
    assert result(run) == (False, "kept")
    assert UNCHANGED in run.screen
    run = ansible.provision(
        {**kept.variables, "echovalue_token_regenerate": "always"}, options=("--check", "--diff")
    )
    assert result(run) == (True, "replaced")
    assert kept.content() == before
    assert emulator.stats()["mints"] == 1
    kept.refuse()
    run = ansible.provision(
        {**kept.variables, "echovalue_token_regenerate": "always"}, options=("--check",), fails=True
    )
    kept.accept()
    assert kept.content() == before


def test_no_mint_where_the_place_cannot_be_written(
    ansible: Controller, emulator: Emulator, kept: Kept
) -> None:
    kept.refuse()
    run = ansible.provision(kept.variables, fails=True)
    assert kept.hint in run.screen
    assert "No token was minted" in run.screen
    assert emulator.stats()["total"] == 0
    kept.accept()
    assert result(ansible.provision(kept.variables)) == (True, "minted")


def test_a_write_that_fails_after_the_mint_is_made_good_by_the_next_run(
    ansible: Controller, emulator: Emulator, kept: Kept
) -> None:
    run = broken_after_the_mint(ansible, emulator, kept)
    (handover,) = ansible.waiting
    token = handover.read_text().strip()
    assert stat.S_IMODE(handover.stat().st_mode) == 0o600
    assert stat.S_IMODE(handover.parent.stat().st_mode) == 0o700
    assert str(handover) in run
    assert "run again" in run
    assert token not in run
    assert kept.content() == {}
    again = ansible.provision(kept.variables)
    assert result(again) == (True, "minted")
    assert again["echovalue_token_result"]["token"] == kept.content()[kept.key] == token
    assert emulator.stats()["mints"] == 1
    assert ansible.waiting == []


def broken_after_the_mint(ansible: Controller, emulator: Emulator, kept: Kept) -> str:
    """Let writes fail as soon as the mint is under way; return what was shown."""
    emulator.fault("POST /token", "late", seconds=2)
    process = ansible.start(playbook(ansible, kept.variables))
    wait_until(lambda: process.poll() is not None or any(ansible.directory.rglob("spool/.*.new")), 60)
    kept.refuse()
    screen, _nothing = process.communicate(timeout=120)
    kept.accept()
    assert process.returncode != 0, screen
    return screen


def test_two_pipelines_at_once_end_with_one_token(
    ansible: Controller, other_ansible: Controller, emulator: Emulator, kept: Kept
) -> None:
    if isinstance(kept, Sops):  # a file has no server that decides: those who share it share the spool
        other_ansible.environment["HOME"] = ansible.environment["HOME"]
    emulator.options(latency=1)
    processes = [one.start(playbook(one, kept.variables)) for one in (ansible, other_ansible)]
    screens = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], screens
    token = kept.content()[kept.key]
    told = [(one.directory / "told").read_text() for one in (ansible, other_ansible)]
    assert told == [token, token]
    assert ansible.waiting == other_ansible.waiting == []
    assert emulator.stats()["credits_spent"] == 0
    if not isinstance(kept, Sops):
        assert emulator.stats()["mints"] == 2, "they did not meet"


def test_the_hosts_of_one_play_end_with_one_token(
    ansible: Controller, emulator: Emulator, kept: Kept
) -> None:
    inventory = ansible.directory / "inventory"
    inventory.write_text(inventory.read_text() + inventory.read_text().replace("localhost", "other"))
    run = ansible.provision(kept.variables, hosts="all")
    assert run.screen.count("failed=0") == 2
    assert run["echovalue_token_result"]["token"] == kept.content()[kept.key]
    assert emulator.stats()["mints"] == 1
    assert ansible.waiting == []


def test_what_is_no_token_is_left_alone(ansible: Controller, emulator: Emulator, kept: Kept) -> None:
    kept.put({kept.key: "no token at all"})
    run = ansible.provision({**kept.variables, "echovalue_token_regenerate": "if_invalid"}, fails=True)
    assert "holds no token" in run.screen
    assert kept.content() == {kept.key: "no token at all"}
    assert emulator.stats()["total"] == 0


def test_a_deleted_secret_gets_a_new_version(ansible: Controller, hashi_vault: HashiVault) -> None:
    hashi_vault.put({"old": "value"})
    hashi_vault.delete()
    assert result(ansible.provision(hashi_vault.variables)) == (True, "minted")
    assert list(hashi_vault.content()) == ["token"]


def test_a_mount_that_is_not_kv_version_2_is_refused(
    ansible: Controller, emulator: Emulator, hashi_vault: HashiVault
) -> None:
    variables = {**hashi_vault.variables, "echovalue_token_hashi_vault_mount": "cubbyhole"}
    assert "not KV version 2" in ansible.provision(variables, fails=True).screen
    assert emulator.stats()["total"] == 0


def test_a_secret_keeps_its_type_and_labels(ansible: Controller, kubernetes: KubernetesSecret) -> None:
    kubernetes.put({"binary": "\xff\x00\xfe"})
    ansible.provision(kubernetes.variables)
    whole = kubernetes.whole()
    assert (whole["type"], whole["metadata"]["labels"]) == ("example.com/mixed", {"team": "core"})
    assert kubernetes.content()["binary"] == "\xff\x00\xfe"


def test_the_ciphertext_of_other_keys_stays(ansible: Controller, sops: Sops) -> None:
    sops.put(OTHERS)
    sops.path.chmod(0o640)
    before = sops.path.read_text().splitlines()
    ansible.provision(sops.variables)
    after = sops.path.read_text().splitlines()
    changed = [line.split(":")[0].strip() for line in before if line not in after]
    assert changed == ["lastmodified", "mac"]
    assert stat.S_IMODE(sops.path.stat().st_mode) == 0o640


@pytest.mark.parametrize("exists", [False, True])
def test_rules_that_leave_the_token_in_clear_are_refused(
    ansible: Controller, emulator: Emulator, sops: Sops, exists: bool
) -> None:
    rules = sops.path.parent / ".sops.yaml"
    rules.write_text(rules.read_text().replace("}]", ", encrypted_regex: ^hidden$}]"))
    if exists:
        sops.put({"hidden": "value"})
    run = ansible.provision(sops.variables, fails=True)
    assert "in clear" in run.screen
    assert emulator.stats()["total"] == 0


def test_wrong_arguments_stop_the_role_before_anything_is_sent(
    ansible: Controller, emulator: Emulator, hashi_vault: HashiVault
) -> None:
    good = hashi_vault.variables
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "missing": ({}, "echovalue_token_store"),
        "unknown": (
            {"echovalue_token_store": "drawer"},
            "ansible_vault, file, hashi_vault, kubernetes, sops",
        ),
        "path": ({"echovalue_token_store": "../main"}, "There is no store"),
        "regenerate": ({**good, "echovalue_token_regenerate": "often"}, "if_invalid"),
        "verify": ({**good, "echovalue_token_verify": "perhaps"}, "verify"),
        "retries": ({**good, "echovalue_token_retries": "many"}, "retries"),
        "connection": ({**good, "echovalue_token_hashi_vault_connection": "there"}, "connection"),
        **{
            store: ({"echovalue_token_store": store}, f"Set echovalue_token_{variable}")
            for store, variable in {
                "file": "path",
                "ansible_vault": "vault_file",
                "hashi_vault": "hashi_vault_path",
                "kubernetes": "kubernetes_name",
                "sops": "sops_file",
            }.items()
        },
    }
    run = ansible.play(
        *[
            {
                "block": [role(variables), {"ansible.builtin.fail": {"msg": "accepted"}}],
                "rescue": [
                    {
                        "name": "Keep the message",
                        "ansible.builtin.set_fact": {f"case_{name}": "{{ ansible_failed_result.msg }}"},
                    }
                ],
            }
            for name, (variables, _word) in cases.items()
        ],
        also=tuple(f"case_{name}" for name in cases),
    )
    for name, (_variables, word) in cases.items():
        assert word in run[f"case_{name}"], (name, run[f"case_{name}"])
    assert emulator.stats()["total"] == 0
    assert hashi_vault.content() == {}


def playbook(ansible: Controller, variables: dict[str, Any]) -> Path:
    """Return a playbook that provisions and writes down the token."""
    tell = {
        "name": "Write it down",
        "ansible.builtin.copy": {
            "dest": str(ansible.directory / "told"),
            "mode": "0600",
            "content": "{{ echovalue_token_result.token }}",
        },
        "no_log": True,
    }
    path = ansible.directory / "pipeline.yml"
    path.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [role(variables), tell]}])
    )
    return path
