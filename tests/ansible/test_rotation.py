# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_token with max_age: a nightly play that rotates what is old, and leaves paid wallets alone."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.playbook import Ansible, finished, role, token
from tools.emulator.client import Emulator

OLD = "2024-02-29T23:59:59.77Z"
GIVEN = "given-token-0123456789abcdef"
RULE = {"max_age": "90d"}


def stored(emulator: Emulator, path: Path, wallet: int = 50, created: str = OLD) -> str:
    """Put a token into a file that the service has known since then; return its hash."""
    value = f"{path.name}-{sha256(str(path).encode()).hexdigest()}"
    path.write_text(value + "\n")
    digest = emulator.register(value, wallet=wallet)
    emulator.set_created(digest, created)
    return digest


def picture(result: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(result[name] for name in ("changed", "status", "created", "rotation_due"))


@pytest.mark.essential
def test_a_nightly_play(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    names = ("old", "paid", "empty")
    hashes = {name: stored(emulator, tmp_path / name) for name in names}
    emulator.set_wallet(hashes["paid"], 5000)
    emulator.set_wallet(hashes["empty"], 0)
    items = [{"path": str(tmp_path / name)} for name in (*names, "new")]
    ansible.play(token(path=str(tmp_path / "new")))
    run = ansible.play(
        {**token("check", tokens=items, **RULE), "check_mode": True},
        token("first", tokens=items, **RULE),
        options=("-vvv",),
    )
    for name in ("check", "first"):
        old, paid, empty, new = run[name]["tokens"]
        assert picture(old) == (True, "replaced", None, False)
        assert picture(paid) == (False, "kept", OLD, True)
        assert picture(empty) == (False, "kept", None, None)
        assert (new["changed"], new["status"], new["rotation_due"]) == (False, "kept", False)
        assert new["created"]
        (about_paid, about_empty) = sorted(run[name]["warnings"], reverse=True)
        assert "499" in about_paid
        assert f"Its place: the file {tmp_path / 'paid'}." in about_paid
        assert "its wallet is empty" in about_empty
    assert Path(run["first"]["tokens"][0]["backup_file"]).read_text().startswith("old-")
    assert emulator.stats()["credits_spent"] == 6, "1 a token with a balance and a run, in check mode too"
    for entry in run["first"]["tokens"]:
        assert entry["token"] not in run.shown
    emulator.reset_stats()
    again = ansible.play(token(tokens=items, max_loss=5000, **RULE))["result"]
    assert [entry["status"] for entry in again["tokens"]] == ["kept", "replaced", "kept", "kept"]
    quiet = ansible.play(token(path=str(tmp_path / "old"), **RULE))["result"]
    assert (quiet["changed"], quiet.get("warnings")) == (False, None)


def test_what_the_service_cannot_say(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "token"
    stored(emulator, path)
    emulator.options(balance_headers=False)
    run = ansible.play(token(path=str(path), **RULE))
    assert picture(run["result"]) == (False, "kept", None, None)
    assert "did not report its balance" in str(run["result"]["warnings"])
    assert emulator.stats()["credits_spent"] == 0
    emulator.options(balance_headers=True)
    emulator.fault("GET /token", "status", status=500, times=0)
    run = ansible.play(
        token(path=str(path), retries=0, ignore_errors=True, **RULE),
        token("many", tokens=[{"path": str(path)}], retries=0, ignore_errors=True, **RULE),
    )
    assert run["result"]["reason"] == "unavailable"
    (entry,) = run["many"]["tokens"]
    assert (entry["created"], entry["rotation_due"], entry["reason"]) == (None, None, "unavailable")
    assert path.read_text().startswith("token-")


WRONG: dict[str, dict[str, Any]] = {
    "bare": {"max_age": 90},
    "unit": {"max_age": "90y"},
    "negative": {"max_age": "90d", "max_loss": -1},
    "unverified": {"verify": False, **RULE},
    "adopted": {"token": GIVEN, **RULE},
    "always": {"regenerate": "always", **RULE},
    "item": {"tokens": [{"path": "PATH"}, {"path": "OTHER", "token": GIVEN}], **RULE},
}


def test_what_does_not_go_with_it(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "token"
    stored(emulator, path)
    tasks = []
    for name, options in WRONG.items():
        where = {} if "tokens" in options else {"path": str(path)}
        options = json.loads(json.dumps(options).replace("PATH", str(path)))
        tasks.append(token(name, ignore_errors=True, **where, **options))
    tasks.append(token("placeless", ignore_errors=True, **RULE))
    tasks.append(token("here", ignore_errors=True, command={"argv": ["true"]}, verify=False, **RULE))
    run = ansible.play(*tasks)
    assert {name: result.get("reason") for name, result in run.registered.items()} == dict.fromkeys(
        run.registered, "invalid_input"
    )
    assert "such as 90d" in run["bare"]["msg"]
    assert emulator.stats()["total"] == 0


def test_the_role(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "token"
    stored(emulator, path)
    variables = {
        "echovalue_token_store": "file",
        "echovalue_token_path": str(path),
        "echovalue_token_max_age": "90d",
        "echovalue_token_max_loss": 10,
    }
    run = ansible.play(role(variables), also=("echovalue_token_result",))
    assert picture(run["echovalue_token_result"]) == (False, "kept", OLD, True)
    run = ansible.play(role({**variables, "echovalue_token_max_loss": 100}), also=("echovalue_token_result",))
    assert picture(run["echovalue_token_result"]) == (True, "replaced", None, False)


def test_runs_at_once_rotate_once(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "token"
    stored(emulator, path)
    emulator.options(latency=0.2)
    playbook = ansible.playbook(token(path=str(path), **RULE))
    screens = finished(*(ansible.start(playbook) for _ in range(4)))
    assert sum("changed=1" in screen for screen in screens) == 1
    assert emulator.stats()["mints"] == 1
