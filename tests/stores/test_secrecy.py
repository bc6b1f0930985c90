# SPDX-License-Identifier: BSD-2-Clause
"""Tokens and what is secret in a connection are found where they belong, and nowhere else that a run passes through."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from tests.stores.conftest import Controller, MakePlace, stores
from tests.testkit.places import Place
from tests.testkit.playbook import role, token
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

SAVED = b'"rotated": {'  # in what the test itself writes down
PLAY = b'"gather_facts": false'  # the test's playbook, which holds the connection

# Where the raw token is to be found in the end.
BELONGS: dict[str, Callable[[Path], bool]] = {
    "file": lambda path: path.match("app.token*"),
    "command": lambda path: path.match("kept*") or path.match("spool/*.replaced"),
    "pass": lambda path: path.match("spool/*.replaced"),
    "hashi_vault": lambda path: path.match("spool/*.replaced"),
    "kubernetes": lambda path: (
        "etcd" in path.parts or path.match("spool/*.replaced")
    ),  # the server's own disk
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
    with watched(ansible.directory / "ansible", ansible.directory / "remote", temporary) as seen:
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
    raw = [form for one in tokens for form in (one.encode(), base64.b64encode(one.encode()))]
    connection = [secret.encode() for secret in place.secrets]

    def shows(content: bytes, *needles: bytes) -> bool:
        mine = SAVED in content or PLAY in content
        return not mine and any(needle in content for needle in needles)

    for needle in raw + connection:
        assert needle.decode() not in run.shown
        assert needle.decode() not in run.syslog
    assert any(b"play.yml" in content for content in seen), "no command line was seen"
    assert not [content[:200] for content in seen if shows(content, *raw, *connection)]
    found = {
        path
        for root in (tmp_path_factory.getbasetemp(), temporary)
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and shows(path.read_bytes(), *raw)
    }
    belongs = BELONGS.get(store, lambda path: False)
    assert [path for path in found if not belongs(path)] == []
    assert bool(found) == (store in BELONGS), "the search must be able to find"
    assert {sha256(one.encode()).hexdigest() for one in tokens} == {
        run[name]["hash"] for name in ("first", "rotated")
    }


@contextmanager
def watched(*folders: Path) -> Iterator[set[bytes]]:
    """Collect command lines, environments, and files of these folders, while the context lasts."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            processes = Path("/proc").glob("[0-9]*")
            files = [process / name for process in processes for name in ("cmdline", "environ")]
            for folder in folders:
                files += [path for path in folder.rglob("*") if path.is_file()]
            for path in files:
                with suppress(OSError):
                    seen.add(path.read_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


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
    assert secret not in run.shown
