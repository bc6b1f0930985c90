# SPDX-License-Identifier: BSD-2-Clause
"""Copies of a token, whose place another writer may change meanwhile: the place decides, three times at most."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tools.checkout import collections_path

sys.path.append(collections_path())  # where the stores are imported from, as Ansible does

from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import EchoValueError, StoreError
from ansible_collections.echovalue.cloud.plugins.module_utils.core.models import token_hash
from ansible_collections.echovalue.cloud.plugins.plugin_utils.copies import Copy, make_copies, remove_copies
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.copied import CopiedStore
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.driver import Driver
from ansible_collections.echovalue.cloud.plugins.plugin_utils.places.spool import Spool

pytestmark = pytest.mark.essential

TOKENS = [f"{number}123456789abcdef0123456789abcdef" for number in range(5)]
LOST = StoreError("The place is out of reach.")


class Memory(Driver):
    """A copy in memory; `fails` is raised by each write."""

    key = "token"

    def __init__(self, name: str, fails: Exception | None = None) -> None:
        self.words, self.secret = name, (name,)
        self.token: str | None = None
        self._fails = fails

    def read(self) -> str | None:
        return self.token

    def check_writable(self) -> None:
        pass

    def write(self, token: str) -> None:
        if self._fails is not None:
            raise self._fails
        self.token = token

    def remove(self) -> None:
        self.write("")
        self.token = None


def copy_of(driver: Memory, folder: Path) -> Copy:
    def opened(_token: str | None, dry_run: bool) -> Any:
        return nullcontext(CopiedStore(driver, Spool(str(folder)), backup=False, dry_run=dry_run))

    return Copy("command", driver.words, opened)


def made(copies: list[Copy], seen: Iterable[Any], *, dry_run: bool = False) -> dict[str, Any]:
    """Make copies of the first token, of a place that holds what is `seen` there later, one at a time."""
    later = iter(seen)

    def read() -> str | None:
        found = next(later)
        if isinstance(found, EchoValueError):
            raise found
        return str(found) if found else None

    entry = {"token": TOKENS[0], "hash": token_hash(TOKENS[0]), "changed": False}
    result = make_copies(entry, copies, read, dry_run=dry_run)
    assert next(later, None) is None
    assert not result.get("failed") or result["token"] is None
    return result


@pytest.mark.parametrize(
    ("seen", "holds", "why"),
    [
        (TOKENS[:1], 0, ""),
        ([TOKENS[1], TOKENS[1]], 1, ""),
        ([TOKENS[1], TOKENS[2], TOKENS[2]], 2, ""),
        (TOKENS[1:4], 2, "was replaced by another writer again and again"),
        ([TOKENS[1], None], 1, "was removed from its place by another writer"),
        ([LOST], 0, "The place is out of reach"),
    ],
)
def test_the_place_decides(tmp_path: Path, seen: list[Any], holds: int, why: str) -> None:
    driver = Memory("the copy")
    result = made([copy_of(driver, tmp_path)], seen)
    assert (driver.token, result["changed"]) == (TOKENS[holds], True)
    (copy,) = result["copies"]
    if why:
        assert (copy["status"], result["failed"], result["reason"]) == ("failed", True, "store")
        assert why in result["msg"]
    else:
        assert (copy["status"], result["hash"]) == ("written", token_hash(TOKENS[holds]))


def test_an_equal_copy_is_kept(tmp_path: Path) -> None:
    driver = Memory("the copy")
    driver.token = TOKENS[0]
    result = made([copy_of(driver, tmp_path)], [])
    assert (result["changed"], result["copies"][0]["status"]) == (False, "kept")


def test_a_copy_that_fails_keeps_no_other_from_being_made(tmp_path: Path) -> None:
    drivers = [
        Memory("one", StoreError("It is full.")),
        Memory("two", RuntimeError(TOKENS[0])),
        Memory("three"),
    ]
    copies = [copy_of(driver, tmp_path) for driver in drivers]
    result = made(copies, TOKENS[:1])
    assert [copy["status"] for copy in result["copies"]] == ["failed", "failed", "written"]
    assert drivers[2].token == TOKENS[0]
    assert "2 of 3 copies failed" in result["msg"]
    assert "It is full." in result["msg"]
    assert TOKENS[0] not in str(result)
    drivers[0].token = TOKENS[0]
    removed = remove_copies(copies, dry_run=False)
    assert [copy["status"] for copy in removed["copies"]] == ["failed", "absent", "removed"]


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    driver = Memory("the copy")
    copy = copy_of(driver, tmp_path)
    assert [one["status"] for one in made([copy], [], dry_run=True)["copies"]] == ["written"]
    copy.rehearse()
    assert driver.token is None
