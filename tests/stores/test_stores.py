# SPDX-License-Identifier: BSD-2-Clause
"""What every place promises, against the real server or program."""

from __future__ import annotations

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.stores.conftest import AtTheMint, Controller, stores
from tests.testkit.hunt import hunt
from tests.testkit.places import Place
from tests.testkit.playbook import alert, checked, link, logs, role, token, wallet
from tools.emulator.client import Emulator

# As awkward as a value may be of another user.
OTHERS = {"user": "{{ 1 + 1 }}", "number": "007", "word": "a: 'b' # \"c\"\n%", "empty": ""}
ADOPTED = "given-token-0123456789abcdef"
ALL = ("hashi_vault", "aws_secretsmanager", "sops", "command", "kubernetes")


def others(place: Place) -> dict[str, Any]:
    return OTHERS if place.key else {}


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def kept(place: Place, name: str = "") -> Any:
    return place.content(name).get(place.key or "token")


@pytest.mark.essential
@stores(*ALL, "pass")
def test_a_life_beside_other_keys(ansible: Controller, emulator: Emulator, place: Place) -> None:
    if others(place):
        place.put(others(place))
    run = ansible.play(
        checked(token("check", **place.options)),
        token("first", **place.options),
        token("again", **place.options),
        token("trusted", verify=False, **place.options),
        checked(token("check_rotated", regenerate="always", **place.options)),
        token("rotated", regenerate="always", **place.options),
        options=("-vvv",),
    )
    assert run.done() == [
        *((True, "minted"), (True, "minted"), (False, "kept"), (False, "kept")),
        *((True, "replaced"), (True, "replaced")),
    ]
    for result in run.registered.values():
        assert result["hash"] == (result["token"] and hash_of(result["token"]))
    first, new = run["first"]["token"], run["rotated"]["token"]
    assert run["check"]["token"] is run["check_rotated"]["token"] is None
    assert run["again"]["token"] == run["trusted"]["token"] == first != new
    assert run["again"]["balance"] == 100
    assert place.content() == {**others(place), place.key or "token": new}
    assert emulator.stats()["requests"] == {"POST /token": 2, "GET /recharge": 1}
    assert {entry["store"] for entry in run.registered.values()} == {place.store}
    assert {entry["path"] for entry in run.registered.values()} == {place.named("").get("file")}
    assert not run.finds(first, new)
    assert run["check_rotated"]["diff"]["before"] == f"sha256 {run['first']['hash']}\n"
    assert ansible.pending == []

    former = run["rotated"]["backup_file"]
    assert [str(path) for path in ansible.spool] == ([former] if place.keeps_former else [])
    if former:
        assert stat.S_IMODE(Path(former).stat().st_mode) == 0o600
        assert (Path(former).read_text() == f"{first}\n") == place.keeps_former
    if place.key is None:  # a program has no way to take it away
        run = ansible.play(token("absent", ignore_errors=True, state="absent", **place.options))
        assert run["absent"]["reason"] == "invalid_input"
        assert kept(place) == new
        return
    emulator.register(ADOPTED)
    run = ansible.play(
        checked(token("check", state="absent", **place.options)),
        token("absent", state="absent", backup=False, **place.options),
        token("again", state="absent", **place.options),
        token("adopted", token=ADOPTED, **place.options),
    )
    assert run.done() == [*[(True, "removed")] * 2, (False, "absent"), (True, "adopted")]
    assert run["absent"]["backup_file"] is None
    assert place.content() == {**others(place), place.key: ADOPTED}


@stores(*ALL)
def test_a_place_that_refuses_writes(
    ansible: Controller, emulator: Emulator, at_the_mint: AtTheMint, place: Place
) -> None:
    """It is found out before the mint where a place can be asked; else the next run makes it good."""
    if place.rehearses:
        place.refuse()
        run = ansible.play(
            checked(token("check", ignore_errors=True, **place.options)),
            token("refused", ignore_errors=True, **place.options),
        )
        place.accept()
        for result in run.registered.values():
            assert result["reason"] == "store"
            assert "No token was minted" in result["msg"]
        assert (emulator.stats()["total"], place.content()) == (0, {})
    screen = broken_after_the_mint(ansible, at_the_mint, place)
    (handover,) = ansible.pending
    minted = handover.read_text().rstrip("\n")
    assert stat.S_IMODE(handover.stat().st_mode) == 0o600
    assert stat.S_IMODE(handover.parent.stat().st_mode) == 0o700
    assert str(handover) in screen
    assert "run again" in screen
    assert not hunt([minted], {"the screen": screen})
    assert place.content() == {}
    run = ansible.play(checked(token("check", **place.options)), token("again", **place.options))
    assert run.done() == [(True, "minted"), (True, "minted")]
    assert run["again"]["token"] == kept(place) == minted
    assert emulator.stats()["mints"] == 1
    assert ansible.spool == []


