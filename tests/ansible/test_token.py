# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_token: each state by check, run, check again, run again; faults; races."""

from __future__ import annotations

import os
import signal
import stat
import time
from hashlib import sha256
from pathlib import Path

import pytest

from tests.testkit.playbook import Ansible, checked, finished, token, wait_until
from tools.emulator.client import Emulator

ADOPTED = "given-token-0123456789abcdef"


def content(directory: Path) -> dict[str, str]:
    return {entry.name: entry.read_text() for entry in directory.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory only for tokens."""
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


@pytest.mark.essential
def test_a_life(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.register(ADOPTED, wallet=7)
    path = place / "token"
    where = {"path": str(path)}
    run = ansible.play(
        checked(token("check", **where)),
        token("first", **where),
        checked(token("check_again", **where)),
        token("again", copies=[], **where),
        checked(token("check_rotated", regenerate="always", **where)),
        token("rotated", regenerate="always", **where),
        checked(token("check_adopted", token=ADOPTED, **where)),
        token("adopted", token=ADOPTED, **where),
        token("adopted_again", token=ADOPTED, **where),
        options=("-vvvvvv", "--diff"),
    )
    assert run.done() == [
        *((True, "minted"), (True, "minted"), (False, "kept"), (False, "kept")),
        *((True, "replaced"), (True, "replaced"), (True, "adopted"), (True, "adopted"), (False, "kept")),
    ]
    first = run["first"]
    assert (run["check"]["token"], run["check"]["hash"], run["check_rotated"]["token"]) == (None, None, None)
    assert (first["path"], first["backup_file"]) == (str(path), None)
    assert first["hash"] in first["diff"]["after"]
    assert not run.finds(first["token"], run["rotated"]["token"], ADOPTED.removeprefix("given-"))
    assert run["again"]["token"] == run["check_again"]["token"] == first["token"]
    assert (run["again"]["hash"], run["again"]["balance"]) == (first["hash"], 100)
    assert first["hash"] in run["rotated"]["diff"]["before"]
    assert Path(run["rotated"]["backup_file"]).read_text() == first["token"] + "\n"
    assert {run[name]["token"] for name in ("check_adopted", "adopted", "adopted_again")} == {ADOPTED}
    assert (run["adopted"]["balance"], path.read_text()) == (7, ADOPTED + "\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stats = emulator.stats()
    assert (stats["requests"], stats["credits_spent"]) == ({"POST /token": 2, "GET /recharge": 5}, 0)
    before = content(place)
    run = ansible.play(
        checked(token("check", state="absent", **where)),
        token("absent", state="absent", **where),
        checked(token("check_again", state="absent", **where)),
        token("again", state="absent", **where),
        token("new", **where),
        token("without_backup", state="absent", backup=False, **where),
    )
    assert (
        run.done("check", "absent", "check_again", "again")
        == [(True, "removed")] * 2 + [(False, "absent")] * 2
    )
    assert "cannot revoke" in str(run["absent"]["warnings"])
    assert "warnings" not in run["again"]
    assert run["absent"]["token"] is None
    backup = Path(run["absent"]["backup_file"])
    assert (backup.read_text(), stat.S_IMODE(backup.stat().st_mode)) == (ADOPTED + "\n", 0o600)
    assert set(content(place)) == {*before, backup.name} - {"token"}
    assert emulator.stats()["total"] == stats["total"] + 1


def test_without_a_place(ansible: Ansible, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    run = ansible.play(token("proven", token=ADOPTED), checked(token("check")), token("one"), token("two"))
    assert run.done() == [(False, "adopted"), *[(True, "minted")] * 3]
    assert [run["proven"][key] for key in ("token", "path", "balance")] == [ADOPTED, None, 100]
    assert run["one"]["token"] != run["two"]["token"]
    assert emulator.stats()["mints"] == 2


def test_a_failure_is_not_censored(ansible: Ansible, place: Path) -> None:
    dead = "dead-token-0123456789abcdef"
    (place / "token").write_text(dead)
    refused = ansible.play(token(path=str(place / "token")), fails=True)
    assert "if_invalid" in refused["result"]["msg"]
    assert "if_invalid" in refused.screen
    assert not refused.finds(dead)


@pytest.mark.essential
def test_a_mint_in_doubt_is_sent_once(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.fault("POST /token", "drop", after_work=True, times=0)
    run = ansible.play(token(path=str(place / "token")), fails=True)
    assert "may have been minted and lost" in run["result"]["msg"]
    assert len([r for r in emulator.requests() if r["method"] == "POST"]) == 1
    assert content(place) == {}


def test_what_is_in_the_way_is_reported_before_any_mint(
    ansible: Ansible, emulator: Emulator, place: Path
) -> None:
    (place / "empty").write_text("")
    run = ansible.play(
        token("empty", path=str(place / "empty"), ignore_errors=True),
        token("missing", path=str(place / "missing/token"), ignore_errors=True),
        token("owner", path=str(place / "owned"), owner="no-such-user", ignore_errors=True),
        token("http", path=str(place / "http"), base_url="http://echovalue.example", ignore_errors=True),
        token("both", path=str(place / "both"), token=ADOPTED, regenerate="always", ignore_errors=True),
        token("absent", state="absent", ignore_errors=True),
        checked(token("later", path=str(place / "missing" / "token"))),
    )
    assert all(run[name].get("failed") for name in run.registered if name != "later"), run.registered
    assert run.done("later") == [(True, "minted")]
    assert "does not exist" in str(run["later"]["warnings"])
    assert emulator.stats()["total"] == 0
    assert list(content(place)) == ["empty"]


def test_owner_group_and_mode(ansible: Ansible, place: Path) -> None:
    path = place / "token"
    options = {"path": str(path), "mode": "0640", "group": str(os.getgid())}
    check = checked(token("check", **options))
    run = ansible.play(check, token("first", **options), check, token("again", **options))
    assert run.done("first", "again", "check") == [(True, "minted"), (False, "kept"), (False, "kept")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    # An existing file keeps its mode, also where its token is replaced.
    for options in ({}, {"regenerate": "always"}):
        ansible.play(token(path=str(path), **options))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.essential
def test_many_processes_at_once_end_with_one_token(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.options(latency=0.2)
    playbook = ansible.playbook(token(path=str(place / "token")))
    finished(*(ansible.start(playbook) for _ in range(4)))
    assert emulator.stats()["mints"] == 1
    assert list(content(place)) == ["token"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_cancelled_during_the_mint_keeps_the_token(
    ansible: Ansible, emulator: Emulator, place: Path, number: int
) -> None:
    emulator.fault("POST /token", "late", seconds=2)
    process = ansible.start(ansible.playbook(token(path=str(place / "token"))), start_new_session=True)
    wait_until(lambda: (place / ".token.new").exists())
    time.sleep(0.5)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    wait_until(lambda: (place / "token").exists())
    assert emulator.stats()["mints"] == 1
    minted = sha256((place / "token").read_bytes().strip()).hexdigest()
    assert minted in {known["hash"] for known in emulator.tokens()}


def test_a_run_that_is_killed_holds_nobody_up(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.fault("POST /token", "hang")
    process = ansible.start(ansible.playbook(token(path=str(place / "token"))), start_new_session=True)
    wait_until(lambda: emulator.stats()["mints"] == 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert ansible.play(token(path=str(place / "token"))).done() == [(True, "minted")]
    assert list(content(place)) == ["token"]
