# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_token with max_age: a nightly play that rotates what is old, and leaves paid wallets as they are."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.playbook import Ansible, checked, role, token
from tools.emulator.client import Emulator

OLD = "2024-02-29T23:59:59.77Z"
ADOPTED = "given-token-0123456789abcdef"
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
    run = ansible.play(
        token("new", path=str(tmp_path / "new")),
        checked(token("check", tokens=items, **RULE)),
        token("first", tokens=items, **RULE),
        token("again", tokens=items, max_loss=5000, **RULE),
        token("quiet", path=str(tmp_path / "old"), **RULE),
        token("failed", tokens=[{"path": str(tmp_path / "none" / "token")}], ignore_errors=True, **RULE),
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
    assert [entry["status"] for entry in run["again"]["tokens"]] == ["kept", "replaced", "kept", "kept"]
    assert (run["quiet"]["changed"], run["quiet"].get("warnings")) == (False, None)
    assert picture(run["failed"]["tokens"][0]) == (False, None, None, None)
    # 1 for a token with a balance and a run, in check mode too: 3 of the 4 tokens, and the one of the last.
    assert emulator.stats()["credits_spent"] == 10
    assert not run.finds(*(entry["token"] for entry in run["first"]["tokens"]))


def test_what_does_not_go_with_it(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "token"
    stored(emulator, path)
    here = {"path": str(path)}
    adopts = {"path": str(tmp_path / "other"), "token": ADOPTED}
    run = ansible.play(
        token("bare", ignore_errors=True, max_age=90, **here),
        token("negative", ignore_errors=True, max_loss=-1, **here, **RULE),
        token("always", ignore_errors=True, regenerate="always", **here, **RULE),
        token("item", ignore_errors=True, tokens=[here, adopts], **RULE),
        token("placeless", ignore_errors=True, **RULE),
        token("controller", ignore_errors=True, command={"argv": ["true"]}, verify=False, **RULE),
    )
    assert {result.get("reason") for result in run.registered.values()} == {"invalid_input"}
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
