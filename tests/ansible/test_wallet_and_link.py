# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_wallet_info and echovalue_recharge_link; defaults, the environment, certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.testkit.playbook import Ansible, alert, checked, link, token, wallet
from tools.emulator.client import Emulator

ENTRY = {"name", "hash", "wallet", "created", "cost", "forecast", "failed", "reason", "msg"}
ADOPTED = "given-token-0123456789abcdef"


@pytest.mark.essential
def test_wallets_and_links(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = str(tmp_path / "token")
    Path(path).write_text(ADOPTED)
    emulator.forget(emulator.register(ADOPTED))
    digest = emulator.register(ADOPTED)
    ansible.environment["ECHOVALUE_TOKEN"] = "token-without-credits-0123456789"
    emulator.register(ansible.environment["ECHOVALUE_TOKEN"], wallet=0)
    run = ansible.play(
        wallet("free", path=path, details=False),
        wallet("whole", path=path),
        checked(wallet("checked", path=path)),
        wallet("empty"),
        wallet("both", path=path, token=ADOPTED, ignore_errors=True),
        link("one"),
        link("three", path=path, amount=3),
        link("two", path=path, amount=2, ignore_errors=True),
        {**link("no_token", ignore_errors=True), "environment": {"ECHOVALUE_TOKEN": ""}},
    )

    def picture(name: str) -> tuple[object, ...]:
        result = run[name]
        return result["changed"], result["wallet"], result["created"], result["hash"], result["cost"]

    assert picture("free") == (False, 100, None, digest, 0)
    assert picture("whole")[:2] == (False, 99)
    assert run["whole"]["cost"] == 1
    assert run["whole"]["created"].endswith("Z")
    assert run["checked"]["wallet"] == 98
    assert picture("empty")[1:3] == (0, None)
    assert "mutually exclusive" in run["both"]["msg"]
    assert emulator.stats()["credits_spent"] == 2
    assert [run[name]["amount"] for name in ("one", "three")] == [1, 3]
    assert [run[name]["balance"] for name in ("one", "three")] == [0, 98]
    assert [run[name]["reason"] for name in ("two", "no_token")] == ["invalid_input"] * 2
    assert "ECHOVALUE_TOKEN" in run["no_token"]["msg"]
    asked = [request["query"] for request in emulator.requests() if request["path"] == "/recharge"]
    assert asked[-2:] == ["amount=1", "amount=3"]


def test_a_forecast(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    spender = "token-that-spends-0123456789abcdef"
    emulator.forget(emulator.register(spender))
    hash_ = emulator.register(spender, wallet=9)
    run = ansible.play(
        wallet("paid", token=spender),
        wallet("free", token=spender, details=False, forecast=True),
        checked(wallet("fresh", path=str(tmp_path / "none"), forecast=True)),
        wallet("dead", token="dead-token-0123456789abcdef", forecast=True, ignore_errors=True),
    )
    assert "forecast" not in run["paid"]
    assert (run["free"]["wallet"], run["free"]["cost"], run["free"]["hash"]) == (8, 0, hash_)
    forecast = run["free"]["forecast"]
    assert (forecast["spent"], forecast["per_day"], forecast["days_left"]) == (1, None, None)
    assert forecast["entries"] == 2  # asking for the balance is the other
    assert run["fresh"]["forecast"] is None
    assert run["dead"]["reason"] == "unauthorized"
    assert len(run["dead"]["hash"]) == 64
    assert emulator.stats()["credits_spent"] == 1


def test_many_wallets(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    names = [f"team{number}" for number in range(12)]
    hashes = [emulator.register(f"token-of-{name}-0123456789", wallet=n) for n, name in enumerate(names)]
    tokens = [{"name": name, "token": f"token-of-{name}-0123456789"} for name in names]
    (tmp_path / "token").write_text(tokens[0].pop("token") + "\n")
    tokens[0]["path"] = str(tmp_path / "token")
    emulator.reset_stats()
    run = ansible.play(
        wallet("all", details=False, tokens=tokens),
        wallet("nothing", details=False, tokens=[]),
        options=("-vvv",),
    )
    wallets = run["all"]["wallets"]
    assert [(one["name"], one["wallet"], one["hash"]) for one in wallets] == [
        (name, number, hash_) for number, (name, hash_) in enumerate(zip(names, hashes))
    ]
    assert {one["failed"] for one in wallets} == {False}
    assert set(wallets[0]) == ENTRY
    assert run["nothing"]["wallets"] == []
    assert emulator.stats()["requests"] == {"GET /recharge": 12}
    assert emulator.stats()["connections"] <= 8
    assert not run.finds(*(one["token"] for one in tokens[1:]))


def test_a_failure_of_one_wallet_stops_no_other(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    emulator.register(ADOPTED, wallet=5)
    emulator.reset_stats()
    run = ansible.play(
        wallet(
            "result",
            ignore_errors=True,
            forecast=True,
            tokens=[
                {"name": "dead", "token": "dead-token-0123456789abcdef"},
                {"name": "missing", "path": str(tmp_path / "none")},
                {"name": "unnamed"},
                {"name": "good", "token": ADOPTED},
            ],
        ),
        checked(wallet("check", tokens=[{"name": "missing", "path": str(tmp_path / "none")}])),
        wallet("two", ignore_errors=True, tokens=[{"name": "x", "token": ADOPTED, "path": "/x"}]),
        wallet("beside", ignore_errors=True, token=ADOPTED, tokens=[]),
    )
    result = run["result"]
    assert [one["reason"] for one in result["wallets"]] == [
        *("unauthorized", "invalid_input", "invalid_input", None),
    ]
    assert (result["reason"], result["failed"]) == ("unauthorized", True)
    assert result["msg"].startswith("3 of 4 wallets could not be read. dead: ")
    assert (result["wallets"][3]["wallet"], result["wallets"][3]["forecast"]["days_left"]) == (4, None)
    assert len(result["wallets"][0]["hash"]) == 64
    assert (run["check"]["wallets"][0]["wallet"], run["check"]["wallets"][0]["failed"]) == (None, False)
    assert {run[name]["reason"] for name in ("two", "beside")} == {"invalid_input"}


def test_defaults_of_the_action_group(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    del ansible.environment["ECHOVALUE_BASE_URL"]
    path = str(tmp_path / "token")
    run = ansible.play(
        token(path=path),
        wallet("wallet", path=path),
        link("link", path=path),
        module_defaults={"group/echovalue.cloud.echovalue": {"base_url": emulator.url, "retries": 0}},
    )
    assert run["result"]["status"] == "minted"
    assert run["wallet"]["wallet"] == 99


def test_a_check_on_a_fresh_host(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    path = str(tmp_path / "to-come")
    tasks = (
        wallet("wallet", path=path),
        link("link", path=path, amount=3),
        alert("on", path=path, threshold=50, webhook={"url": "https://hooks.example.com/x"}),
        alert("off", path=path, state="absent"),
    )
    run = ansible.play(*tasks, options=("--check",))
    alerts = {"threshold": None, "email": None, "webhook_host": None, "cost": 0}
    for name, nothing in {
        "wallet": {"changed": False, "wallet": None, "created": None, "hash": None, "cost": 0},
        "link": {"changed": False, "url": None, "amount": 3, "balance": None, "contains_token": False},
        "on": {"changed": True, **alerts},
        "off": {"changed": False, **alerts},
    }.items():
        assert run[name].items() >= nothing.items()
        assert "a task before this one may provide it" in str(run[name]["warnings"])
    assert emulator.stats()["total"] == 0


def test_requests_that_is_missing_is_named(ansible: Ansible, tmp_path: Path) -> None:
    (tmp_path / "hide").mkdir()
    ansible.environment["PYTHONPATH"] += f":{tmp_path / 'hide'}"
    for fault, words in (
        ("ImportError('No module named requests')", "requests"),
        ("OSError('no libssl here')", "It is installed, and cannot be used: OSError: no libssl here."),
    ):
        (tmp_path / "hide" / "requests.py").write_text(f"raise {fault}")
        run = ansible.play(
            token("target", path=str(tmp_path / "token"), ignore_errors=True),
            token("controller", command={"argv": ["true"]}, ignore_errors=True),
        )
        for result, python in zip(run.registered.values(), (ansible.target, ansible.python)):
            assert result["reason"] == "invalid_input"
            assert words in result["msg"]
            assert python in result["msg"]
    assert not (tmp_path / "token").exists()
