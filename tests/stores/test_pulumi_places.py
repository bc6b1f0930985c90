# SPDX-License-Identifier: BSD-2-Clause
"""What every place promises to a stack, by the decisions of both providers, against the real server or program.

The login comes from the environment, as the store's own tools take it; Ansible's is in its connection.
"""

from __future__ import annotations

import re
import secrets
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pulumi_echovalue._decisions import life, placed
from pulumi_echovalue._decisions.place import check_place, opened
from pulumi_echovalue._decisions.placed import Placed, Target
from pulumi_echovalue._decisions.service import Service
from pulumi_echovalue._shared.module_utils.core.errors import EchoValueError, StoreError
from pulumi_echovalue._shared.plugin_utils.places import libraries
from tests.stores.conftest import Controller, stores
from tests.testkit import pulumi_places
from tests.testkit.places import Command, Place
from tests.testkit.playbook import token
from tools.emulator.client import Emulator

ALL = ("hashi_vault", "aws_secretsmanager", "sops", "command", "kubernetes")


class Stack:
    """What a stack does with the token in one place, in this process."""

    def __init__(self, emulator: Emulator, spool: Path) -> None:
        self.service = Service(emulator.url, named=False)
        self.spool = spool
        self.warnings: list[str] = []
        self.token: Any = None

    def target(self, place: dict[str, Any] | None, keepers: str = "1", **more: Any) -> Target:
        checked = None if place is None else check_place(place)
        return Target(self.service, checked, keepers={"a": keepers}, spool=str(self.spool), **more)

    def create(self, place: dict[str, Any]) -> Placed:
        self.token = life.create(self.target(place), set())
        return self.token

    def update(self, place: dict[str, Any] | None, keepers: str = "1") -> Any:
        target = self.target(place, keepers)
        assert life.compare(self.token, target, {"a": "1"}).updates
        self.token = life.update(self.token, target, {"a": "1"}, self.warnings.append)
        return self.token

    def refresh(self) -> Placed:
        self.token = life.refresh(self.token, self.target(None), self.warnings.append)
        return self.token


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Stack:
    return Stack(emulator, tmp_path / "spool")


def named(place: Place, monkeypatch: pytest.MonkeyPatch, directory: Path) -> dict[str, Any]:
    """Return the place as a program names it; the login goes into the environment."""
    where, environment = pulumi_places.named(place, directory)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return where


