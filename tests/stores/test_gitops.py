# SPDX-License-Identifier: BSD-2-Clause
"""The GitOps example, as its pipelines run it: clones of a bare repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.conftest import Controller
from tests.testkit.hunt import hunt
from tests.testkit.playbook import Ansible, finished
from tools.checkout import ROOT
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "docs" / "examples" / "gitops"


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True).stdout


@pytest.fixture
def origin(tmp_path: Path, ansible: Ansible, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository with the example, whose one host is this machine."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "pipeline")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "pipeline@example.com")
    work, bare = tmp_path / "work", tmp_path / "origin.git"
    shutil.copytree(EXAMPLE, work, ignore=shutil.ignore_patterns("vault.yml"))
    hosts = work / "inventory" / "hosts.yml"
    local = f"{{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}"
    hosts.write_text(hosts.read_text().replace("app.example.com:", f"app.example.com: {local}"))
    variables = work / "inventory" / "group_vars" / "app" / "main.yml"
    variables.write_text(variables.read_text().replace("/etc/myapp", str(tmp_path / "myapp")))
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Begin")
    git(tmp_path, "clone", "--quiet", "--bare", str(work), str(bare))
    return bare


def pipeline(ansible: Controller, origin: Path, name: str, *command: str) -> subprocess.Popen[str]:
    """Start a pipeline, or another command, on a fresh clone."""
    clone = origin.parent / name
    git(origin.parent, "clone", "--quiet", str(origin), str(clone))
    git_environment = {key: value for key, value in os.environ.items() if key.startswith("GIT_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), ansible.environment["PATH"]])
    return subprocess.Popen(
        command or ["./pipeline.sh"],
        cwd=clone,
        env={
            **ansible.environment,
            **git_environment,
            "ANSIBLE_VAULT_PASSWORD": "of the pipeline",
            "PATH": path,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def commits(origin: Path) -> int:
    return len(git(origin, "rev-list", "main").split())


def test_a_pipeline_commits_the_token_once_and_encrypted(
    ansible: Controller, emulator: Emulator, origin: Path
) -> None:
    shown = []
    for name, count in (("first", 2), ("second", 2)):
        shown += finished(pipeline(ansible, origin, name))
        assert commits(origin) == count
    assert emulator.stats()["mints"] == 1
    assert emulator.stats()["credits_spent"] == 0
    assert "changed=0" in shown[1]
    assert git(origin, "show", "--format=", "--name-only", "main").split() == [
        b"inventory/group_vars/app/vault.yml"
    ]
    token = (origin.parent / "myapp" / "echovalue.token").read_text().strip()
    assert not hunt([token], {"the screens": "".join(shown)})
    for folder in (origin, origin.parent / "first", origin.parent / "second"):
        objects = git(folder, "cat-file", "--batch-all-objects", "--batch")
        assert b"$ANSIBLE_VAULT;1." in objects, "the search must be able to find"
        assert not hunt([token], {f"{folder.name}'s objects": objects, folder.name: folder})


def test_two_pipelines_at_once_push_one_token(ansible: Controller, emulator: Emulator, origin: Path) -> None:
    emulator.options(latency=1)
    finished(*(pipeline(ansible, origin, name) for name in ("first", "second")))
    assert emulator.stats()["mints"] == 2, "they did not meet"
    assert commits(origin) == 2


def test_nothing_is_minted_where_nothing_can_be_pushed(
    ansible: Controller, emulator: Emulator, origin: Path
) -> None:
    finished(pipeline(ansible, origin, "first"))
    emulator.reset_stats()
    process = pipeline(ansible, origin, "second")
    origin.rename(f"{origin}.away")
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert emulator.stats()["total"] == 0


def test_a_low_wallet_is_reported_to_whoever_pays(
    ansible: Controller, emulator: Emulator, origin: Path
) -> None:
    finished(pipeline(ansible, origin, "first"))
    token = (origin.parent / "myapp" / "echovalue.token").read_text().strip()
    for wallet, reported in ((1000, False), (999, True)):
        emulator.register(token, wallet)
        night = f"night-{wallet}"
        (screen,) = finished(pipeline(ansible, origin, night, "ansible-playbook", "wallet.yml"))
        note = origin.parent / night / "recharge.md"
        assert note.exists() == reported
    assert "999 credits are left" in note.read_text()
    assert "Recharge it here: https://buy.stripe.com/" in note.read_text()
    assert not hunt([token], {"the note": note, "the screen": screen})
    assert emulator.stats()["credits_spent"] == 0
