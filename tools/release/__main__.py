# SPDX-License-Identifier: BSD-2-Clause
"""Build what is published into a folder: the collection, the sdist and the wheel, the same bytes each time.

python -m tools.release FOLDER [collection | package | tree]; `tree` copies only the sources.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION_README = Path(__file__).with_name("collection.md")
PUBLISHED = {
    "collection": (sys.executable, "-m", "ansible.cli.galaxy", "collection", "build", "--output-path"),
    "package": (sys.executable, "-m", "build", "--outdir"),  # the sdist, and the wheel from it
}


def copy_tree(target: Path) -> None:
    """Copy what git knows or would add, with plain permissions, into a new folder."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(filter(None, _output(*listed).split("\0"))):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            copy.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def build(target: Path, *names: str) -> None:
    """Build those of PUBLISHED that are named into `target`, as of the last commit's date."""
    date = last_commit()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(date)}
    for name in names or PUBLISHED:
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder, "tree")
            copy_tree(tree)
            if name == "collection":  # Automation Hub shows it, and asks for another form than a repository's
                shutil.copyfile(COLLECTION_README, tree / "README.md")
            command, silent = (*PUBLISHED[name], str(target)), subprocess.DEVNULL
            subprocess.run(command, cwd=tree, env=environment, umask=0o022, check=True, stdout=silent)
    for archive in target.glob("*.tar.gz"):
        make_reproducible(archive, date)


def last_commit() -> int:
    """Return the date of the last commit, in seconds."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _output("git", "log", "-1", "--format=%ct"))


def make_reproducible(archive: Path, date: int) -> None:
    """Write a .tar.gz again without what differs between two builds: order, dates, owners."""
    with tarfile.open(archive) as tar:
        content = {
            one.name: (one, tar.extractfile(one).read() if one.isreg() else b"")  # type: ignore[union-attr]
            for one in tar
        }
    if "FILES.json" in content:  # a collection: its list of files comes in the order of the disk
        _sort_list_of_files(content)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=date) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for _name, (one, data) in sorted(content.items()):
            one.size, one.mtime, one.pax_headers = len(data), date, {}
            one.uid = one.gid = 0
            one.uname = one.gname = ""
            tar.addfile(one, io.BytesIO(data))


def _sort_list_of_files(content: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    info, data = content["FILES.json"]
    listed = json.loads(data)
    listed["files"].sort(key=lambda entry: entry["name"])
    data = json.dumps(listed, indent=True).encode()
    content["FILES.json"] = (info, data)
    info, manifest = content["MANIFEST.json"]
    reported = json.loads(manifest)
    reported["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(data).hexdigest()
    content["MANIFEST.json"] = (info, json.dumps(reported, indent=True).encode())


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    destination = Path(sys.argv[1]).resolve()
    shutil.rmtree(destination, ignore_errors=True)
    if sys.argv[2:] == ["tree"]:
        copy_tree(destination)
    else:
        build(destination, *sys.argv[2:])
    print(*sorted(map(str, destination.iterdir())), sep="\n")