def kept(place: Place) -> Any:
    return place.content().get(place.key or "token")


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@stores(*ALL)
def test_a_life(
    place: Place, stack: Stack, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if place.key:
        place.put({"user": "of others"})
    where = named(place, monkeypatch, tmp_path)
    first = stack.create(where)
    assert first.hash == hash_of(kept(place))
    assert stack.create(where) == Placed(**{**vars(first), "created": None})  # it is taken up
    assert emulator.stats()["mints"] == 1
    assert life.compare(first, stack.target(where), {"a": "1"}).updates == ()
    assert stack.update(where, keepers="2").hash == hash_of(kept(place)) != first.hash
    assert stack.refresh().gone is False
    assert placed.read_token(where, emulator.url, hash_=stack.token.hash) == kept(place)
    if place.key:
        assert place.content()["user"] == "of others"
    file = {"path": str(tmp_path / "token")}
    moved = stack.update(file)
    assert (moved.hash, Path(file["path"]).read_text().strip()) == (hash_of(kept(place)), kept(place))
    assert "which still holds it" in stack.warnings[-1]
    emulator.forget(moved.hash)
    assert stack.refresh().gone
    assert stack.update(file).hash == hash_of(Path(file["path"]).read_text().strip()) != moved.hash
    assert emulator.stats()["mints"] == 3
    assert moved.stored_at in placed.deletion_warning(moved)


@stores(*ALL)
def test_ansible_takes_up_what_a_stack_left_pending(
    place: Place,
    stack: Stack,
    ansible: Controller,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    where = named(place, monkeypatch, tmp_path)
    minted = secrets.token_hex(16)
    emulator.register(minted)
    store: Any = opened(where, str(stack.spool), emulator.url).store
    stack.spool.mkdir(0o700)
    file = stack.spool / f"{store._name}.token"
    file.write_text(f"{minted}\n")
    file.chmod(0o600)
    run = ansible.play(token(**place.options, spool=str(stack.spool)))
    assert (run["result"]["status"], run["result"]["token"]) == ("minted", minted)
    assert (emulator.stats()["mints"], list(stack.spool.glob("*.token"))) == (0, [])
    assert stack.create(where).hash == hash_of(minted)
    rotated = ansible.play(token(**place.options, regenerate="always"))
    assert stack.refresh().hash == rotated["result"]["hash"]


@stores("hashi_vault", "aws_secretsmanager", "kubernetes")
def test_a_login_that_is_missing_or_wrong(
    place: Place, stack: Stack, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = named(place, monkeypatch, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for variable in ("VAULT_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "KUBECONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # there is no such machine to ask
    with pytest.raises(StoreError, match=r"No connection to .* could be made"):
        stack.create(where)
    assert emulator.stats()["mints"] == 0


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({}, "exactly one of path, sops, hashi_vault"),
        ({"path": "/a", "sops": {"file": "/b.yaml"}}, "exactly one"),
        ({"vault_file": "/a.yml"}, "exactly one"),
        ({"path": "relative"}, "absolute path"),
        ({"sops": {"file": "secrets.yaml"}}, "absolute path"),
        ({"command": {"argv": ["./keep"]}}, "absolute path"),
        ({"command": {"argv": []}}, "is needed"),
        ({"command": {"argv": "keep"}}, "must be a list"),
        ({"hashi_vault": {}}, "hashi_vault.path is needed"),
        ({"hashi_vault": {"path": "a", "color": 1}}, "does not take color: it takes path, mount"),
        ({"hashi_vault": {"path": "a", "connection": {"token": "s3cret"}}}, "does not take token"),
        ({"hashi_vault": {"path": "a", "connection": {"url": "https://u:s3cret@h"}}}, "holds a login"),
        ({"kubernetes": {"name": "a", "connection": {"api_key": "s3cret"}}}, "does not take api_key"),
        ({"kubernetes": {"name": "a", "connection": {"kubeconfig": "config"}}}, "absolute path"),
        (
            {"aws_secretsmanager": {"name": "a", "connection": {"secret_key": "s3cret"}}},
            "not take secret_key",
        ),
    ],
)
def test_a_place_that_is_refused(place: dict[str, Any], why: str) -> None:
    with pytest.raises(EchoValueError, match=why) as caught:
        check_place(place)
    assert caught.value.reason == "invalid_input"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("pip", [True, False])
@pytest.mark.parametrize(
    ("library", "kind", "extra"),
    [("hvac", "hashi_vault", "hashi-vault"), ("boto3", "aws_secretsmanager", "aws"), ("kubernetes",) * 3],
)
def test_a_missing_library_names_the_extra(
    library: str, kind: str, extra: str, pip: bool, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"pulumi_echovalue._connections.{kind}"
    __import__(module)
    monkeypatch.setattr(f"{module}._unusable", ModuleNotFoundError(name=library))
    monkeypatch.setattr(libraries, "find_spec", lambda _name: pip or None)
    command = f"pip install 'pulumi-echovalue[{extra}]'"
    said = f"{sys.executable} -m {command}" if pip else f"uv {command} --python {sys.executable}"
    with pytest.raises(StoreError, match=re.escape(f"Install it: {said}")):
        stack.create({kind: {"path" if kind == "hashi_vault" else "name": "a"}})


def test_no_two_commands_share_what_is_pending(stack: Stack, emulator: Emulator, tmp_path: Path) -> None:
    """Nor do equal words in other arguments, or with another id."""
    argv = Command(None, tmp_path).named("")["argv"]
    commands = ({}, {"id": "a"}, {"id": "b"}, {"argv": [*argv, "a"]}, {"argv": [*argv, "a b"]})
    commands += ({"argv": [*argv, "a", "b"]},)
    stores_: list[Any] = [
        opened({"command": {"argv": argv, **more}}, str(stack.spool), emulator.url).store for more in commands
    ]
    assert len({store._name for store in stores_}) == len(commands)
