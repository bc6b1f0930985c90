# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_token: each state by check, run, check again, run again; faults; races."""

from __future__ import annotations

import os
import signal
import stat
import time
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.playbook import Ansible, Task, finished, token, wait_until
from tests.testkit.service_faults import emulated
from tools.emulator.client import Emulator

GIVEN = "given-token-0123456789abcdef"


def cycle(ansible: Ansible, **options: Any) -> tuple[dict[str, Any], ...]:
    """Check, run, check again, run again: return the four results."""
    names = ("check", "run", "check_again", "run_again")
    tasks: list[Task] = []
    for name in names:
        tasks.append({**token(name, **options), "check_mode": name.startswith("check"), "diff": True})
    run = ansible.play(*tasks)
    return tuple(run[name] for name in names)


def picture(result: dict[str, Any]) -> tuple[bool, str]:
    return result["changed"], result["status"]


def content(directory: Path) -> dict[str, str]:
    return {entry.name: entry.read_text() for entry in directory.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for tokens alone."""
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


@pytest.fixture
def stored(emulator: Emulator, place: Path) -> dict[str, Any]:
    """A token that the service knows, in the file `token` of that directory."""
    value = f"stored-token-{uuid.uuid4().hex}"
    (place / "token").write_text(value + "\n")
    (place / "token").chmod(0o600)
    return {"token": value, "hash": emulator.register(value)}


@pytest.mark.essential
def test_minting(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    path = place / "token"
    check, run, check_again, run_again = cycle(ansible, path=str(path))
    assert picture(check) == (True, "minted")
    assert (check["token"], check["hash"]) == (None, None)
    assert picture(run) == (True, "minted")
    assert picture(check_again) == picture(run_again) == (False, "kept")
    assert path.read_text() == run["token"] + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run_again["token"] == check_again["token"] == run["token"]
    assert run_again["hash"] == run["hash"]
    assert run_again["balance"] == 100
    assert run["path"] == str(path)
    assert run["backup_file"] is None
    assert run["hash"] in run["diff"]["after"]
    assert run["token"] not in str(run["diff"])
    assert list(content(place)) == ["token"]
    stats = emulator.stats()
    assert stats["mints"] == 1
    assert stats["credits_spent"] == 0
    assert stats["total"] == 3, "one mint, and one probe for each run that found the token"


@pytest.mark.essential
def test_adopting(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.register(GIVEN, wallet=7)
    path = place / "token"
    check, run, check_again, run_again = cycle(ansible, path=str(path), token=GIVEN)
    assert picture(check) == picture(run) == (True, "adopted")
    assert picture(check_again) == picture(run_again) == (False, "kept")
    assert check["token"] == run["token"] == run_again["token"] == GIVEN
    assert run["balance"] == 7
    assert path.read_text() == GIVEN + "\n"
    assert emulator.stats()["mints"] == 0


def test_without_a_place(ansible: Ansible, emulator: Emulator) -> None:
    emulator.register(GIVEN)
    run = ansible.play(
        token("proven", token=GIVEN), {**token("check"), "check_mode": True}, token("one"), token("two")
    )
    assert picture(run["proven"]) == (False, "adopted")
    assert [run["proven"][key] for key in ("token", "path", "balance")] == [GIVEN, None, 100]
    assert picture(run["check"]) == picture(run["one"]) == (True, "minted")
    assert run["one"]["token"] != run["two"]["token"]
    assert emulator.stats()["mints"] == 2


@pytest.mark.essential
def test_removing(ansible: Ansible, emulator: Emulator, place: Path, stored: dict[str, Any]) -> None:
    path = place / "token"
    emulator.reset_stats()
    check, run, check_again, run_again = cycle(ansible, path=str(path), state="absent")
    assert picture(check) == picture(run) == (True, "removed")
    assert picture(check_again) == picture(run_again) == (False, "absent")
    assert "cannot revoke" in str(run["warnings"])
    assert "warnings" not in run_again
    assert run["token"] is None
    assert list(content(place).values()) == [stored["token"] + "\n"]
    assert stat.S_IMODE(Path(run["backup_file"]).stat().st_mode) == 0o600
    assert emulator.stats()["total"] == 0
    ansible.play(token(path=str(path)), token(path=str(path), state="absent", backup=False))
    assert list(content(place).values()) == [stored["token"] + "\n"]


@pytest.mark.essential
def test_rotating(ansible: Ansible, emulator: Emulator, place: Path, stored: dict[str, Any]) -> None:
    path = place / "token"
    check, run, _check_again, run_again = cycle(ansible, path=str(path), regenerate="always")
    assert picture(check) == picture(run) == picture(run_again) == (True, "replaced")
    assert check["token"] is None
    assert Path(run["backup_file"]).read_text() == stored["token"] + "\n"
    assert Path(run_again["backup_file"]).read_text() == run["token"] + "\n"
    assert path.read_text() == run_again["token"] + "\n"
    assert stored["hash"] in run["diff"]["before"]


def test_a_token_that_the_service_forgot(
    ansible: Ansible, emulator: Emulator, place: Path, stored: dict[str, Any]
) -> None:
    path = place / "token"
    emulator.forget(stored["hash"])
    refused = ansible.play(token(path=str(path)), fails=True)
    assert "if_invalid" in refused["result"]["msg"]
    assert "if_invalid" in refused.screen, "a failure is not censored"
    assert not refused.finds(stored["token"])
    assert path.read_text() == stored["token"] + "\n"
    _check, run, _check_again, run_again = cycle(ansible, path=str(path), regenerate="if_invalid")
    assert picture(run) == (True, "replaced")
    assert picture(run_again) == (False, "kept")


@pytest.mark.parametrize("fault", ["a login page with 200", "silence"])
def test_doubt_changes_nothing(
    ansible: Ansible, emulator: Emulator, place: Path, stored: dict[str, Any], fault: str
) -> None:
    path = place / "token"
    emulator.fault("*", times=0, **emulated(fault))
    quick = {"retries": 0, "timeout": 0.5}
    run = ansible.play(
        token("kept", path=str(path), regenerate="if_invalid", ignore_errors=True, **quick),
        token("new", path=str(place / "new"), ignore_errors=True, **quick),
        token("unverified", path=str(path), verify=False),
    )
    assert run["kept"]["failed"]
    assert run["new"]["failed"]
    assert picture(run["unverified"]) == (False, "kept")
    assert content(place) == {"token": stored["token"] + "\n"}
    assert "Traceback" not in run.shown


@pytest.mark.essential
def test_a_mint_in_doubt_is_sent_once(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.fault("POST /token", "drop", after_work=True, times=0)
    run = ansible.play(token(path=str(place / "token")), fails=True)
    assert "may have been minted and lost" in run["result"]["msg"]
    assert len([r for r in emulator.requests() if r["method"] == "POST"]) == 1
    assert content(place) == {}


def test_what_stands_in_the_way_is_told_before_any_mint(
    ansible: Ansible, emulator: Emulator, place: Path
) -> None:
    (place / "empty").write_text("")
    (place / "binary").write_bytes(b"\xff\0" * 40)
    (place / "directory").mkdir()
    names = ["empty", "binary", "directory", "missing/token", "empty/token"]
    run = ansible.play(
        *[token(f"r{i}", path=str(place / name), ignore_errors=True) for i, name in enumerate(names)],
        token("owner", path=str(place / "owned"), owner="no-such-user", ignore_errors=True),
        token("http", path=str(place / "http"), base_url="http://echovalue.example", ignore_errors=True),
        token("both", path=str(place / "both"), token=GIVEN, regenerate="always", ignore_errors=True),
        token("absent", state="absent", ignore_errors=True),
        {**token("later", path=str(place / "missing" / "token")), "check_mode": True},
    )
    assert all(run[name].get("failed") for name in run.registered if name != "later"), run.registered
    assert picture(run["later"]) == (True, "minted")
    assert "does not exist" in str(run["later"]["warnings"])
    assert emulator.stats()["total"] == 0
    assert sorted(entry.name for entry in place.iterdir()) == ["binary", "directory", "empty"]


def test_owner_group_and_mode(ansible: Ansible, place: Path) -> None:
    path = place / "token"
    options = {"path": str(path), "mode": "0640", "group": str(os.getgid())}
    check, run, check_again, run_again = cycle(ansible, **options)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [result["changed"] for result in (check, run, check_again, run_again)] == [
        True,
        True,
        False,
        False,
    ]
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
    (known,) = [known for known in emulator.tokens() if known["hash"] == token_hash(place / "token")]
    assert known["wallet"] == 100


def test_a_run_that_is_killed_holds_nobody_up(ansible: Ansible, emulator: Emulator, place: Path) -> None:
    emulator.fault("POST /token", "hang")
    process = ansible.start(ansible.playbook(token(path=str(place / "token"))), start_new_session=True)
    wait_until(lambda: emulator.stats()["mints"] == 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    result = ansible.play(token(path=str(place / "token")))["result"]
    assert picture(result) == (True, "minted")
    assert list(content(place)) == ["token"]


def token_hash(path: Path) -> str:
    return sha256(path.read_text().strip().encode()).hexdigest()
