# SPDX-License-Identifier: BSD-2-Clause
"""A file of any content that is read, replaced and removed under its lock."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from plugins.module_utils.core.errors import ConflictError, StoreError
from plugins.module_utils.files import atomic_file as locked_file
from plugins.module_utils.files import directory_lock as locked_directory
from plugins.module_utils.files import pending as staged_file
from plugins.module_utils.files.atomic_file import AtomicFile
from plugins.module_utils.files.pending import StagedFile
from tests.testkit.refusals import refuse

FORMER, NEW = b"former: 1\n", b"new: 1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(FORMER)
    return file


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir() if file != path)


def test_a_content_that_is_safe_elsewhere_takes_the_place(path: Path) -> None:
    (path.parent / ".file.new").write_bytes(b"left by an earlier run\n")
    file = AtomicFile(str(path), 100)
    with file.lock():
        assert file.read() == FORMER
        file.replace(NEW, keep_former=True)
    assert path.read_bytes() == NEW
    assert beside(path) == [Path(str(file.backup_file)).name]
    assert Path(str(file.backup_file)).read_bytes() == FORMER


def test_none_is_kept_where_that_is_not_asked_for(path: Path) -> None:
    for keep_former, backup in ((False, True), (True, False)):
        file = AtomicFile(str(path), 100, backup=backup)
        with file.lock():
            file.read()
            file.replace(NEW, keep_former=keep_former)
        assert (beside(path), file.backup_file) == ([], None)


def test_a_content_that_cannot_be_written_leaves_all_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "fill", errno.ENOSPC, lambda _staged, content: content == NEW, StagedFile)
    file = AtomicFile(str(path), 100)
    with file.lock():
        file.read()
        with pytest.raises(StoreError, match=r"/file could not be written \(No space left on device\)\."):
            file.replace(NEW, keep_former=True)
    assert (path.read_bytes(), beside(path)) == (FORMER, [])


def test_the_former_file_is_kept_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AtomicFile(str(path), 100)
    with file.lock():
        file.read()
        file.keep_former()
        kept = file.backup_file
        file.keep_former()
        assert beside(path) == [Path(str(kept)).name]
        refuse(monkeypatch, "create", module=StagedFile)
        other = AtomicFile(str(path), 100)
        other.read()
        with pytest.raises(StoreError, match=r"could not be backed up \(Input/output error\)"):
            other.keep_former()


def test_what_cannot_be_put_in_place_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AtomicFile(str(path), 100)
    with file.lock():
        file.read()
        staged = file.stage(10)
        staged.fill(NEW)
        waits = staged.path
        where = f"It is kept in {waits}, and the next run goes on from there; what stood at the path is untouched."
        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", lambda _descriptor: os.stat("/"))
            with pytest.raises(StoreError) as caught:
                file.put_in_place(waits, keep_former=False)
        assert str(caught.value) == (
            f"The new token could not be put at {path} ({path} is not a regular file). {where}"
        )
        path.write_bytes(b"edited")
        with pytest.raises(ConflictError) as edited:
            file.put_in_place(waits, keep_former=False)
        assert str(edited.value) == (
            f"{path} was edited while a new token was on its way. The token is pending in {waits}, and "
            "the file at the path is untouched. Run again: that run puts it in place."
        )
    assert path.read_bytes() == b"edited"


def test_what_cannot_be_removed_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AtomicFile(str(path), 100)
    with file.lock(), monkeypatch.context() as patch:
        file.read()
        refuse(patch, "unlink", errno.EPERM, lambda name: name == str(path))
        with pytest.raises(StoreError) as caught:
            file.remove()
    assert str(caught.value) == (
        f"{path} could not be removed (Operation not permitted). It is as it was. Correct its "
        "directory's permissions, then run again."
    )
    assert (path.read_bytes(), beside(path)) == (FORMER, [])


def test_an_unconfirmed_removal_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "sync_directory", module=locked_directory)
    file = AtomicFile(str(path), 100)
    with file.lock(), pytest.raises(StoreError) as caught:
        file.remove()
    assert str(caught.value) == (
        f"{path} is removed, but the disk did not confirm it (Input/output error). After a loss of "
        "power it might not be so. Check the disk, then run again."
    )


def test_no_more_than_one_byte_over_the_most_is_read(path: Path) -> None:
    """Of a pending file too, which is whole up to the most."""
    left = path.with_name(".file.new")
    for size in (99, 100, 101, 102, 1 << 40):  # the last is sparse: it would fill the memory
        os.truncate(path, size)
        left.write_bytes(b"x" * (min(size, 101) - 1) + b"\n")
        os.truncate(left, size)
        file = AtomicFile(str(path), 100)
        with file.lock():
            assert len(file.read() or b"") == min(size, 101)
            (pending,) = file.staged_files.found()
        assert (pending.content is not None) == (size <= 100)


def test_what_cannot_be_opened_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "open", errno.EACCES)
    with pytest.raises(StoreError, match=r"/file cannot be read \(Permission denied\)\."):
        AtomicFile(str(path), 100).read()


def test_no_descriptor_is_closed_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In between, its number may have become another thread's file."""
    for module in (locked_directory, locked_file, staged_file):
        monkeypatch.setattr(module, "close", os.close)  # which fails for one that is closed
    (path.parent / ".file.new").write_bytes(NEW)
    file = AtomicFile(str(path), 100)
    with file.lock():
        file.read()
        assert [pending.content for pending in file.staged_files.found()] == [NEW]
        file.stage(10).close()
        file.replace(NEW, keep_former=False)


def test_an_error_that_says_no_reason() -> None:
    assert locked_directory.reason_of(OSError("words")) == "unknown reason"
    assert locked_directory.reason_of(OSError(errno.EIO, "words")) == "Input/output error"
