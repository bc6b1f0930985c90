# SPDX-License-Identifier: BSD-2-Clause
"""The token file: whole, private, locked, and recovered after a death at any instant."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Callable

import pytest

from plugins.module_utils.core.errors import StoreError
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import fingerprint
from plugins.module_utils.core.provision import Outcome, remove
from plugins.module_utils.files import atomic_file as locked_file
from plugins.module_utils.files import directory_lock as locked_directory
from plugins.module_utils.files import pending as staged_file
from plugins.module_utils.files.token_file import TokenFile
from tests.testkit.refusals import fill_disk, follow_advice, refuse
from tests.unit.support import LINK, OTHER, THIRD, TOKEN, run, text

VALID = text(LINK)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def store(path: Path, *, set_mode: bool = True, **options: bool) -> TokenFile:
    def set_attributes(name: str) -> bool:
        if not set_mode:
            return False
        before = stat.S_IMODE(os.stat(name).st_mode)
        os.chmod(name, 0o600)
        return before != 0o600

    return TokenFile(str(path), set_attributes, **options)


def mint(path: Path, token: str = TOKEN, **options: bool) -> TokenFile:
    place = store(path, **options)
    run(place, text(token), regenerate="always")
    return place


def leave(path: Path, token: str, replaces: str | None = None) -> Path:
    """Leave what a run leaves that dies after its mint."""
    left = path.with_name(f".token.replaces-{fingerprint(replaces)}.new" if replaces else ".token.new")
    left.write_text(f"{token}\n")
    return left


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_a_new_file(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        mint(path)
    finally:
        os.umask(before)
    assert path.read_bytes() == TOKEN.encode() + b"\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path) == ["token"]


@pytest.mark.parametrize("backup", [True, False])
def test_a_replaced_or_removed_token_is_kept_beside_it(path: Path, backup: bool) -> None:
    mint(path)
    path.chmod(0o644)
    replaced, removed = mint(path, OTHER, backup=backup), store(path, backup=backup)
    assert path.read_text() == OTHER + "\n"
    assert remove(removed).status == "removed"
    kept = {place.backup_file: token for place, token in ((replaced, TOKEN), (removed, OTHER)) if backup}
    assert names(path) == sorted(Path(str(file)).name for file in kept)
    for file, token in kept.items():
        assert Path(str(file)).read_text() == token + "\n"
        assert stat.S_IMODE(os.stat(str(file)).st_mode) == 0o600
    assert {replaced.backup_file, removed.backup_file} == (set(kept) or {None})
    assert remove(store(path)).status == "absent"


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 40, b"\xff" * 40, TOKEN.encode() * 100, f'"{TOKEN}"\n'.encode()]
)
def test_what_is_no_token_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for regenerate in ("never", "if_invalid", "always"):
        with pytest.raises(StoreError, match="holds no token"):
            run(store(path), regenerate=regenerate)
    with pytest.raises(StoreError, match="holds no token"):
        remove(store(path))
    assert path.read_bytes() == content
    assert names(path) == ["token"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_regular_file(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(StoreError, match="not a regular file"):
        run(store(path))


def test_a_missing_directory(tmp_path: Path) -> None:
    missing, beneath_a_file = tmp_path / "missing" / "token", tmp_path / "file" / "token"
    beneath_a_file.parent.touch()
    for path in (missing, beneath_a_file):
        with pytest.raises(StoreError, match=r"does not exist.*No token was minted.*Create it first"):
            run(store(path))
    assert run(store(missing, dry_run=True), dry_run=True).changed
    assert remove(store(missing)).status == "absent"


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "token")
    mint(link)
    mint(link, OTHER)
    assert link.is_symlink()
    assert (tmp_path / "real" / "token").read_text() == OTHER + "\n"
    assert names(link) == ["link", "real"]


def test_a_dry_run_writes_nothing_and_takes_up_nothing(path: Path) -> None:
    assert run(store(path, dry_run=True), dry_run=True).status == "minted"
    assert names(path) == []
    leave(path, TOKEN)
    outcome = run(store(path, dry_run=True), VALID, dry_run=True)
    assert outcome == Outcome("minted", TOKEN, changed=True)
    assert names(path) == [".token.new"]


def test_a_mint_that_fails_leaves_nothing_behind(path: Path) -> None:
    with pytest.raises(Exception, match="minted and lost"):
        run(store(path), text("", 500))
    assert names(path) == []


def test_a_write_that_fails_keeps_the_token_pending(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        refuse(patch, "replace", errno.EROFS)
        with pytest.raises(StoreError, match="next run goes on from there") as caught:
            mint(path)
        assert TOKEN not in str(caught.value)
        with pytest.raises(StoreError, match="could not be put"):
            run(store(path), VALID)  # and nothing is minted
    assert names(path) == [".token.new"]
    assert run(store(path), VALID) == Outcome("minted", TOKEN, changed=True)
    assert names(path) == ["token"]


def test_a_disk_that_fills_up_after_the_mint_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rescue").mkdir()
    (tmp_path / "place").mkdir()
    path = tmp_path / "place" / "token"
    monkeypatch.setattr(staged_file.tempfile, "tempdir", str(tmp_path / "rescue"))
    with monkeypatch.context() as full:
        fill_disk(full, TOKEN.encode())
        with pytest.raises(StoreError) as caught:
            mint(path)
    (rescued,) = (tmp_path / "rescue").iterdir()
    assert rescued.read_text() == TOKEN + "\n"
    assert names(path) == []
    assert stat.S_IMODE(rescued.stat().st_mode) == 0o600
    follow_advice(caught.value)
    assert run(store(path), VALID) == Outcome("minted", TOKEN, changed=True)
    assert path.read_text() == TOKEN + "\n"
    assert names(path) == ["token"]


@pytest.mark.parametrize(
    ("left", "filled"),
    [
        (b"", False),
        (b"\0" * 513, False),
        (TOKEN.encode(), False),
        (TOKEN.encode()[:20] + b"\0" * 13, False),
        (TOKEN.encode() + b"\n", True),
        (b"x" * 512 + b"\n", True),
    ],
)
def test_a_pending_file_is_a_token_where_it_was_filled(path: Path, left: bytes, filled: bool) -> None:
    path.with_name(".token.new").write_bytes(left)
    expected = left.decode().strip() if filled else OTHER
    assert run(store(path), VALID if filled else text(OTHER)) == Outcome("minted", expected, changed=True)
    assert names(path) == ["token"]


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_a_pending_link_is_not_trusted(tmp_path: Path, kind: str) -> None:
    elsewhere, left = tmp_path / "elsewhere", tmp_path / ".token.new"
    elsewhere.write_text(OTHER + "\n")
    if kind == "pipe":
        os.mkfifo(left)
    elif kind == "link":
        left.symlink_to(elsewhere)
    else:
        os.link(elsewhere, left)
    mint(tmp_path / "token")
    assert (tmp_path / "token").read_text() == TOKEN + "\n"
    assert elsewhere.read_text() == OTHER + "\n"


def test_a_lock_is_waited_for_and_needs_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with monkeypatch.context() as patch:
        patch.setattr(locked_directory, "LOCK_PATIENCE", 0.2)
        with pytest.raises(StoreError, match=r"has held the lock.*No token was minted.*Find it"):
            run(store(path))
    threading.Timer(0.2, os.close, (other,)).start()
    with store(path).lock():
        assert names(path) == []


def test_a_replaced_file_keeps_what_it_had(path: Path) -> None:
    mint(path, set_mode=False)
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 1, 2)
    with suppress(OSError):  # where the file system has no such thing
        os.setxattr(path, "user.note", b"kept")
    before = path.stat()
    noted = os.listxattr(path)
    backup = Path(str(mint(path, OTHER, set_mode=False).backup_file))
    after = path.stat()
    assert path.read_text() == OTHER + "\n"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.listxattr(path) == noted
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backup.stat().st_uid == before.st_uid


SPOILT: list[tuple[Callable[[Path, pytest.MonkeyPatch], object], str]] = [
    (
        lambda path, patch: patch.setattr(locked_file, "_mount_points", lambda: {str(path)}),
        r"cannot be replaced: it is a mount point",
    ),
    (lambda _, patch: refuse(patch, "listdir"), r"cannot be used \(Input/output error\)\."),
    (lambda _, patch: refuse(patch, "stat"), r"Input/output error\)\."),
    (lambda _, patch: refuse(patch, "fstat"), r"Input/output error\)\."),
    (
        lambda _, patch: refuse(patch, "flock", errno.ENOLCK, module=fcntl),
        r"cannot be locked \(No locks available\)\.",
    ),
    (
        lambda path, patch: refuse(
            patch, "open", errno.EMFILE, lambda name, *_: str(name) == str(path.parent)
        ),
        r"cannot be written to \(Too many open files\)\.",
    ),
    (
        lambda _, patch: patch.setattr(os, "access", lambda _path, mode: mode != os.W_OK | os.X_OK),
        r"cannot be written to \(Permission denied\)\.",
    ),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILT)
def test_what_cannot_be_replaced_is_refused_before_the_mint(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], object],
    reason: str,
) -> None:
    mint(path)
    refused = pytest.raises(StoreError, match=f"{reason}.*No token was minted")
    with monkeypatch.context() as patch:
        spoil(path, patch)
        for dry_run in (False, True):
            with refused:
                run(store(path, dry_run=dry_run), regenerate="always", dry_run=dry_run)
        with refused:
            remove(store(path))
    assert path.read_text() == TOKEN + "\n"
    assert names(path) == ["token"]


def test_a_single_file_that_is_mounted_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/" in locked_file._mount_points()
    odd = os.fsdecode(b"/etc/caf\xc3\xa9 \xff\\token")
    reported = b"36 35 98:0 /mnt1 /etc/caf\xc3\xa9\\040\xff\\134token rw - ext3 /dev/root rw\n"
    (tmp_path / "mountinfo").write_bytes(reported + b"37 35 98:0 / /plain rw - ext3 /dev/root rw\n")
    monkeypatch.setattr(locked_file, "_MOUNTED", str(tmp_path / "mountinfo"))
    assert locked_file._mount_points() == {odd, "/plain"}
    monkeypatch.setattr(locked_file, "_MOUNTED", str(tmp_path / "missing"))
    assert locked_file._mount_points() == frozenset(), "nothing where no one says"


def test_a_token_is_kept_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 252)
    path.write_text(TOKEN + "\n")
    assert run(store(path), VALID).status == "kept"
    with pytest.raises(StoreError, match=r"File name too long.*No token was minted"):
        run(store(path), regenerate="always")
    assert len(names(path)) == 1


def _kept_where_permissions_are_missing(path: Path) -> None:
    if os.geteuid() == 0:
        os.setuid(os.stat(path.parent).st_uid)  # nothing is forbidden to root
    for mode in (0o400, 0o000):
        path.parent.chmod(mode)
        with pytest.raises(StoreError, match="cannot be read"):
            run(store(path))
    path.parent.chmod(0o100)  # it can be read, and not listed
    assert run(store(path), VALID).status == "kept"
    with pytest.raises(StoreError, match="Permission denied"):
        run(store(path), regenerate="always")


def test_a_directory_without_permissions() -> None:
    with tempfile.TemporaryDirectory() as directory:  # others may pass to it, other than to tmp_path
        Path(directory).chmod(0o755)
        path = Path(directory) / "place" / "token"
        path.parent.mkdir()
        path.write_text(TOKEN + "\n")
        if os.geteuid() == 0:
            for name in (path, path.parent):
                os.chown(name, 65534, 65534)
        process = multiprocessing.get_context("fork").Process(
            target=_kept_where_permissions_are_missing, args=(path,)
        )
        process.start()
        process.join()
        path.parent.chmod(0o700)
        assert process.exitcode == 0


def test_a_file_edited_during_the_mint_is_not_overwritten(path: Path) -> None:
    path.write_text(TOKEN + "\n")

    def edited_meanwhile() -> Response:
        path.write_text(THIRD + "\n")
        return text(OTHER)

    outcome = run(store(path), edited_meanwhile, VALID, regenerate="always")
    assert (outcome.status, outcome.token) == ("kept", THIRD)
    assert names(path) == ["token"]


def test_backups_of_one_moment_have_names_of_their_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked_file.time, "strftime", lambda _format: "now")
    for token in (TOKEN, OTHER, THIRD):
        mint(path, token)
    assert len(names(path)) == 3


@pytest.mark.parametrize("waits", [TOKEN, OTHER])
def test_a_token_to_adopt_is_stored_whatever_is_pending(path: Path, waits: str) -> None:
    leave(path, waits)
    run(store(path), VALID, token=TOKEN)
    assert path.read_text() == TOKEN + "\n"
    assert names(path) == ["token"]


@pytest.mark.parametrize("act", ["replace", "unlink"])
def test_a_backup_goes_again_where_what_it_is_for_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    mint(path)
    with monkeypatch.context() as patch:
        refuse(patch, act, when=lambda source, *_: act == "replace" or source == str(path))
        for answer in (text(OTHER), VALID):  # the second run takes up what the first one left
            with pytest.raises(StoreError):
                _ = remove(store(path)) if act == "unlink" else run(store(path), answer, regenerate="always")
    assert not [name for name in names(path) if name.endswith("~")]
    assert path.read_text() == TOKEN + "\n"


def test_an_error_of_closing_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.close

    def close(descriptor: int) -> None:
        real(descriptor)
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        mint(path)
        mint(path, OTHER)
    assert path.read_text() == OTHER + "\n"


def test_attributes_that_cannot_be_set_leave_the_token(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mint(path)
    refuse(monkeypatch, "chmod")
    with pytest.raises(StoreError, match=r"could not be set.*The token is there"):
        store(path).apply_attributes()


def test_attributes_that_the_module_cannot_set(path: Path) -> None:
    """Nothing was minted where that is found before the mint, and only there."""

    def set_attributes(_name: str) -> bool:
        raise StoreError("There is no such owner.", "The file says what was done.")

    refusing = TokenFile(str(path), set_attributes)
    with pytest.raises(StoreError, match=r"no such owner.*No token was minted"):
        run(refusing)
    assert names(path) == []
    mint(path)
    with pytest.raises(StoreError, match=r"no such owner.*The token is there"):
        refusing.apply_attributes()


def test_what_is_on_the_disk_when(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is there before the mint, the content before the rename, and the rename at the end."""
    events: list[object] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        events.append((kind, os.fstat(descriptor).st_size if kind == "file" else 0))
        real_sync(descriptor)

    def replace(source: str, target: str) -> None:
        events.append("replace")
        real_replace(source, target)

    def minted() -> Response:
        events.append("mint")
        return text(TOKEN)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        patch.setattr(os, "replace", replace)
        run(store(path), minted)
    room = ("file", 514)
    assert events == [room, "mint", ("file", len(TOKEN) + 1), "replace", ("directory", 0)]


