# SPDX-License-Identifier: BSD-2-Clause
"""The spool before a place that the controller reaches: what waits, what is refused, what the system refuses."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.workspace import collections_path

sys.path.append(collections_path())  # where the stores are imported from, as Ansible does

from ansible_collections.echovalue.cloud.plugins.module_utils.core.client import EchoValueClient
from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import StoreError
from ansible_collections.echovalue.cloud.plugins.module_utils.core.messages import Answer, Request
from ansible_collections.echovalue.cloud.plugins.module_utils.core.provision import provision
from ansible_collections.echovalue.cloud.plugins.plugin_utils.stores.command import Command
from ansible_collections.echovalue.cloud.plugins.plugin_utils.stores.sops import _temporary_file
from ansible_collections.echovalue.cloud.plugins.plugin_utils.stores.spooled import Driver, SpooledStore

OLD = "0123456789abcdef0123456789abcdef"
NEW = "fedcba9876543210fedcba9876543210"


class Memory(Driver):
    """A place in memory, whose write the system may refuse."""

    words, secret, key, keeps_versions = "the memory", ("memory",), "token", False

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.refuses = False

    def read(self) -> str | None:
        return self.token

    def check_writable(self) -> None:
        pass

    def write(self, token: str) -> None:
        if self.refuses:
            raise OSError(errno.EIO, "")
        self.token = token


def answer(request: Request) -> Answer:
    body = NEW if request.method == "POST" else "https://buy.stripe.com/p"
    return Answer(200, {}, body.encode())


def rotate(driver: Memory, spool: Path) -> SpooledStore:
    store = SpooledStore(driver, str(spool), "https://api.echovalue.dev", backup=True, dry_run=False)
    provision(EchoValueClient(transport=answer), store, regenerate="always")
    return store


def test_a_write_that_the_system_refuses_leaves_the_token_in_the_spool(tmp_path: Path) -> None:
    driver = Memory(OLD)
    driver.refuses = True
    with pytest.raises(StoreError, match=r"Input/output error.*It is not lost: it waits in"):
        rotate(driver, tmp_path / "spool")
    driver.refuses = False
    former = Path(str(rotate(driver, tmp_path / "spool").backup_file))
    assert (driver.token, former.read_text()) == (NEW, f"{OLD}\n")
    assert list((tmp_path / "spool").iterdir()) == [former]


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
    spool = tmp_path / "spool"
    store = SpooledStore(Memory(), str(spool), "https://api.echovalue.dev", backup=True, dry_run=False)
    kept: list[str] = []

    def mint(request: Request) -> Answer:
        def refuse(*_arguments: object) -> None:
            raise OSError(errno.EIO, "")

        for call in ("pread", "listdir"):
            monkeypatch.setattr(os, call, refuse)
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
    if not in_memory:  # as on macOS
        monkeypatch.delattr(os, "memfd_create")
    with _temporary_file(b"ENC[...]") as file:
        assert Path(file.path).read_bytes() == b"ENC[...]"
        found = list(tmp_path.iterdir())
        assert len(found) == (0 if in_memory else 1)
        assert all(path.stat().st_mode & 0o077 == 0 for path in found)
    assert list(tmp_path.iterdir()) == []
