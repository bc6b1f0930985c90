# SPDX-License-Identifier: BSD-2-Clause
"""The token file: whole, private, locked, and recovered after a death at any instant."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import signal
import stat
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from plugins.module_utils.core.errors import StoreError
from plugins.module_utils.core.messages import Request, Response
from plugins.module_utils.core.models import fingerprint
from plugins.module_utils.core.provision import provision, remove
from plugins.module_utils.files import atomic_file as locked_file
from plugins.module_utils.files import directory_lock as locked_directory
from plugins.module_utils.files import pending as staged_file
from plugins.module_utils.files.token_file import TokenFile
from tests.testkit.refusals import fill_disk, follow_advice, refuse
from tests.unit.support import LINK, OTHER, TOKEN, scripted, text

THIRD = "third-token-of-the-tests-0123456"
VALID = text(LINK)


def store(path: Path, *, set_mode: bool = True, **options: bool) -> TokenFile:
    def set_attributes(name: str) -> bool:
        if not set_mode:
            return False
        before = stat.S_IMODE(os.stat(name).st_mode)
        os.chmod(name, 0o600)
        return before != 0o600

    return TokenFile(str(path), set_attributes, **options)


def mint(path: Path, token: str = TOKEN, **options: bool) -> TokenFile:
    client, _script, _pauses = scripted(text(token))
    place = store(path, **options)
    provision(client, place, regenerate="always")
    return place


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_a_new_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "token"
    before = os.umask(umask)
    try:
        mint(path)
    finally:
        os.umask(before)
    assert path.read_bytes() == TOKEN.encode() + b"\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["token"]


def test_a_replaced_token_is_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    mint(path)
    path.chmod(0o644)
    place = mint(path, OTHER)
    assert path.read_text() == OTHER + "\n"
    backup = Path(str(place.backup_file))
    assert backup.parent == tmp_path
    assert backup.read_text() == TOKEN + "\n"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert len(names(tmp_path)) == 2


def test_no_backup_where_none_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "token"
    mint(path)
    assert mint(path, OTHER, backup=False).backup_file is None
    assert names(tmp_path) == ["token"]
    remove(store(path, backup=False))
    assert names(tmp_path) == []


def test_a_removed_token_is_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    mint(path)
    place = store(path)
    assert remove(place).status == "removed"
    assert names(tmp_path) == [Path(str(place.backup_file)).name]
    assert Path(str(place.backup_file)).read_text() == TOKEN + "\n"
    assert remove(store(path)).status == "absent"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"short\n",
        b"\0" * 40,
        b"\xff" * 40,
        TOKEN.encode() * 100,
        b"two words of text\n",
        f'"{TOKEN}"\n'.encode(),
    ],
    ids=["empty", "blank", "short", "zeros", "binary", "long", "words", "quoted"],
)
def test_what_is_no_token_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    client, script, _pauses = scripted()
    for regenerate in ("never", "if_invalid", "always"):
        with pytest.raises(StoreError, match="holds no token"):
            provision(client, store(path), regenerate=regenerate)
    with pytest.raises(StoreError, match="holds no token"):
        remove(store(path))
    assert path.read_bytes() == content
    assert script.requests == []
    assert names(tmp_path) == ["token"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    path = tmp_path / "token"
    path.write_bytes((TOKEN + end).encode())
    assert store(path).read() == TOKEN


def test_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    client, script, _pauses = scripted()
    for name in ("pipe", "directory"):
        with pytest.raises(StoreError, match="not a regular file"):
            provision(client, store(tmp_path / name))
    assert script.requests == []


def test_a_missing_directory(tmp_path: Path) -> None:
    client, script, _pauses = scripted()
    with pytest.raises(StoreError, match=r"does not exist.*No token was minted"):
        provision(client, store(tmp_path / "missing" / "token"))
    assert script.requests == []
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file does not exist.*Create it first"):
        provision(client, store(tmp_path / "file" / "token"))
    assert provision(client, store(tmp_path / "missing" / "token", dry_run=True), dry_run=True).changed
    assert remove(store(tmp_path / "missing" / "token")).status == "absent"


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "token")
    mint(link)
    mint(link, OTHER)
    assert link.is_symlink()
    assert (tmp_path / "real" / "token").read_text() == OTHER + "\n"
    assert names(tmp_path) == ["link", "real"]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    client, _script, _pauses = scripted()
    place = store(tmp_path / "token", dry_run=True)
    assert provision(client, place, dry_run=True).status == "minted"
    assert names(tmp_path) == []


def test_a_mint_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    client, _script, _pauses = scripted(text("", 500))
    with pytest.raises(Exception, match="minted and lost"):
        provision(client, store(tmp_path / "token"))
    assert names(tmp_path) == []


def test_a_write_that_fails_keeps_the_token_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    with monkeypatch.context() as patch:
        refuse(patch, "replace", errno.EROFS)
        with pytest.raises(StoreError, match="next run goes on from there") as caught:
            mint(path)
    assert TOKEN not in str(caught.value)
    assert names(tmp_path) == [".token.new"]
    client, script, _pauses = scripted(VALID)
    outcome = provision(client, store(path))
    assert (outcome.status, outcome.token, outcome.changed) == ("minted", TOKEN, True)
    assert [request.method for request in script.requests] == ["GET"]
    assert names(tmp_path) == ["token"]


def test_a_disk_that_fills_up_after_the_mint_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rescue").mkdir()
    (tmp_path / "place").mkdir()
    monkeypatch.setattr(staged_file.tempfile, "tempdir", str(tmp_path / "rescue"))
    with monkeypatch.context() as full:
        fill_disk(full, TOKEN.encode())
        with pytest.raises(StoreError) as caught:
            mint(tmp_path / "place" / "token")
    (rescued,) = (tmp_path / "rescue").iterdir()
    assert rescued.read_text() == TOKEN + "\n"
    assert names(tmp_path / "place") == []
    assert stat.S_IMODE(rescued.stat().st_mode) == 0o600
    follow_advice(caught.value)
    client, _script, _pauses = scripted(VALID)
    outcome = provision(client, store(tmp_path / "place" / "token"))
    assert (outcome.status, outcome.token) == ("minted", TOKEN)
    assert (tmp_path / "place" / "token").read_text() == TOKEN + "\n"
    assert names(tmp_path / "place") == ["token"]


@pytest.mark.parametrize(
    "left",
    [b"", b"\0" * 513, TOKEN.encode(), TOKEN.encode()[:20] + b"\0" * 13],
    ids=["empty", "room", "no line end", "part"],
)
def test_the_leftover_of_a_death_before_the_write_is_no_token(tmp_path: Path, left: bytes) -> None:
    (tmp_path / ".token.new").write_bytes(left)
    client, _script, _pauses = scripted(text(OTHER))
    outcome = provision(client, store(tmp_path / "token"))
    assert (outcome.status, outcome.token) == ("minted", OTHER)
    assert names(tmp_path) == ["token"]


def test_a_pending_token_of_a_death_is_put_in_place(tmp_path: Path) -> None:
    (tmp_path / ".token.new").write_text(TOKEN + "\n")
    client, _script, _pauses = scripted(VALID)
    outcome = provision(client, store(tmp_path / "token"))
    assert (outcome.status, outcome.token, outcome.changed) == ("minted", TOKEN, True)


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_a_leftover_that_is_no_file_of_its_own_is_not_trusted(tmp_path: Path, kind: str) -> None:
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


def _hold(path: str, ready: multiprocessing.synchronize.Event) -> None:
    with store(Path(path)).lock():
        ready.set()
        time.sleep(60)


def test_a_lock_keeps_others_out_and_dies_with_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path / "token"), ready))
    holder.start()
    try:
        assert ready.wait(10)
        monkeypatch.setattr(locked_directory, "LOCK_PATIENCE", 0.2)
        with (
            pytest.raises(StoreError, match=r"has held the lock.*No token was minted.*Find it"),
            store(tmp_path / "token").lock(),
        ):
            pass
        os.kill(int(holder.pid or 0), signal.SIGKILL)
        holder.join()
        with store(tmp_path / "token").lock():
            assert names(tmp_path) == [], "a lock needs no file"
    finally:
        holder.kill()
        holder.join()


def test_a_replaced_file_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "token"
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


def test_what_cannot_be_replaced_is_refused_before_the_mint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    mint(path)
    monkeypatch.setattr(locked_file, "_mount_points", lambda: frozenset({str(path)}))
    client, script, _pauses = scripted(VALID)
    with pytest.raises(StoreError, match=r"mount point.*No token was minted"):
        provision(client, store(path), regenerate="always")
    with pytest.raises(StoreError, match="mount point"):
        remove(store(path))
    assert script.requests == []
    assert provision(client, store(path)).status == "kept"
    assert names(tmp_path) == ["token"]


def test_a_single_file_that_is_mounted_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/" in locked_file._mount_points()
    odd = os.fsdecode(b"/etc/caf\xc3\xa9 \xff\\token")
    told = b"36 35 98:0 /mnt1 /etc/caf\xc3\xa9\\040\xff\\134token rw - ext3 /dev/root rw\n"
    (tmp_path / "mountinfo").write_bytes(told + b"37 35 98:0 / /plain rw - ext3 /dev/root rw\n")
    monkeypatch.setattr(locked_file, "_MOUNTED", str(tmp_path / "mountinfo"))
    assert locked_file._mount_points() == {odd, "/plain"}
    monkeypatch.setattr(locked_file, "_MOUNTED", str(tmp_path / "missing"))
    assert locked_file._mount_points() == frozenset(), "nothing where no one tells"


def test_a_token_is_kept_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 252)
    path.write_text(TOKEN + "\n")
    client, script, _pauses = scripted(VALID)
    assert provision(client, store(path)).status == "kept"
    with pytest.raises(StoreError, match=r"File name too long.*No token was minted"):
        provision(client, store(path), regenerate="always")
    assert len(script.requests) == 1
    assert len(names(tmp_path)) == 1


def _kept_where_permissions_are_missing(path: Path) -> None:
    if os.geteuid() == 0:
        os.setuid(os.stat(path.parent).st_uid)  # nothing is forbidden to root
    for mode in (0o400, 0o100, 0o000):
        path.parent.chmod(mode)
        client, _script, _pauses = scripted(VALID)
        if mode == 0o100:  # it can be read, and not listed
            assert provision(client, store(path)).status == "kept"
            with pytest.raises(StoreError, match="Permission denied"):
                provision(client, store(path), regenerate="always")
        else:
            with pytest.raises(StoreError, match="cannot be read"):
                provision(client, store(path))


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


def test_what_somebody_put_there_since_stays(tmp_path: Path) -> None:
    path = tmp_path / "token"
    (tmp_path / ".token.new").write_text(OTHER + "\n")
    path.write_text(TOKEN + "\n")
    client, _script, _pauses = scripted(VALID)
    outcome = provision(client, store(path, backup=False))
    assert (outcome.status, path.read_text()) == ("kept", TOKEN + "\n")


def test_an_interrupted_rotation_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    left = tmp_path / f".token.replaces-{fingerprint(TOKEN)}.new"
    left.write_text(OTHER + "\n")
    client, _script, _pauses = scripted(VALID)
    place = store(path)
    assert provision(client, place).status == "minted"
    assert path.read_text() == OTHER + "\n"
    assert Path(str(place.backup_file)).read_text() == TOKEN + "\n"
    assert not left.exists()


def test_a_file_edited_during_the_mint_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    client, script, _pauses = scripted(text(OTHER), VALID)
    answer = script.__call__

    def edited_meanwhile(request: Request) -> Response:
        if request.method == "POST":
            path.write_text(THIRD + "\n")
        return answer(request)

    client._transport = edited_meanwhile
    outcome = provision(client, store(path), regenerate="always")
    assert (outcome.status, outcome.token) == ("kept", THIRD)
    assert names(tmp_path) == ["token"]


def test_a_failed_sync_says_where_the_token_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "sync_directory", module=locked_directory)
    with pytest.raises(StoreError, match=f"The new token is at {tmp_path}/token, but the disk"):
        mint(tmp_path / "token")
    assert (tmp_path / "token").read_text() == TOKEN + "\n"
    with pytest.raises(StoreError, match="is removed, but the disk"):
        remove(store(tmp_path / "token"))


def test_backups_of_one_moment_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locked_file.time, "strftime", lambda _format: "now")
    path = tmp_path / "token"
    for token in (TOKEN, OTHER, THIRD):
        mint(path, token)
    assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("waits", [TOKEN, OTHER])
def test_a_token_to_adopt_is_put_in_place_whatever_waits(tmp_path: Path, waits: str) -> None:
    (tmp_path / ".token.new").write_text(waits + "\n")
    client, _script, _pauses = scripted(VALID)
    provision(client, store(tmp_path / "token"), token=TOKEN)
    assert (tmp_path / "token").read_text() == TOKEN + "\n"
    assert names(tmp_path) == ["token"]


@pytest.mark.parametrize("act", ["replace", "unlink"])
def test_a_backup_goes_again_where_what_it_is_for_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    path = tmp_path / "token"
    mint(path)
    with monkeypatch.context() as patch:
        refuse(patch, act, when=lambda source, *_: act == "replace" or source == str(path))
        client, _script, _pauses = scripted(text(OTHER), VALID)
        for _again in range(2):  # the second run takes up what the first one left
            with pytest.raises(StoreError):
                _ = (
                    remove(store(path))
                    if act == "unlink"
                    else provision(client, store(path), regenerate="always")
                )
    assert not [name for name in names(tmp_path) if name.endswith("~")]
    assert path.read_text() == TOKEN + "\n"


def test_an_error_of_closing_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.close

    def close(descriptor: int) -> None:
        real(descriptor)
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        mint(tmp_path / "token")
        mint(tmp_path / "token", OTHER)
    assert (tmp_path / "token").read_text() == OTHER + "\n"


@pytest.mark.parametrize("call", ["listdir", "stat", "fstat"])
def test_a_refusal_of_the_system_precedes_the_mint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "token"
    mint(path)
    client, script, _pauses = scripted()
    with monkeypatch.context() as patch:
        refuse(patch, call)
        with pytest.raises(StoreError, match=r"Input/output error.*No token was minted"):
            provision(client, store(path), regenerate="always")
    assert script.requests == []
    assert path.read_text() == TOKEN + "\n"


def test_attributes_that_cannot_be_set_leave_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mint(tmp_path / "token")
    refuse(monkeypatch, "chmod")
    with pytest.raises(StoreError, match=r"could not be set.*The token is there"):
        store(tmp_path / "token").apply_attributes()


def test_attributes_that_the_module_cannot_set(tmp_path: Path) -> None:
    """Nothing was minted where that is found before the mint, and only there."""
    path = tmp_path / "token"

    def set_attributes(_name: str) -> bool:
        raise StoreError("There is no such owner.", "The file tells what was done.")

    refusing = TokenFile(str(path), set_attributes)
    client, script, _pauses = scripted()
    with pytest.raises(StoreError, match=r"no such owner.*No token was minted"):
        provision(client, refusing)
    assert (script.requests, names(tmp_path)) == ([], [])
    mint(path)
    with pytest.raises(StoreError, match=r"no such owner.*The token is there"):
        refusing.apply_attributes()


def test_what_is_on_the_disk_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

    client, script, _pauses = scripted(text(TOKEN))

    def transport(request: Request) -> Response:
        events.append("mint")
        return script(request)

    client._transport = transport
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        patch.setattr(os, "replace", replace)
        provision(client, store(tmp_path / "token"))
    room = ("file", 514)
    assert events == [room, "mint", ("file", len(TOKEN) + 1), "replace", ("directory", 0)]


def test_an_unwritable_directory_precedes_the_mint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, script, _pauses = scripted()
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK | os.X_OK)
    for dry_run in (False, True):
        with pytest.raises(
            StoreError, match=r"cannot be written to \(Permission denied\).*No token was minted"
        ):
            provision(client, store(tmp_path / "token", dry_run=dry_run), dry_run=dry_run)
    assert script.requests == []
    assert names(tmp_path) == []


def test_a_pending_token_that_cannot_be_placed_is_no_mint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".token.new").write_text(TOKEN + "\n")
    client, script, _pauses = scripted(VALID)
    with monkeypatch.context() as patch:
        refuse(patch, "replace")
        with pytest.raises(StoreError, match="could not be put"):
            provision(client, store(tmp_path / "token"))
    assert [request.method for request in script.requests] == ["GET"]
    assert names(tmp_path) == [".token.new"]


def test_a_dry_run_takes_up_nothing(tmp_path: Path) -> None:
    (tmp_path / ".token.new").write_text(TOKEN + "\n")
    client, _script, _pauses = scripted(VALID)
    outcome = provision(client, store(tmp_path / "token", dry_run=True), dry_run=True)
    assert (outcome.status, outcome.token, outcome.changed) == ("minted", TOKEN, True)
    assert names(tmp_path) == [".token.new"]


@pytest.mark.parametrize(("mode", "shared"), [(0o777, True), (0o1777, True), (0o775, False)])
def test_where_all_may_write_only_ones_own_leftover_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, shared: bool
) -> None:
    tmp_path.chmod(mode)
    (tmp_path / ".token.new").write_text(TOKEN + "\n")
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    place = store(tmp_path / "token")
    with place.lock():
        assert (place.pending() is None) == shared
    monkeypatch.setattr(os, "geteuid", lambda: user)
    place = store(tmp_path / "token")
    with place.lock():
        assert place.pending() is not None


def test_a_death_during_a_recovery_blocks_no_later_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    (tmp_path / f".token.replaces-{fingerprint(TOKEN)}.new").write_text(OTHER + "\n")

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    client, _script, _pauses = scripted(*[VALID] * 3)
    for _death in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", die)
            with pytest.raises(KeyboardInterrupt):
                provision(client, store(path))
    assert provision(client, store(path)).token == OTHER
    assert path.read_text() == OTHER + "\n"


def test_a_group_stays_where_the_owner_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token"
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, had: bool
) -> None:
    path = tmp_path / "token"
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, fails: bool
) -> None:
    refuse(monkeypatch, "fsync", error, lambda descriptor: stat.S_ISDIR(os.fstat(descriptor).st_mode))
    if fails:
        with pytest.raises(StoreError, match="did not confirm"):
            mint(tmp_path / "token")
    else:
        mint(tmp_path / "token")
    assert (tmp_path / "token").read_text() == TOKEN + "\n"


def test_a_token_that_can_be_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk(monkeypatch, TOKEN.encode())
    monkeypatch.setattr(staged_file.tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoreError, match=r"No space left.*is lost, with its free credits alone"):
        mint(tmp_path / "token")
    assert names(tmp_path) == []


@pytest.mark.parametrize("length", [512, 513])
def test_a_leftover_is_read_up_to_the_longest_token(tmp_path: Path, length: int) -> None:
    (tmp_path / ".token.new").write_text("x" * length + "\n")
    place = store(tmp_path / "token")
    with place.lock():
        assert (place.pending() is not None) == (length == 512)


@pytest.mark.parametrize("neighbour", ["token.deadbeef", "token.0123456789abcdef", "token.new", "token=x"])
def test_what_waits_for_a_neighbour_is_not_taken(tmp_path: Path, neighbour: str) -> None:
    waiting = tmp_path / f".{neighbour}.new"
    waiting.write_text(OTHER + "\n")
    assert mint(tmp_path / "token").backup_file is None
    assert (tmp_path / "token").read_text() == TOKEN + "\n"
    assert waiting.read_text() == OTHER + "\n"


def test_a_file_system_without_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mint(tmp_path / "token")
    refuse(monkeypatch, "listxattr", errno.ENOTSUP)
    mint(tmp_path / "token", OTHER)
    assert (tmp_path / "token").read_text() == OTHER + "\n"


def test_a_leftover_that_cannot_be_deleted_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".token.new").write_text("no whole line")
    (tmp_path / f".token.replaces-{fingerprint(OTHER)}.new").write_text(THIRD + "\n")
    refuse(monkeypatch, "unlink")
    client, _script, _pauses = scripted(VALID)
    provision(client, store(tmp_path / "token"), token=TOKEN)
    assert (tmp_path / "token").read_text() == TOKEN + "\n"
    assert len(names(tmp_path)) == 3


def test_a_wait_for_a_lock_ends_with_it(tmp_path: Path) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    threading.Timer(0.2, os.close, (other,)).start()
    mint(tmp_path / "token")


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "flock", errno.ENOLCK, module=fcntl)
    with pytest.raises(
        StoreError, match=r"cannot be locked \(No locks available\)\. No token was minted, .*locks"
    ):
        mint(tmp_path / "token")


def test_a_directory_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "open", errno.EMFILE, lambda path, *_: str(path) == str(tmp_path))
    with pytest.raises(
        StoreError, match=r"cannot be written to \(Too many open files\)\. No token was minted"
    ):
        mint(tmp_path / "token")


def test_files_of_one_directory_share_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked_directory, "LOCK_PATIENCE", 0.0)
    directory = locked_directory.DirectoryLock(str(tmp_path))
    one, two = (TokenFile(str(tmp_path / name), directory=directory) for name in ("one", "two"))
    with one.lock(), two.lock():
        assert one.read() is two.read() is None


def test_an_unlistable_directory_is_reported_and_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of many files, which are locked by their directory before any is looked at."""
    directory = locked_directory.DirectoryLock(str(tmp_path))
    with monkeypatch.context() as patch:
        refuse(patch, "listdir")
        with (
            pytest.raises(StoreError, match=r"cannot be used \(Input/output error\).*No token was minted"),
            directory.lock(),
        ):
            pass
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
