# SPDX-License-Identifier: BSD-2-Clause
"""The spool before a place that the controller reaches: what waits, what is refused, what the system refuses."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testkit.refusals import fill_disk, follow_advice, refuse
from tools.checkout import collections_path

sys.path.append(collections_path())  # where the stores are imported from, as Ansible does

from ansible_collections.echovalue.cloud.plugins.module_utils.core.client import EchoValueClient
from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import (
    ConflictError,
    InvalidInputError,
    StoreError,
)
from ansible_collections.echovalue.cloud.plugins.module_utils.core.messages import Request, Response
from ansible_collections.echovalue.cloud.plugins.module_utils.core.provision import provision, remove
from ansible_collections.echovalue.cloud.plugins.plugin_utils.controller import pending_advice
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.command import Command
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.driver import (
    Driver,
    conflict,
    unwritable,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.sops_program import _temporary_file
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.spool import Spool
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.spooled import SpooledStore

pytestmark = pytest.mark.essential

OLD = "0123456789abcdef0123456789abcdef"
OTHER = "another0another0another0another0"
NEW = "fedcba9876543210fedcba9876543210"


class Memory(Driver):
    """A place in memory, whose write the system may refuse."""

    words, secret = "the memory", ("memory",)

    def __init__(self, token: str | None = None, key: str = "token") -> None:
        self.token = token
        self.key = key
        self.refuses = self.forbids = False
        self.former: Callable[[], str | None] = lambda: None

    def read(self) -> str | None:
        return self.token

    def check_writable(self) -> None:
        if self.forbids:
            raise unwritable(self, "it is a replica")

    def write(self, token: str) -> None:
        if self.refuses:
            raise OSError(errno.EIO, "")
        self.token = token

    def remove(self) -> None:
        self.token = None

    def read_former(self) -> str | None:
        return self.former()


def answer(request: Request) -> Response:
    body = NEW if request.method == "POST" else "https://buy.stripe.com/p"
    return Response(200, {}, body.encode())


def made(driver: Memory, spool: Path, *, backup: bool = True) -> SpooledStore:
    files, service = Spool(str(spool)), "https://api.echovalue.dev"
    return SpooledStore(driver, files, service, pending_advice, backup=backup, dry_run=False)


def rotate(driver: Memory, spool: Path) -> SpooledStore:
    store = made(driver, spool)
    provision(EchoValueClient(transport=answer), store, regenerate="always")
    return store


def broken() -> str | None:
    raise TimeoutError


@pytest.mark.parametrize(
    ("former", "stays"),
    [
        (lambda: OLD, False),
        (lambda: f"{OLD}\n", False),
        (lambda: NEW, True),
        (lambda: None, True),
        (broken, True),
    ],
)
@pytest.mark.parametrize("absent", [False, True])
def test_the_former_token_is_in_the_spool_until_it_is_kept(
    tmp_path: Path, former: Callable[[], str | None], stays: bool, absent: bool
) -> None:
    """Neither a place without it nor a look that fails lets the copy go; and neither fails the task."""
    driver, spool, seen = Memory(OLD), tmp_path / "spool", []

    def look() -> str | None:
        seen.extend(
            (path.suffix, path.read_text(), stat.S_IMODE(path.stat().st_mode)) for path in spool.iterdir()
        )
        return former()

    driver.former = look
    store = made(driver, spool)
    if absent:
        remove(store)
    else:
        provision(EchoValueClient(transport=answer), store, regenerate="always")
    assert driver.token == (None if absent else NEW)
    assert seen == [(".replaced", f"{OLD}\n", 0o600)], "it is there while the place is looked at"
    assert [str(path) for path in spool.iterdir()] == ([store.backup_file] if stays else [])
    assert (store.backup_file is not None) == stays


def test_a_spool_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="must be an absolute path"):
        Spool("spool")
    homeless = Spool("~no-such-user/spool")
    assert homeless.names() == []
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr("os.geteuid", lambda: os.stat(tmp_path).st_uid)
    for path, why in (
        (homeless.path, "the home directory of this user is unknown"),
        (str(tmp_path / "open"), "others may write to it"),
        (str(tmp_path / "file"), "File exists"),
    ):
        driver = Memory(OLD)
        with pytest.raises(StoreError, match=f"cannot be the spool: {why}") as caught:
            rotate(driver, Path(path))
        assert driver.token == OLD
        assert "No token was minted" in str(caught.value)
    monkeypatch.setattr("os.geteuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(StoreError, match="it belongs to another user"):
        Spool(str(tmp_path)).make()


def test_what_another_run_left_meanwhile_is_a_conflict(tmp_path: Path) -> None:
    driver, spool = Memory(OLD), tmp_path / "spool"
    driver.refuses = True
    with pytest.raises(StoreError):
        rotate(driver, spool)
    pending = list(spool.iterdir())
    with pytest.raises(ConflictError, match="Another run left a token"), made(driver, spool).prepare():
        pass
    assert list(spool.iterdir()) == pending


def test_a_death_at_the_look_leaves_the_former_token(tmp_path: Path) -> None:
    driver, spool = Memory(OLD), tmp_path / "spool"

    def die() -> str | None:
        raise SystemExit

    driver.former = die
    with pytest.raises(SystemExit):
        rotate(driver, spool)
    assert driver.token == NEW
    assert [(path.suffix, path.read_text()) for path in spool.iterdir()] == [(".replaced", f"{OLD}\n")]


def test_nothing_is_kept_without_backup(tmp_path: Path) -> None:
    driver, spool = Memory(OLD), tmp_path / "spool"
    store = made(driver, spool, backup=False)
    provision(EchoValueClient(transport=answer), store, regenerate="always")
    assert (store.backup_file, list(spool.iterdir())) == (None, [])


def test_a_version_is_no_backup_beside_other_keys(tmp_path: Path) -> None:
    """Each of those writes makes a version more, and pushes an older one out."""
    driver, spool = Memory(OLD, key="one of two"), tmp_path / "spool"
    driver.secret = ("memory", "of two keys")
    driver.former = lambda: OLD
    other = Memory(key="the other")
    other.secret = driver.secret
    made(other, spool)
    former = Path(str(rotate(driver, spool).backup_file))
    assert former.read_text() == f"{OLD}\n"


def test_what_was_kept_before_a_conflict_is_no_backup(tmp_path: Path) -> None:
    """Another writer was faster: the token that this run read was not replaced by it."""
    driver, spool = Memory(OLD), tmp_path / "spool"
    store = made(driver, spool)

    def overtake(_token: object = None) -> None:
        driver.token = OTHER
        raise conflict(driver)

    driver.write = overtake  # type: ignore[method-assign]
    outcome = provision(EchoValueClient(transport=answer), store, regenerate="always")
    assert (outcome.status, outcome.token, store.backup_file) == ("kept", OTHER, None)

    driver.token = OLD

    def gone() -> None:
        driver.token = None
        raise conflict(driver)

    driver.remove = gone  # type: ignore[method-assign]
    assert remove(store).status == "absent"
    assert store.backup_file is None


def test_a_refused_write_leaves_the_token_in_the_spool(tmp_path: Path) -> None:
    """In words that work: played literally, they put the token into this place or into another."""
    driver, spool = Memory(OLD), tmp_path / "spool"
    driver.refuses = True
    with pytest.raises(StoreError, match=r"Input/output error.*It is not lost. The token is pending in"):
        rotate(driver, spool)
    (pending,) = spool.glob("*.token")
    driver.refuses, driver.forbids = False, True
    with pytest.raises(StoreError) as caught:
        rotate(driver, spool)
    advice = f"""token: "{{{{ lookup('ansible.builtin.file', '{pending}') }}}}", then delete"""
    assert "cannot be written: it is a replica. The token is pending in" in str(caught.value)
    assert advice in str(caught.value)
    assert "minted, and nothing" not in str(caught.value)
    driver.forbids = False
    former = Path(str(rotate(driver, spool).backup_file))
    assert (driver.token, former.read_text(), list(spool.iterdir())) == (NEW, f"{OLD}\n", [former])


def test_a_spool_that_is_full_says_where_the_token_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, spool = Memory(), tmp_path / "spool"
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        fill_disk(patch, NEW.encode())
        with pytest.raises(StoreError) as caught:
            rotate(driver, spool)
    assert (driver.token, list(spool.iterdir())) == (None, [])
    follow_advice(caught.value)
    client = EchoValueClient(transport=lambda _request: Response(200, {}, b"https://buy.stripe.com/p"))
    assert provision(client, made(driver, spool)).token == driver.token == NEW
    assert list(spool.iterdir()) == []


def test_an_empty_backup_of_a_run_that_died_is_filled(tmp_path: Path) -> None:
    driver, spool = Memory(OLD), tmp_path / "spool"
    former = Path(str(rotate(driver, spool).backup_file))
    former.write_text("")
    driver.token = OLD
    assert Path(str(rotate(driver, spool).backup_file)).read_text() == f"{OLD}\n"


def test_a_token_that_cannot_be_kept_is_not_replaced(tmp_path: Path) -> None:
    driver, spool = Memory(OLD), tmp_path / "spool"
    former = Path(str(rotate(driver, spool).backup_file))
    former.unlink()
    former.mkdir()  # in the way, for root too
    driver.token = OLD
    with pytest.raises(StoreError, match=r"The former token could not be kept in .*It is not lost"):
        rotate(driver, spool)
    assert driver.token == OLD
    former.rmdir()
    rotate(driver, spool)
    assert (driver.token, former.read_text()) == (NEW, f"{OLD}\n")


def test_the_file_of_a_run_that_died_before_its_mint_goes(tmp_path: Path) -> None:
    driver, spool = Memory(), tmp_path / "spool"
    driver.refuses = True
    with pytest.raises(StoreError, match="It is not lost"):
        rotate(driver, spool)
    (waiting,) = spool.iterdir()
    waiting.write_bytes(bytes(waiting.stat().st_size))  # as it was made, before the mint
    driver.refuses = False
    rotate(driver, spool)
    assert driver.token == NEW
    assert list(spool.iterdir()) == []


def test_nothing_is_read_between_the_mint_and_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(Memory(), tmp_path / "spool")
    kept: list[str] = []

    def mint(request: Request) -> Response:
        for call in ("pread", "listdir"):
            refuse(monkeypatch, call)
        return answer(request)

    monkeypatch.setattr(Memory, "write", lambda _driver, token: kept.append(token))
    provision(EchoValueClient(transport=mint), store)
    assert kept == [NEW]


def test_a_program_whose_lock_ends_badly_has_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "keep"
    program.write_text(
        f"#!/bin/sh\ncase $1 in get) cat {tmp_path}/kept;; store) cat >{tmp_path}/kept;; esac\n"
    )
    program.chmod(0o700)
    (tmp_path / "kept").touch()
    real_close, refusals = os.close, []

    def close(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        real_close(descriptor)
        if path == str(program):
            refusals.append(path)
            raise OSError(errno.EIO, "")

    driver = Command([str(program)], 30.0, "")
    assert driver.read() is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        driver.write(NEW)
    assert refusals == [str(program)]
    assert driver.read() == NEW


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_copy_that_sops_edits_is_private_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not in_memory:  # as on macOS, and in a Python that was built for an old C library
        monkeypatch.delattr(os, "memfd_create", raising=False)
    in_memory = hasattr(os, "memfd_create")
    with _temporary_file(b"ENC[...]") as path:
        assert Path(path).read_bytes() == b"ENC[...]"
        found = list(tmp_path.iterdir())
        assert len(found) == (0 if in_memory else 1)
        assert all(path.stat().st_mode & 0o077 == 0 for path in found)
    assert list(tmp_path.iterdir()) == []