@stores("hashi_vault", "aws_secretsmanager")
def test_the_advice_for_a_pending_token_works(
    ansible: Controller, emulator: Emulator, at_the_mint: AtTheMint, place: Place
) -> None:
    """Word for word: by the same task once it may write, or by one for another place."""
    screen = broken_after_the_mint(ansible, at_the_mint, place)
    (pending,) = ansible.pending
    minted = pending.read_text().rstrip("\n")
    place.refuse()
    run = ansible.play(token("refused", ignore_errors=True, **place.options))
    place.accept()
    assert str(pending) in run["refused"]["msg"]
    assert "No token was minted, and nothing" not in run["refused"]["msg"]
    found = re.search(r"as token: (\"{{ .+? }}\"), then delete that file\.", run["refused"]["msg"])
    assert found
    assert found[1].replace('"', "") in screen
    elsewhere = place.at("-elsewhere")
    run = ansible.play(token("adopted", token=json.loads(found[1]), **elsewhere), token("again", **elsewhere))
    assert run.done() == [(True, "adopted"), (False, "kept")]
    assert run["again"]["token"] == kept(place, "-elsewhere") == minted
    assert ansible.pending == [pending]
    run = ansible.play(token("corrected", **place.options))
    assert run.done() == [(True, "minted")]
    assert run["corrected"]["token"] == minted
    assert (emulator.stats()["mints"], ansible.pending) == (1, [])


def broken_after_the_mint(ansible: Controller, at_the_mint: AtTheMint, place: Place) -> str:
    """Let writes fail from the mint on; return what was shown."""
    at_the_mint.append(place.refuse)
    run = ansible.play(token("broken", ignore_errors=True, **place.options), options=("-vvv",))
    at_the_mint.clear()
    place.accept()
    assert (run["broken"]["failed"], run["broken"]["reason"]) == (True, "store")
    return run.shown


@pytest.mark.parametrize("by_age", [False, True])
@stores(*ALL, "pass")
def test_two_controllers_at_once_end_with_one_token(
    ansible: Controller,
    other_ansible: Controller,
    emulator: Emulator,
    at_the_mint: AtTheMint,
    place: Place,
    by_age: bool,
) -> None:
    """One that both mint, or the one to which both rotate an old one."""
    both = (ansible, other_ansible)
    options = {"max_age": "1h", "backup": False} if by_age else {}
    if by_age:
        emulator.set_created(emulator.register(ADOPTED), "2024-02-29T23:59:59.77Z")
        place.put({place.key or "token": ADOPTED})
    at_the_mint.append(Barrier(2, timeout=60).wait)  # neither gets a token before both have asked for one
    for name in (*place.environment, "ECHOVALUE_BASE_URL"):
        other_ansible.environment[name] = ansible.environment[name]
    task = token(timeout=90, **options, **place.options)
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda one: one.play(task), both))
    assert not [run.screen for run in runs if "fatal" in run.screen or "ERROR" in run.screen]
    results = [run["result"] for run in runs]
    assert [result["token"] for result in results] == [kept(place)] * 2
    changed = (True, "replaced" if by_age else "minted")
    assert sorted((one["changed"], one["status"]) for one in results) == [(False, "kept"), changed]
    at_the_mint.clear()
    again = ansible.play(token("result", max_age="1h", **place.options))["result"]
    assert (again["status"], again["rotation_due"], again["token"]) == ("kept", False, kept(place))
    assert ansible.spool == other_ansible.spool == []
    assert emulator.stats()["mints"] == 2


@stores("command")
def test_hosts_and_runs_that_share_a_spool_mint_one(
    ansible: Controller, emulator: Emulator, place: Place
) -> None:
    inventory = ansible.directory / "inventory"
    inventory.write_text(inventory.read_text() + inventory.read_text().replace("localhost", "other"))
    run = ansible.play(token("result", **place.options), hosts="all")
    assert run.screen.count("failed=0") == 2
    assert run["result"]["token"] == kept(place)
    assert emulator.stats()["mints"] == 1
    assert ansible.spool == []


