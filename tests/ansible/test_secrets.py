# SPDX-License-Identifier: BSD-2-Clause
"""What is shown never holds a token; what is registered holds it byte for byte."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.playbook import Ansible, alert, link, logs, token, wallet
from tools.emulator.client import Emulator

# From ansible-core 2.22 on.
MASKS = importlib.util.find_spec("ansible.module_utils.secrets") is not None
# As awkward as a token may be: quotes, braces, escapes, what YAML, Jinja or a URL would change.
ADOPTED = "\\\"'{{x}}%41&<>#:!-given-token"
PLAIN = "plain-token-0123456789abcdef"
HOOK = {
    "url": "https://hooks.example.com/SECRET-1",
    "headers": {"Authorization": "Bearer SECRET-2"},
    "options": {"routing_key": "SECRET-3", "chat_id": 5, "on": True},
    "format": "pagerduty",
}


@pytest.mark.parametrize("options", [(), ("-vvvvvv", "--diff"), ("--check", "--diff", "-v")])
def test_a_token_is_registered_and_not_shown(
    ansible: Ansible, emulator: Emulator, tmp_path: Path, options: tuple[str, ...]
) -> None:
    emulator.register(ADOPTED, wallet=9)
    emulator.options(links="token")
    stored = tmp_path / "stored"
    first = ansible.play(token(path=str(stored)))["result"]["token"]
    passed = {"given": {"__ansible_unsafe": ADOPTED}}
    run = ansible.play(
        token("minted", path=str(tmp_path / "new")),
        token("kept", path=str(stored)),
        token("adopted", path=str(tmp_path / "adopted"), token="{{ given }}"),
        token("proven", token="{{ given }}"),
        token("rotated", path=str(stored), regenerate="always"),
        {**token("looped", path="{{ item }}"), "loop": [str(tmp_path / "l1"), str(tmp_path / "l2")]},
        {**token("tried", path=str(stored)), "until": "tried is success", "retries": 2, "delay": 0},
        link("link", token="{{ given }}"),
        wallet("wallet", token="{{ given }}"),
        {**link("links", path="{{ item }}"), "loop": [str(stored)]},
        token("dead", token="dead-token-0123456789", ignore_errors=True),
        wallet("dead_wallet", token="dead-token-0123456789", ignore_errors=True),
        link("dead_link", token="dead-token-0123456789", ignore_errors=True),
        vars=passed,
        options=options,
    )
    assert run["kept"]["token"] == first
    assert run["adopted"]["token"] == run["proven"]["token"] == ADOPTED
    assert run["link"]["contains_token"]
    assert run["wallet"]["wallet"] == 8
    secrets = {first, ADOPTED, "dead-token-0123456789", run["rotated"]["token"] or first}
    for result in (run["minted"], run["tried"], *run["looped"]["results"]):
        if result["token"]:
            secrets.add(result["token"])
    assert len(secrets) >= (3 if "--check" in options else 6)
    assert not run.finds(*secrets, run["link"]["url"])
    assert "Invoked with" in run.syslog, "the shim must see what goes to the system log"
    for failed in ("dead", "dead_wallet", "dead_link"):
        assert "HTTP 401" in run[failed]["msg"]
        assert run[failed]["msg"] in run.shown.replace("\\n", "\n")


def test_a_link_without_the_token_is_shown_whole(ansible: Ansible, tmp_path: Path) -> None:
    run = ansible.play(
        token("token", path=str(tmp_path / "token")),
        link("link", path=str(tmp_path / "token"), amount=3),
        link("given", token="{{ token.token }}", amount=3),
        options=("-v",),
    )
    assert run["link"]["url"] == run["given"]["url"]
    assert run["link"]["url"].startswith("https://buy.stripe.com/")
    assert run["token"]["hash"] in run["link"]["url"]
    assert not run["link"]["contains_token"]
    assert run["link"]["url"] in run.screen
    assert not run.finds(run["token"]["token"])


def test_a_difference_and_what_else_is_seen(ansible: Ansible, tmp_path: Path) -> None:
    path = str(tmp_path / "token")
    debug = {"name": "Print it", "ansible.builtin.debug": {"var": "token.token"}}
    run = ansible.play(token("token", path=path), debug)
    first = run["token"]
    assert ((first["token"] in run.screen), ("$REDACTED$" in run.screen)) == (not MASKS, MASKS)
    difference = f"-sha256 {first['hash']}"
    run = ansible.play(token(path=path, regenerate="always"), options=("--check", "--diff"))
    assert difference in run.screen
    assert "+a new token" in run.screen
    assert not run.finds(first["token"])
    run = ansible.play(token(path=path, regenerate="always"), options=("-v", "--diff"))
    for seen in (run["result"]["hash"], '"status": "replaced"', difference):
        assert (seen in run.screen) == MASKS
    assert not run.finds(run["result"]["token"])


@pytest.mark.essential
def test_no_job_in_the_background(ansible: Ansible, tmp_path: Path) -> None:
    run = ansible.play({**token(path=str(tmp_path / "token")), "async": 10, "poll": 1}, fails=True)
    assert "async" in run.screen
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize("options", [("-vvvvvv", "--diff"), ("--check", "--diff", "-vvv")])
def test_the_values_of_a_webhook_are_not_shown(
    ansible: Ansible, emulator: Emulator, tmp_path: Path, options: tuple[str, ...]
) -> None:
    emulator.register(PLAIN)
    path = str(tmp_path / "token")
    Path(path).write_text(PLAIN)
    wrong: dict[str, Any] = {
        "spelled": {**HOOK, "tokne": "SECRET-4"},
        "no_url": {"headers": HOOK["headers"]},
        "text": "https://hooks.example.com/SECRET-5",
        "headers_text": {**HOOK, "headers": "Authorization: Bearer SECRET-6"},
        "options_text": {**HOOK, "options": "SECRET-7"},
        "http": {**HOOK, "url": "http://hooks.example.com/SECRET-8"},
        "number": {**HOOK, "url": 5},
    }
    run = ansible.play(
        wallet("wallet", path=path, details=False),
        alert("right", path=path, threshold=55, webhook="{{ hook }}"),
        alert("given", token=PLAIN, threshold=56, webhook="{{ hook }}"),
        {**alert("looped", path=path, webhook="{{ hook }}", threshold="{{ item }}"), "loop": [51]},
        *(alert(name, path=path, webhook=value, ignore_errors=True) for name, value in wrong.items()),
        alert("dead", token="dead-token-0123456789", webhook="{{ hook }}", ignore_errors=True),
        vars={"hook": HOOK},
        options=options,
    )
    assert not run.finds("SECRET", PLAIN)
    assert "Invoked with" in run.syslog, "the shim must see what goes to the system log"
    assert "hooks.example.com" in run.screen
    assert run["right"]["threshold"] == 55  # though 5 is one of the values
    assert (run["dead"]["reason"], "HTTP 401" in run["dead"]["msg"]) == ("unauthorized", True)
    assert {run[name]["reason"] for name in wrong} == {"invalid_input"}
    assert "tokne" in run["spelled"]["msg"]


def test_a_log_that_holds_the_token(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(PLAIN)
    entry = {"id": "a", "path": f"/kv/{PLAIN}/x", "cost": 2, "endpoint": "kv", "new": [1]}
    body = json.dumps({"logs": [entry, {"id": "b"}], "n": 2})
    emulator.fault("GET /token/logs", "body", body=body, content_type="application/json", times=2)
    run = ansible.play(
        logs("kept", path=str(tmp_path / "token")),
        logs("given", token=PLAIN),
        options=("-vvv",),
    )
    for name in ("kept", "given"):
        assert run[name]["logs"] == [{**entry, "path": "/kv/********/x"}, {"id": "b"}]
        assert run[name]["spent"] == 2
    assert not run.finds(PLAIN)