@pytest.mark.parametrize(("mode", "shared"), [(0o777, True), (0o1777, True), (0o775, False)])
def test_where_all_may_write_only_own_pending_files_count(
    path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, shared: bool
) -> None:
    path.parent.chmod(mode)
    leave(path, TOKEN)
    user = os.geteuid()
    for found, counts in ((user + 1, not shared), (user, True)):
        monkeypatch.setattr(os, "geteuid", lambda found=found: found)
        place = store(path)
        with place.lock():
            assert (place.pending() is not None) == counts


def test_a_death_during_a_recovery_blocks_no_later_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two deaths, and the run after them, of an interrupted rotation."""
    path.write_text(TOKEN + "\n")
    left = leave(path, OTHER, replaces=TOKEN)

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    for _death in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", die)
            with pytest.raises(KeyboardInterrupt):
                run(store(path), VALID)
    place = store(path)
    assert run(place, VALID) == Outcome("minted", OTHER, TOKEN, None, True)
    assert path.read_text() == OTHER + "\n"
    assert Path(str(place.backup_file)).read_text() == TOKEN + "\n"
    assert not left.exists()


def test_a_group_stays_where_the_owner_cannot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mint(path, set_mode=False)
    asked: list[tuple[str, int, int]] = []
    found, made = path.stat(), os.stat

    def chown(name: str, user: int, group: int) -> None:
        asked.append((Path(name).suffix, user, group))
        raise PermissionError(errno.EPERM, "")

    def stat_of(name: str, *arguments: object, **options: object) -> os.stat_result:
        result = made(name, *arguments, **options)  # type: ignore[arg-type]
        if not str(name).endswith(".new"):
            return result
        return os.stat_result([*result[:4], result.st_uid + 1, *result[5:]])

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "stat", stat_of)
    mint(path, OTHER, set_mode=False)
    assert asked[:2] == [(".new", found.st_uid, found.st_gid), (".new", -1, found.st_gid)]
    assert path.read_text() == OTHER + "\n"


@pytest.mark.parametrize("had", [False, True])
def test_an_acl_of_the_directory_is_not_forced_on_a_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, had: bool
) -> None:
    mint(path)
    taken: list[tuple[str, str]] = []
    acl = "system.posix_acl_access"
    with_acl = {".new", *([path.suffix] if had else [])}
    monkeypatch.setattr(os, "listxattr", lambda name, **_: [acl] if Path(name).suffix in with_acl else [])
    monkeypatch.setattr(os, "removexattr", lambda name, what: taken.append((Path(name).suffix, what)))
    monkeypatch.setattr(os, "getxattr", lambda *_, **__: b"")
    monkeypatch.setattr(os, "setxattr", lambda *_, **__: None)
    mint(path, OTHER)
    assert taken == ([] if had else [(".new", acl)])


@pytest.mark.parametrize(
    ("error", "fails"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)]
)
def test_a_file_system_without_syncs_of_directories(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: int, fails: bool
) -> None:
    refuse(monkeypatch, "fsync", error, lambda descriptor: stat.S_ISDIR(os.fstat(descriptor).st_mode))
    if fails:
        with pytest.raises(StoreError, match=f"The new token is at {path}, but the disk did not confirm"):
            mint(path)
    else:
        mint(path)
    assert path.read_text() == TOKEN + "\n"


def test_a_token_that_can_be_kept_nowhere(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk(monkeypatch, TOKEN.encode())
    monkeypatch.setattr(staged_file.tempfile, "tempdir", str(path / "missing"))
    with pytest.raises(StoreError, match=r"No space left.*is lost, with only its free credits"):
        mint(path)
    assert names(path) == []


def test_a_file_system_without_attributes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mint(path)
    refuse(monkeypatch, "listxattr", errno.ENOTSUP)
    mint(path, OTHER)
    assert path.read_text() == OTHER + "\n"


def test_a_pending_file_that_cannot_be_deleted_does_no_harm(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.with_name(".token.new").write_text("no whole line")
    leave(path, THIRD, replaces=OTHER)
    refuse(monkeypatch, "unlink")
    run(store(path), VALID, token=TOKEN)
    assert path.read_text() == TOKEN + "\n"
    assert len(names(path)) == 3


def test_files_of_one_directory_share_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked_directory, "LOCK_PATIENCE", 0.0)
    directory = locked_directory.DirectoryLock(str(tmp_path))
    one, two = (TokenFile(str(tmp_path / name), directory=directory) for name in ("one", "two"))
    with one.lock(), two.lock():
        assert one.read() is two.read() is None


def test_an_unlistable_directory_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of many files, which are locked by their directory before any is looked at."""
    with monkeypatch.context() as patch:
        refuse(patch, "listdir")
        with pytest.raises(StoreError), locked_directory.DirectoryLock(str(tmp_path)).lock():
            pass
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
