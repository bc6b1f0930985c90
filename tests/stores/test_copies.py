# SPDX-License-Identifier: BSD-2-Clause
"""One token in several places: the own place decides, and a copy is compared with it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.stores.conftest import AtTheMint, Controller, MakePlace
from tests.testkit.ci_servers import Github, Gitlab, running
from tests.testkit.places import HashiVault
from tests.testkit.playbook import Task, token
from tools.emulator.client import Emulator

GIVEN = "given-token-0123456789abcdef"
OTHER = "other-token-0123456789abcdef"


def checked(task: Task) -> Task:
    return {**task, "check_mode": True, "diff": True}


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
    vaulted = ansible.directory / "vault.yml"
    (ansible.directory / "password").write_text("of-the-vault")
    copies = [
        {"hashi_vault": place.named("-copy")},
        {"hashi_vault": place.named("", key="second")},  # of the very secret
        sops.options,
        command.options,
        aws.options,
        {"vault_file": str(vaulted), "variable": "one"},
        {"vault_file": str(vaulted), "variable": "two"},
        github_copy(github),
        github_copy(github, name="shop", environment="production"),
        gitlab_copy(gitlab),
        gitlab_copy(gitlab, group="acme", key="SHOP", environment_scope="production/*", protected=True),
    ]
    options = {"copies": copies, **place.options}
    arguments = ("-vvv", "--vault-password-file", str(ansible.directory / "password"))
    run = ansible.play(
        checked(token("check", **options)),
        token("first", **options),
        checked(token("check_again", **options)),
        token("again", **options),
        options=arguments,
    )
    assert statuses(run["check"]) == statuses(run["first"]) == ["written"] * len(copies)
    assert statuses(run["check_again"]) == statuses(run["again"]) == ["kept"] * len(copies)
    assert [run[name]["changed"] for name in run.registered] == [True, True, False, False]
    first = run["first"]["token"]
    assert {entry["reason"] for entry in run["first"]["copies"]} == {None}
    assert [entry["store"] for entry in run["first"]["copies"]][5:8] == ["ansible_vault"] * 2 + [
        "github_secret"
    ]

    def everywhere() -> list[Any]:
        reading = ansible.play(
            *(
                token(f"v{name}", vault_file=str(vaulted), variable=name, verify=False)
                for name in ("one", "two")
            ),
            options=arguments,
        )
        return [
            place.content()["token"],
            place.content("-copy")["token"],
            place.content()["second"],
            sops.content()["echovalue_token"],
            command.content()["token"],
            aws.content()["token"],
            reading["vone"]["token"],
            reading["vtwo"]["token"],
            github.opened("acme/shop"),
            github.opened("acme/shop/production", "SHOP"),
            gitlab.value(),
            gitlab.value("SHOP", "production/*", "groups", "acme"),
        ]

    assert everywhere() == [first] * 12
    assert gitlab.variables["projects", "acme/shop", "ECHOVALUE_TOKEN", "*"]["masked"] is True
    assert gitlab.variables["groups", "acme", "SHOP", "production/*"]["protected"] is True
    assert ansible.spool == [], "nothing is pending, and nothing was replaced"
    assert emulator.stats()["mints"] == 1

    run = ansible.play(
        token("rotated", regenerate="always", **options), token("again", **options), options=arguments
    )
    new = run["rotated"]["token"]
    assert (run["rotated"]["status"], statuses(run["rotated"])) == ("replaced", ["written"] * len(copies))
    assert statuses(run["again"]) == ["kept"] * len(copies)
    assert everywhere() == [new] * 12
    assert first not in run.shown
    assert new not in run.shown
    kept = [path.read_text().rstrip("\n") for path in ansible.spool]
    assert set(kept) == {first}, "what copies held is kept as a place keeps it"
    assert ansible.pending == []

    without_command = [copy for copy in copies if "command" not in copy]
    run = ansible.play(
        checked(token("check", state="absent", copies=without_command, **place.options)),
        token("absent", state="absent", copies=without_command, **place.options),
        token("again", state="absent", copies=without_command, **place.options),
        token("refused", ignore_errors=True, state="absent", **options),
        options=arguments,
    )
    assert statuses(run["check"]) == statuses(run["absent"]) == ["removed"] * len(without_command)
    assert (run["absent"]["status"], run["absent"]["changed"]) == ("removed", True)
    assert statuses(run["again"]) == ["absent"] * len(without_command)
    assert (run["again"]["status"], run["again"]["changed"]) == ("absent", False)
    assert run["refused"]["reason"] == "invalid_input"
    assert (github.secrets, github.variables, gitlab.variables) == ({}, {}, {})
    for secret in (new, github.token, gitlab.token, *place.secrets, *aws.secrets):
        assert secret not in run.shown


def test_a_secret_of_github_is_written_again_only_where_it_was_changed(
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
    ansible: Controller, emulator: Emulator, place: HashiVault, github: Github, gitlab: Gitlab
) -> None:
    gitlab.put(None, "HIDDEN", hidden=True, masked=True)
    gitlab.put("no token", "NONE")
    github.tokens["of-secrets-only"] = {"secrets"}
    ansible.environment["CI_JOB_TOKEN"] = "glcbt-the-token-of-a-job"
    cases: list[tuple[dict[str, Any], str, str]] = [
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
        (
            gitlab_copy(gitlab, connection={"api_url": gitlab.url, "api_job_token": "of-a-job"}),
            "invalid_input",
            "a job's own token",
        ),
        (gitlab_copy(gitlab, connection={"api_url": gitlab.url}), "invalid_input", "CI_JOB_TOKEN may not"),
        ({"path": "/tmp/token"}, "invalid_input", ""),
        ({}, "invalid_input", "must say where copy 1 is"),
        ({"command": {"argv": ["true"]}, **gitlab_copy(gitlab)}, "invalid_input", "names two places"),
        (place.options, "invalid_input", "or copies, name key token of"),
        ({"hashi_vault": {**place.named(""), "mount": "/secret/"}}, "invalid_input", "or copies, name"),
    ]
    run = ansible.play(
        *(
            token(f"case{number}", ignore_errors=True, copies=[copy], **place.options)
            for number, (copy, _reason, _text) in enumerate(cases)
        ),
        token("twice", ignore_errors=True, copies=[gitlab_copy(gitlab)] * 2, **place.options),
        token("placeless", ignore_errors=True, copies=[gitlab_copy(gitlab)]),
        token("path", ignore_errors=True, copies=[gitlab_copy(gitlab)], path=str(ansible.directory / "t")),
        token("many", ignore_errors=True, copies=[gitlab_copy(gitlab)], tokens=[place.options]),
        options=("-vvv",),
    )
    for number, (copy, reason, text) in enumerate(cases):
        result = run[f"case{number}"]
        assert (result["failed"], result["reason"]) == (True, reason), (copy, result)
        assert text in result["msg"], (copy, result["msg"])
    for name in ("twice", "placeless", "path", "many"):
        assert run[name]["reason"] == "invalid_input", run[name]
    assert (emulator.stats()["total"], place.content(), ansible.spool) == (0, {}, [])
    assert "Traceback" not in run.shown
    for secret in (github.token, github.job_token, gitlab.token, *place.secrets):
        assert secret not in run.shown


@pytest.mark.parametrize(
    ("module", "library"), [("github", "PyGithub"), ("nacl", "PyNaCl"), ("gitlab", "python-gitlab")]
)
def test_a_library_that_is_missing_or_broken(
    ansible: Controller,
    emulator: Emulator,
    make_place: MakePlace,
    github: Github,
    gitlab: Gitlab,
    module: str,
    library: str,
) -> None:
    place = make_place("command")
    copy = gitlab_copy(gitlab) if module == "gitlab" else github_copy(github)
    shims = ansible.directory / "shims"
    shims.mkdir()
    ansible.environment["PYTHONPATH"] = os.pathsep.join([str(shims), ansible.environment["PYTHONPATH"]])
    for fault, text in (
        (f"raise ModuleNotFoundError('not here', name={module!r})\n", f"-m pip install {library}"),
        ("raise OSError('no libsodium here')\n", "is broken: no libsodium here."),
    ):
        (shims / f"{module}.py").write_text(fault)
        result = ansible.play(token(ignore_errors=True, copies=[copy], **place.options))["result"]
        assert (result["reason"], text in result["msg"]) == ("store", True), result["msg"]
    assert (emulator.stats()["total"], place.content()) == (0, {})


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
    assert (entry["status"], entry["failed"], entry["reason"], entry["token"]) == (
        "kept",
        True,
        "store",
        None,
    )
    run = ansible.play(token(ignore_errors=True, state="absent", **options))
    assert (run["result"]["status"], run["result"]["changed"]) == ("kept", True)
    assert statuses(run["result"]) == ["removed", "failed"]
    assert place.content() == {"token": minted}, "no copy is without its place"
    gitlab.see = lambda _method, _path: None
    run = ansible.play(token(state="absent", **options))
    assert (run["result"]["status"], statuses(run["result"])) == ("removed", ["absent", "removed"])


def test_a_pending_token_goes_to_its_place_though_a_copy_is_out_of_reach(
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
    (ansible.directory / "password").write_text("of-the-vault")
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
    arguments = ("--vault-password-file", str(ansible.directory / "password"))
    run = ansible.play(token("first", tokens=items), token("again", tokens=items), options=arguments)
    entries = run["first"]["tokens"]
    assert [len(entry["copies"]) for entry in entries] == [2] * 15 + [0]
    assert len({frozenset(entry) for entry in entries}) == 1, "all have the same keys"
    assert {copy["status"] for entry in run["again"]["tokens"] for copy in entry["copies"]} == {"kept"}
    assert (run["first"]["changed"], run["again"]["changed"]) == (True, False)
    for number, entry in enumerate(entries[:12]):
        assert entry["token"] == gitlab.value(f"APP{number}") == github.opened("acme/shop", f"APP{number}")
    assert [gitlab.value(f"V{n}") for n in range(3)] == [entry["token"] for entry in entries[12:15]]
    reading = ansible.play(
        *(token(f"c{n}", variable=f"copy{n}", verify=False, **vaulted) for n in range(3)), options=arguments
    )
    assert [reading[f"c{n}"]["token"] for n in range(3)] == [entry["token"] for entry in entries[12:15]]
    assert emulator.stats()["mints"] == 16


def pipeline(ansible: Controller, **options: Any) -> Path:
    path = ansible.directory / "pipeline.yml"
    tasks = [{**token(**options)}]
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return path


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
        options = {
            "hashi_vault": place.named(name),
            "copies": copies,
            "regenerate": "always",
            "backup": False,
        }
        processes = [one.start(pipeline(one, **options)) for one in both]
        screens = [process.communicate(timeout=120)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], screens
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
        running_now.append(
            ansible.start(pipeline(ansible, regenerate="always", **options), start_new_session=True)
        )
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
