# SPDX-License-Identifier: BSD-2-Clause
"""What is made before a mint: private, whole, under names that say what they are, and refused where it cannot take a place."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from plugins.module_utils.core.errors import StoreError
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import fingerprint
from plugins.module_utils.files.atomic_file import AtomicFile
from plugins.module_utils.files.directory_lock import DirectoryLock
from plugins.module_utils.files.pending import PendingFiles, StagedFile, _fill_or_rescue
from plugins.module_utils.files.token_file import TokenFile
from tests.testkit.refusals import refuse
from tests.unit.support import OTHER, TOKEN, run, text


def test_a_staged_file_is_private_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    before = os.umask(0)
    try:
        StagedFile.create(str(tmp_path / "new"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_staged_file_is_private_and_follows_no_link(tmp_path: Path) -> None:
    staged = StagedFile.create(str(tmp_path / "new"))
    assert (staged.read(), staged.content) == (b"", None)
    assert fcntl.fcntl(staged.descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    staged.close()
    assert not (tmp_path / "new").exists(), "it was not filled"
    (tmp_path / "new").touch()  # of another user
    staged.close()
    assert (tmp_path / "new").exists()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDWR, os.O_RDONLY):
        with pytest.raises(OSError, match=r"symbolic|exists"):
            StagedFile(str(tmp_path / "link"), flags)
    assert not (tmp_path / "elsewhere").exists()


def test_a_filled_file_stays(tmp_path: Path) -> None:
    staged = StagedFile.create(str(tmp_path / "new"), 100)
    staged.fill(b"content")
    staged.close()
    staged.close()
    staged.discard()  # it was let go of
    assert (tmp_path / "new").read_bytes() == b"content"


def test_a_write_in_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, at: real(descriptor, content[:5], at))
    staged = StagedFile.create(str(tmp_path / "new"), 64)
    staged.fill(b"a content of some more bytes")
    assert staged.read() == staged.content == b"a content of some more bytes"
    staged.close()


def test_names_say_the_place_and_what_is_replaced(tmp_path: Path) -> None:
    others = [".token.new.bak", "token.new", ".token.xyz.new", ".other.new", ".token=x.new"]
    others += [".token.deadbeef.new", ".token.0123456789abcdef.new", ".token.new.new"]
    for name in others:
        (tmp_path / name).write_bytes(b"of a neighbour\n")
    files = PendingFiles(str(tmp_path), ".token", ".new", 100, lambda: others)
    left = []
    for replaces in ("", "0" * 16, "0" * 16):
        staged = files.stage(4, replaces)
        staged.fill(b"a\n")
        left.append(staged)
    found = {path.name for path in tmp_path.iterdir()} - {*others}
    first = f".token.replaces-{'0' * 16}"
    assert {".token.new", f"{first}.new"} < found
    assert any(re.fullmatch(rf"{re.escape(first)}\.again-[0-9a-f]{{8}}\.new", name) for name in found)
    pending_files = list(files.found())
    assert sorted(pending.replaces for pending in pending_files) == ["", "0" * 16, "0" * 16]
    assert {pending.content for pending in pending_files} == {b"a\n"}
    for staged in left:
        staged.close()
    assert not list(PendingFiles(str(tmp_path), ".token.new", ".new", 100, lambda: [".token.new"]).found())


def test_a_rotation_is_pending_under_the_former_print(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(OTHER + "\n")
    seen: list[str] = []

    def minted() -> Response:
        seen.extend(path.name for path in tmp_path.iterdir())
        return text(TOKEN)

    store = TokenFile(str(tmp_path / "token"))
    run(store, minted, regenerate="always")
    assert f".token.replaces-{fingerprint(OTHER)}.new" in seen
    name = Path(str(store.backup_file)).name
    assert re.fullmatch(r"token\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d\.[0-9a-f]{8}~", name)


def test_a_rescue_says_where_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    staged = StagedFile.create(str(tmp_path / "new"))
    os.close(staged.descriptor)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    with pytest.raises(StoreError, match="It is kept in") as caught:
        _fill_or_rescue(staged, b"content")
    assert synced == [len(b"content")]
    (kept,) = tmp_path.glob("echovalue-token-*")
    assert str(tmp_path / "new") in caught.value.args[0]
    assert f"kept in {kept}: make room, move it to {tmp_path / 'new'}, then run again." in caught.value.advice
    assert kept.read_bytes() == b"content"


def writable_or_refused(refused: bool, said: str) -> AbstractContextManager[object]:
    return pytest.raises(StoreError, match=said) if refused else nullcontext()


@pytest.mark.parametrize(
    ("user", "file_owner", "directory_owner", "sticky", "refused"),
    [
        (4242, 1, 2, True, True),
        (4242, 0, 2, True, False),
        (4242, 1, 0, True, False),
        (4242, 1, 2, False, False),
        (0, 1, 2, True, False),
        (1, 1, 2, True, True),
    ],
)
def test_another_users_file_in_a_sticky_directory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    file_owner: int,
    directory_owner: int,
    sticky: bool,
    refused: bool,
) -> None:
    path = tmp_path / "token"
    path.write_text("")
    real = os.stat
    owners = {str(path): user + file_owner, str(tmp_path): user + directory_owner}

    def stat_of(name: object, *arguments: object, **options: object) -> os.stat_result:
        found = real(name, *arguments, **options)  # type: ignore[arg-type]
        mode = found.st_mode | (stat.S_ISVTX if sticky else 0)
        return os.stat_result([mode, *found[1:4], owners.get(str(name), found.st_uid), *found[5:]])

    file = AtomicFile(str(path), 10)
    with file.lock(), monkeypatch.context() as patch:
        patch.setattr(os, "stat", stat_of)
        patch.setattr(os, "geteuid", lambda: user)
        with writable_or_refused(refused, r"another user's.*sticky bit.*No token was minted"):
            file.check_writable()


@pytest.mark.parametrize(("error", "refused"), [(errno.EPERM, True), (errno.EACCES, False)])
def test_an_immutable_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, refused: bool
) -> None:
    path = tmp_path / "token"
    path.write_text("")
    file = AtomicFile(str(path), 10)
    with file.lock(), monkeypatch.context() as patch:
        refuse(patch, "open", error, lambda name, flags, *_: str(name) == str(path) and flags & os.O_WRONLY)
        with writable_or_refused(refused, "cannot be replaced"):
            file.check_writable()


def test_syncs_that_wait_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = DirectoryLock(str(tmp_path))
    syncs: list[int] = []
    first, go_on = threading.Event(), threading.Event()

    def sync(descriptor: int) -> None:
        syncs.append(descriptor)
        first.set()
        assert go_on.wait(10)

    monkeypatch.setattr(os, "fsync", sync)
    with directory.lock():
        threads = [threading.Thread(target=directory.sync) for _number in range(5)]
        threads[0].start()
        assert first.wait(10)
        for thread in threads[1:]:
            thread.start()
        while directory._wanted < len(threads):
            pass
        go_on.set()
        for thread in threads:
            thread.join()
        assert len(syncs) == 2, "the four that came while the first was under way share one"
        directory.sync()
        assert len(syncs) == 3
