# SPDX-License-Identifier: BSD-2-Clause
"""Tokens and what is secret in a connection are found where they belong, and nowhere else that a run passes through."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.stores.conftest import Controller, MakePlace, stores
from tests.testkit.hunt import hunt, watched
from tests.testkit.places import Place
from tests.testkit.playbook import role, token
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

MINE = ("*play.yml", "*registered")  # the test's playbook, which holds the connection, and what it saves
# Where the raw token is to be found in the end.
BELONGS = {
    "file": ("*/app.token*",),
    "command": ("*/kept*", "*/spool/*.replaced"),
    "pass": ("*/spool/*.replaced",),
    "hashi_vault": ("*/spool/*.replaced",),
    "kubernetes": ("*/etcd/*", "*/spool/*.replaced"),  # etcd: the server's own disk
}


@stores("file", "ansible_vault", "hashi_vault", "aws_secretsmanager", "sops", "command", "pass", "kubernetes")
def test_secrets_are_only_where_they_belong(
    ansible: Controller,
    emulator: Emulator,
    temporary: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    place: Place,
    store: str,
) -> None:
    (tmp_path / "password").write_text("for the test alone")
    ansible.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(tmp_path / "password")
    folders = (ansible.directory / "ansible", ansible.directory / "remote", temporary)
    with watched(*folders, processes=True) as seen:
        run = ansible.play(
            token("first", **place.options),
            role({"echovalue_token_store": place.store, **place.variables}),
            token("rotated", regenerate="always", **place.options),
            token("refused", ignore_errors=True, base_url=f"{emulator.url}/none", **place.options),
            options=("-vvv", "--diff"),
        )
    tokens = {run["first"]["token"], run["rotated"]["token"]}
    assert len(tokens) == 2
    assert run["refused"]["failed"]
    assert not run.finds(*tokens, *place.secrets)
    assert any(b"play.yml" in one.content for one in seen), "no command line was seen"
    assert not hunt(
        {*tokens, *place.secrets}, {f"{one.name}, {number}": one.content for number, one in enumerate(seen)}
    )
    roots = {"the folder of the tests": tmp_path_factory.getbasetemp(), "temporary files": temporary}
    belongs = BELONGS.get(store, ())
    assert not hunt(tokens, roots, allowed=(*MINE, *belongs))
    assert bool(hunt(tokens, roots, allowed=MINE)) == bool(belongs), "the search must be able to find"
    assert {sha256(one.encode()).hexdigest() for one in tokens} == {
        run[name]["hash"] for name in ("first", "rotated")
    }


def test_a_failure_shows_no_secret_of_the_connection(ansible: Controller, make_place: MakePlace) -> None:
    place = make_place("hashi_vault")
    secret = "of-the-login-0123456789"
    wrong = [
        {"token": secret},
        {"auth_method": "approle", "role_id": secret, "secret_id": secret},
        {"auth_method": "userpass", "username": "me", "password": secret, "token_validate": secret},
        {"proxies": f"http://me:{secret}@127.0.0.1:1"},
    ]
    tasks = [
        token(
            f"case{number}",
            ignore_errors=True,
            hashi_vault=place.named("", connection={"url": place.connection["url"], **connection}),
        )
        for number, connection in enumerate(wrong)
    ]
    run = ansible.play(*tasks, options=("-vvv",))
    assert all(run[f"case{number}"]["failed"] for number in range(len(wrong)))
    assert not run.finds(secret)