@stores(*ALL)
def test_many_side_by_side_in_one_secret_and_in_many(
    ansible: Controller, emulator: Emulator, place: Place
) -> None:
    items = [place.at(name) for name in ("", "-b", "-c", "-d")]
    if place.key:
        items += [place.at(key=key) for key in ("x", "y")]
        place.put({**OTHERS, "y": "no token at all"})
    run = ansible.play(
        checked(token("check", ignore_errors=True, tokens=items)),
        token("first", ignore_errors=True, tokens=items),
        token("again", tokens=items[:5]),
    )
    entries = run["first"]["tokens"]
    good = entries[:5]
    assert [entry["status"] for entry in good] == ["minted"] * len(good)
    assert len({entry["hash"] for entry in good}) == len(good)
    assert [entry["hash"] for entry in run["again"]["tokens"]] == [entry["hash"] for entry in good]
    assert [entry["status"] for entry in run["again"]["tokens"]] == ["kept"] * len(good)
    hashes = [hash_of(kept(place, name)) for name in ("", "-b", "-c", "-d")]
    assert hashes == [entry["hash"] for entry in good[:4]]
    if place.key:
        assert (entries[5]["failed"], entries[5]["reason"]) == (True, "store")
        assert place.content()["y"] == "no token at all"
        assert hash_of(place.content()["x"]) == good[4]["hash"]
        assert OTHERS.items() <= place.content().items()
    assert emulator.stats()["mints"] == len(good)
    assert ansible.spool == []


@stores(*ALL)
def test_other_modules_read_the_place(ansible: Controller, emulator: Emulator, place: Place) -> None:
    ansible.play(token("first", **place.options))
    before = place.content()
    emulator.reset_stats()
    file = {"path": str(ansible.directory / "token")}
    Path(file["path"]).write_text(ADOPTED)
    emulator.register(ADOPTED, wallet=3)
    named = {"here": place.options, "missing": place.at("missing"), "file": file}
    wallets = [{"name": name, **options} for name, options in named.items()]
    run = ansible.play(
        wallet("many", ignore_errors=True, details=False, tokens=wallets),
        wallet("wallet", details=False, **place.options),
        checked(wallet("checked", details=False, **place.options)),
        link("link", **place.options),
        alert("alert", threshold=5, **place.options),
        logs("logs", **place.options),
        options=("-vvv",),
    )
    assert [name for name, result in run.registered.items() if result.get("failed")] == ["many"]
    expected = {"here": (100, None), "missing": (None, "invalid_input"), "file": (3, None)}
    assert {one["name"]: (one["wallet"], one["reason"]) for one in run["many"]["wallets"]} == expected
    text = "1 of 3 wallets could not be read. missing: There is no token in "
    assert run["many"]["msg"].startswith(text)
    found = kept(place)
    assert {run[name]["hash"] for name in ("wallet", "checked")} == {hash_of(found)}
    assert (run["link"]["url"].startswith("https://"), run["alert"]["threshold"]) == (True, 5)
    assert len(run["logs"]["logs"]) == 5
    assert not run.finds(found, *place.secrets)
    assert (place.content(), ansible.pending) == (before, [])
    variables = {f"echovalue_wallet_{place.store}": place.options[place.store], "echovalue_wallet_minimum": 1}
    run = ansible.play(role(variables, "wallet"), also=("echovalue_wallet_result",), options=("-vvv",))
    assert run["echovalue_wallet_result"]["enough"] is True
    assert not run.finds(found, *place.secrets)


@stores("hashi_vault", "sops")
def test_other_modules_where_there_is_no_token(ansible: Controller, emulator: Emulator, place: Place) -> None:
    ansible.environment["ECHOVALUE_TOKEN"] = ADOPTED  # which is not asked for
    run = ansible.play(
        wallet("missing", ignore_errors=True, **place.options),
        checked(wallet("check", **place.options)),
        checked(link("check_link", **place.options)),
        wallet("two", ignore_errors=True, token=ADOPTED, **place.options),
        wallet("unnamed", ignore_errors=True, **{place.store: {}}),
    )
    assert run["missing"]["reason"] == "invalid_input"
    assert "There is no token in" in run["missing"]["msg"]
    assert (run["check"]["wallet"], run["check_link"]["url"]) == (None, None)
    assert {run[name]["reason"] for name in ("two", "unnamed")} == {"invalid_input"}
    place.put({place.key or "token": "no token"})
    assert ansible.play(wallet(ignore_errors=True, **place.options))["result"]["reason"] == "store"
    assert emulator.stats()["total"] == 0
