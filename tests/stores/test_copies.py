# SPDX-License-Identifier: BSD-2-Clause
"""One token in several places: the own place decides, and a copy is compared with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.stores.conftest import AtTheMint, Controller, MakePlace, failures
from tests.testkit.ci_servers import Github, Gitlab
from tests.testkit.places import HashiVault
from tests.testkit.playbook import checked, finished, token
from tests.testkit.web_server import running
from tools.emulator.client import Emulator

ADOPTED = "given-token-0123456789abcdef"
OTHER = "other-token-0123456789abcdef"


def statuses(result: dict[str, Any]) -> list[str]:
    return [copy["status"] for copy in result["copies"]]


def hash_of(value: str) -> str:
    return sha256(value.encode()).hexdigest()


@pytest.fixture
def github() -> Iterator[Github]:
    with running(Github()) as server:
        yield server


@pytest.fixture
def gitlab() -> Iterator[Gitlab]:
    with running(Gitlab()) as server:
        yield server


@pytest.fixture
def place(make_place: MakePlace) -> HashiVault:
    """The own place of most tests."""
    place: HashiVault = make_place("hashi_vault")
    return place


def vault_password(ansible: Controller) -> tuple[str, str]:
    """Return the options of a run that can open a vaulted file."""
    file = ansible.directory / "password"
    file.write_text("of-the-vault")
    return "--vault-password-file", str(file)


def github_copy(server: Github, token: str | None = None, **options: Any) -> dict[str, Any]:
    connection = {"api_url": server.url, "token": token or server.token}
    return {"github_secret": {"repository": "acme/shop", "connection": connection, **options}}


def gitlab_copy(server: Gitlab, token: str | None = None, **options: Any) -> dict[str, Any]:
    connection = {"api_url": server.url, "api_token": token or server.token}
    where = {} if "group" in options else {"project": "acme/shop"}
    return {"gitlab_variable": {**where, "connection": connection, **options}}


@pytest.mark.essential
def test_a_life_with_copies_of_each_kind(
    ansible: Controller,
    emulator: Emulator,
    place: HashiVault,
    make_place: MakePlace,
    github: Github,
    gitlab: Gitlab,
) -> None:
    sops, command, aws = make_place("sops"), make_place("command"), make_place("aws_secretsmanager")
    vaulted = {"vault_file": str(ansible.directory / "vault.yml")}
    copies = [
        {"hashi_vault": place.named("-copy")},
        {"hashi_vault": place.named("", key="second")},  # of the very secret
        sops.options,
        aws.options,
        {**vaulted, "variable": "one"},
        {**vaulted, "variable": "two"},
        github_copy(github),
        github_copy(github, name="shop", environment="production"),
        gitlab_copy(gitlab),
        gitlab_copy(gitlab, group="acme", key="SHOP", environment_scope="production/*", protected=True),
    ]
    with_command = {"copies": [*copies, command.options], **place.options}
    run = ansible.play(
        checked(token("check", **with_command)),
        token("first", **with_command),
        token("again", **with_command),
        token("rotated", regenerate="always", **with_command),
        token("in_vault", verify=False, tokens=[{**vaulted, "variable": name} for name in ("one", "two")]),
        options=("-vvv", *vault_password(ansible)),
    )
    names = ("check", "first", "again", "rotated")
    assert run.done(*names) == [(True, "minted"), (True, "minted"), (False, "kept"), (True, "replaced")]
    assert [set(statuses(run[name])) for name in names] == [{"written"}, {"written"}, {"kept"}, {"written"}]
    first, new = run["first"]["token"], run["rotated"]["token"]
    assert {entry["reason"] for entry in run["first"]["copies"]} == {None}
    stores = [entry["store"] for entry in run["first"]["copies"]]
    assert stores[4:7] == ["ansible_vault", "ansible_vault", "github_secret"]
    everywhere = {
        place.content()["token"],
        place.content("-copy")["token"],
        place.content()["second"],
        sops.content()["echovalue_token"],
        command.content()["token"],
        aws.content()["token"],
        *(entry["token"] for entry in run["in_vault"]["tokens"]),
        github.opened("acme/shop"),
        github.opened("acme/shop/production", "SHOP"),
        gitlab.value(),
        gitlab.value("SHOP", "production/*", "groups", "acme"),
    }
    assert everywhere == {new}
    assert gitlab.variables["projects", "acme/shop", "ECHOVALUE_TOKEN", "*"]["masked"] is True
    assert gitlab.variables["groups", "acme", "SHOP", "production/*"]["protected"] is True
    kept = {path.read_text() for path in ansible.spool}
    assert (kept, ansible.pending) == ({f"{first}\n"}, []), "what copies held is kept as a place keeps it"
    assert emulator.stats()["mints"] == 2
    shown = run.shown

    without_command = {"state": "absent", "copies": copies, **place.options}
    run = ansible.play(
        checked(token("check", **without_command)),
        token("absent", **without_command),
        token("again", **without_command),
        options=("-vvv", *vault_password(ansible)),
    )
    assert run.done() == [(True, "removed"), (True, "removed"), (False, "absent")]
    assert [set(statuses(each)) for each in run.registered.values()] == [{"removed"}, {"removed"}, {"absent"}]
    assert (github.secrets, github.variables, gitlab.variables) == ({}, {}, {})
    for secret in (first, new, github.token, gitlab.token, *place.secrets, *aws.secrets):
        assert secret not in shown + run.shown


def test_a_github_secret_is_written_only_where_it_changed(
    ansible: Controller, place: HashiVault, github: Github
) -> None:
    options = {"copies": [github_copy(github)], **place.options}
    first = ansible.play(token(**options))["result"]["token"]
    note = github.variables["acme/shop", "ECHOVALUE_TOKEN_SHA256"]
    assert note == f"{hash_of(first)} {github.secrets['acme/shop', 'ECHOVALUE_TOKEN']['updated_at']}"
    github.change_by_hand("acme/shop", "changed by hand")
    run = ansible.play(
        checked(token("check", **options)), token("result", **options), token("again", **options)
    )
    assert [statuses(run[name]) for name in run.registered] == [["written"], ["written"], ["kept"]]
    assert github.opened("acme/shop") == first
    del github.variables["acme/shop", "ECHOVALUE_TOKEN_SHA256"]
    github.moves_time = False
    run = ansible.play(token("result", **options), token("again", **options))
    assert [statuses(run[name]) for name in run.registered] == [["written"], ["kept"]]
    github.requests.clear()
    ansible.play(token(**options))
    assert github.requests == [
        "GET /repos/acme/shop/actions/secrets/ECHOVALUE_TOKEN",
        "GET /repos/acme/shop/actions/variables/ECHOVALUE_TOKEN_SHA256",
    ]


def test_a_variable_of_gitlab_keeps_what_the_task_does_not_name(
    ansible: Controller, place: HashiVault, gitlab: Gitlab
) -> None:
    gitlab.put(OTHER, description="of the shop", raw=True)
    gitlab.put("of staging", scope="staging")
    first = ansible.play(token(copies=[gitlab_copy(gitlab)], **place.options))["result"]
    found = gitlab.variables["projects", "acme/shop", "ECHOVALUE_TOKEN", "*"]
    assert (found["value"], found["masked"], found["raw"]) == (first["token"], False, True)
    assert found["description"] == "of the shop"
    assert gitlab.value(scope="staging") == "of staging"
    (former,) = ansible.spool
    assert former.read_text() == f"{OTHER}\n"
    masked = {"copies": [gitlab_copy(gitlab, masked=True, protected=True)], **place.options}
    run = ansible.play(checked(token("check", **masked)), token("result", **masked), token("again", **masked))
    assert [statuses(run[name]) for name in run.registered] == [["written"], ["written"], ["kept"]]
    found = gitlab.variables["projects", "acme/shop", "ECHOVALUE_TOKEN", "*"]
    assert (found["masked"], found["protected"], found["raw"]) == (True, True, True)


def test_what_is_refused_before_the_mint(
    ansible: Controller, place: HashiVault, github: Github, gitlab: Gitlab
) -> None:
    gitlab.put(None, "HIDDEN", hidden=True, masked=True)
    gitlab.put("no token", "NONE")
    github.tokens["of-secrets-only"] = {"secrets"}
    ansible.environment["CI_JOB_TOKEN"] = "glcbt-the-token-of-a-job"
    copies: list[tuple[dict[str, Any], str, str]] = [
        (github_copy(github, github.job_token), "store", "a job's own GITHUB_TOKEN may not"),
        (github_copy(github, "of-secrets-only"), "store", "access to Secrets and Variables"),
        (github_copy(github, "unknown"), "store", "HTTP 401"),
        (github_copy(github, repository="acme/other"), "store", "no such repository"),
        (github_copy(github, environment="other"), "store", "no such repository or environment"),
        (github_copy(github, repository="acme"), "invalid_input", "must be OWNER/NAME"),
        (github_copy(github, name="GITHUB_TOKEN"), "invalid_input", "github_secret.name must be"),
        (github_copy(github, connection={"user": "me"}), "invalid_input", "not known: user"),
        (github_copy(github, connection={"api_url": github.url}), "invalid_input", "needs a token"),
        (gitlab_copy(gitlab, "unknown"), "store", "HTTP 401"),
        (gitlab_copy(gitlab, project="acme/other"), "store", "no such project"),
        (gitlab_copy(gitlab, key="HIDDEN"), "store", "is hidden"),
        (gitlab_copy(gitlab, key="NONE"), "store", "holds no token"),
        (gitlab_copy(gitlab, group="acme", project="acme/shop"), "invalid_input", "project or group"),
        (gitlab_copy(gitlab, ansible.environment["CI_JOB_TOKEN"]), "invalid_input", "a job's own token"),
        (gitlab_copy(gitlab, connection={"api_job_token": "of-a-job"}), "invalid_input", "a job's own token"),
        (gitlab_copy(gitlab, connection={"api_url": gitlab.url}), "invalid_input", "CI_JOB_TOKEN may not"),
        ({"path": "/tmp/token"}, "invalid_input", "path"),
        ({}, "invalid_input", "must say where copy 1 is"),
        ({"command": {"argv": ["true"]}, **gitlab_copy(gitlab)}, "invalid_input", "names two places"),
        (place.options, "invalid_input", "or copies, name key token of"),
        ({"hashi_vault": {**place.named(""), "mount": "/secret/"}}, "invalid_input", "or copies, name"),
    ]
    cases = [({"copies": [copy], **place.options}, reason, text) for copy, reason, text in copies]
    good = gitlab_copy(gitlab)
    run = failures(
        ansible,
        *cases,
        ({"copies": [good, good], **place.options}, "invalid_input", "or copies, name"),
        (
            {"copies": [{"command": {"argv": ["true"]}}], "state": "absent", **place.options},
            "invalid_input",
            "absent",
        ),
        ({"copies": [good]}, "invalid_input", "copies"),
        ({"copies": [good], "path": str(ansible.directory / "t")}, "invalid_input", "copies"),
        ({"copies": [good], "tokens": [place.options]}, "invalid_input", "copies"),
    )
    assert (place.content(), ansible.spool) == ({}, [])
    for secret in (github.token, github.job_token, gitlab.token, *place.secrets):
        assert secret not in run.shown


def test_a_copy_that_fails_is_repaired_by_the_next_run(
    ansible: Controller,
    emulator: Emulator,
    at_the_mint: AtTheMint,
    place: HashiVault,
    github: Github,
    gitlab: Gitlab,
) -> None:
    options = {"copies": [github_copy(github), gitlab_copy(gitlab)], **place.options}

    def refuse() -> None:
        github.see = lambda method, _path: method != "PUT"

    at_the_mint.append(refuse)
    run = ansible.play(token(ignore_errors=True, **options), options=("-vvv",))
    result = run["result"]
    assert (result["failed"], result["reason"], result["changed"]) == (True, "store", True)
    assert (result["status"], result["token"]) == ("minted", None)
    minted = place.content()["token"]
    assert result["hash"] == hash_of(minted)
    assert statuses(result) == ["failed", "written"]
    assert (result["copies"][0]["reason"], result["copies"][1]["reason"]) == ("store", None)
    assert "HTTP 500" in result["copies"][0]["msg"]
    assert "1 of 2 copies failed; the token is in its place." in result["msg"]
    assert gitlab.value() == minted
    assert minted not in run.shown
    at_the_mint.clear()
    github.see = lambda _method, _path: None
    run = ansible.play(token(**options))
    assert (run["result"]["status"], statuses(run["result"])) == ("kept", ["written", "kept"])
    assert run["result"]["changed"] is True
    assert (github.opened("acme/shop"), emulator.stats()["mints"], ansible.spool) == (minted, 1, [])
    # One that is out of reach where nothing is to be minted.
    gitlab.see = lambda _method, _path: False
    run = ansible.play(
        token(ignore_errors=True, **options), token("many", ignore_errors=True, tokens=[options])
    )
    assert (run["result"]["status"], statuses(run["result"])) == ("kept", ["kept", "failed"])
    (entry,) = run["many"]["tokens"]
    assert entry.items() >= {"status": "kept", "failed": True, "reason": "store", "token": None}.items()
    run = ansible.play(token(ignore_errors=True, state="absent", **options))
    assert (run["result"]["status"], run["result"]["changed"]) == ("kept", True)
    assert statuses(run["result"]) == ["removed", "failed"]
    assert place.content() == {"token": minted}, "no copy is without its place"
    gitlab.see = lambda _method, _path: None
    run = ansible.play(token(state="absent", **options))
    assert (run["result"]["status"], statuses(run["result"])) == ("removed", ["absent", "removed"])


def test_a_pending_token_is_stored_though_a_copy_fails(
    ansible: Controller, emulator: Emulator, at_the_mint: AtTheMint, place: HashiVault, gitlab: Gitlab
) -> None:
    options = {"copies": [gitlab_copy(gitlab)], **place.options}
    at_the_mint.append(place.refuse)
    ansible.play(token(ignore_errors=True, **options))
    assert (len(ansible.pending), gitlab.value()) == (1, None)
    place.accept()
    at_the_mint.clear()
    gitlab.see = lambda _method, _path: False
    run = ansible.play(token(ignore_errors=True, **options))
    assert (run["result"]["status"], statuses(run["result"])) == ("minted", ["failed"])
    gitlab.see = lambda _method, _path: None
    run = ansible.play(token(**options))
    assert gitlab.value() == place.content()["token"] == run["result"]["token"]
    assert (emulator.stats()["mints"], ansible.spool) == (1, [])


def test_many_tokens_each_with_its_copies(
    ansible: Controller, emulator: Emulator, place: HashiVault, github: Github, gitlab: Gitlab
) -> None:
    github.see = gitlab.see = lambda _method, _path: time.sleep(0.02)  # so that the requests overlap
    vaulted = {"vault_file": str(ansible.directory / "vault.yml")}
    items = [
        {
            "hashi_vault": place.named(f"-{n}"),
            "copies": [gitlab_copy(gitlab, key=f"APP{n}"), github_copy(github, name=f"APP{n}")],
        }
        for n in range(12)
    ]
    items += [
        {
            **vaulted,
            "variable": f"own{n}",
            "copies": [{**vaulted, "variable": f"copy{n}"}, gitlab_copy(gitlab, key=f"V{n}")],
        }
        for n in range(3)
    ]
    items.append({"hashi_vault": place.named("-plain")})
    run = ansible.play(
        token("first", tokens=items),
        token("again", tokens=items),
        *(token(f"c{n}", variable=f"copy{n}", verify=False, **vaulted) for n in range(3)),
        options=vault_password(ansible),
    )
    entries = run["first"]["tokens"]
    assert [len(entry["copies"]) for entry in entries] == [2] * 15 + [0]
    assert len({frozenset(entry) for entry in entries}) == 1, "all have the same keys"
    assert {copy["status"] for entry in run["again"]["tokens"] for copy in entry["copies"]} == {"kept"}
    assert (run["first"]["changed"], run["again"]["changed"]) == (True, False)
    for number, entry in enumerate(entries[:12]):
        assert entry["token"] == gitlab.value(f"APP{number}") == github.opened("acme/shop", f"APP{number}")
    assert [gitlab.value(f"V{n}") for n in range(3)] == [entry["token"] for entry in entries[12:15]]
    assert [run[f"c{n}"]["token"] for n in range(3)] == [entry["token"] for entry in entries[12:15]]
    assert emulator.stats()["mints"] == 16


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_two_runs_at_once_end_with_one_token_everywhere(
    ansible: Controller,
    other_ansible: Controller,
    emulator: Emulator,
    place: HashiVault,
    github: Github,
    gitlab: Gitlab,
    rounds: int,
) -> None:
    both = (ansible, other_ansible)
    other_ansible.environment.update(place.environment)
    for number in range(rounds):
        name = f"-{number}"
        copies = [github_copy(github), gitlab_copy(gitlab), {"hashi_vault": place.named(f"{name}-copy")}]
        options = {"hashi_vault": place.named(name), "copies": copies, "backup": False}
        finished(*(one.start(one.playbook(token(regenerate="always", **options))) for one in both))
        found = place.content(name)["token"]
        assert place.content(f"{name}-copy")["token"] == found
        assert (github.opened("acme/shop"), gitlab.value()) == (found, found)
        note = github.variables["acme/shop", "ECHOVALUE_TOKEN_SHA256"]
        assert note.split()[0] == hash_of(found)
        assert ansible.pending == other_ansible.pending == []


@pytest.mark.slow
def test_a_run_that_is_killed_between_place_and_copies(
    ansible: Controller,
    emulator: Emulator,
    at_the_mint: AtTheMint,
    place: HashiVault,
    github: Github,
    gitlab: Gitlab,
) -> None:
    """At each request that it sends to a copy after the mint, before and after that is done."""
    copies = [github_copy(github), gitlab_copy(gitlab)]
    running_now: list[Any] = []
    for number in range(1, 20):
        name = f"-{number}"
        options = {"hashi_vault": place.named(name), "copies": copies, "backup": False}
        ansible.play(token(**options))
        left = number

        def see(_method: str, _path: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.killpg(running_now[-1].pid, signal.SIGKILL)

        def from_the_mint_on() -> None:
            github.see = gitlab.see = see

        at_the_mint.append(from_the_mint_on)
        rotating = ansible.playbook(token(regenerate="always", **options))
        running_now.append(ansible.start(rotating, start_new_session=True))
        running_now[-1].communicate(timeout=120)
        at_the_mint.clear()
        github.see = gitlab.see = lambda _method, _path: None
        stored = place.content(name)["token"]
        mints = emulator.stats()["mints"]
        run = ansible.play(token(**options), token("again", **options))
        assert (run["result"]["status"], run["result"]["token"]) == ("kept", stored)
        assert github.opened("acme/shop") == gitlab.value() == stored
        assert statuses(run["again"]) == ["kept", "kept"]
        assert (emulator.stats()["mints"], ansible.pending) == (mints, [])
        if left > 0:
            break
    else:
        raise AssertionError("there are more requests than that")
    assert number > 8, "it was killed at each of them"
