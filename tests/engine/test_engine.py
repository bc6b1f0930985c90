# SPDX-License-Identifier: BSD-2-Clause
"""The engine is built once, from what is pinned."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.engine import EngineError, build, ensure, tool_path

# Answers as Go does, makes what it is asked for, and notes each build.
GO = """#!/bin/sh
case $1 in
version) echo "go version go$GO_VERSION linux/amd64" ;;
list) echo "$GO_MODULE" ;;
build)
  sleep 0.05
  echo "go: downloading x v1" >&2
  echo "k8s.io/x" >&2
  [ "$GO_FAILS" ] && echo "x.go:1: no such thing" >&2 && exit 1
  while [ "$1" != -o ]; do shift; done
  echo "$3" >>"$GO_LOG"
  : >"$2"
esac
"""


def test_the_version_is_not_older_than_the_pins():
    program = shutil.which("pulumi", path=f"{tool_path('pulumi')}{os.pathsep}{os.environ['PATH']}")
    version = subprocess.check_output([program, "version"], text=True)
    pinned = build._numbers(build._version(build.SETS["pulumi"]))
    assert build._numbers(version) >= pinned  # newer, where it is the user's own


@pytest.mark.parametrize("name", build.SETS)
def test_the_pins_name_what_is_built(name):
    for pins in build.SETS[name].pins:
        tools = build._go_mod(pins)
        for package in pins.programs.values():
            assert (build.PINS / pins.folder / package).is_dir() or f"{package}\n" in tools
        assert build._numbers(build._go_version(pins)) >= (1, 25)


class TestBuilding:
    """How sets are built, with a quick stand-in for Go."""

    @pytest.fixture(autouse=True)
    def go(self, tmp_path, monkeypatch):
        programs = tmp_path / "programs"
        programs.mkdir()
        build._install(programs / "go", GO)
        module = tmp_path / "module" / "python" / "cmd"
        module.mkdir(parents=True)
        (module / "pulumi-language-python-exec").write_text("#!/usr/bin/env python3\n")
        monkeypatch.setattr(build, "BUILD", tmp_path / "build")
        monkeypatch.setattr(build, "_install_go", lambda home, needed: pytest.fail(f"no {needed}"))
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setenv("GO_VERSION", "1.25.11")
        monkeypatch.setenv("GO_MODULE", str(tmp_path / "module"))
        monkeypatch.setenv("GO_LOG", str(tmp_path / "log"))
        return programs / "go"

    def builds(self, tmp_path):
        return (tmp_path / "log").read_text().splitlines()

    def test_the_folder_holds_all_programs(self, tmp_path, capsys):
        folder = ensure("pulumi")
        assert {path.name for path in folder.iterdir()} == {
            "pulumi",
            "pulumi-language-python",
            "pulumi-language-python-exec",
            "pulumi-language-yaml",
            "pulumi-resource-pulumi-python",
        }
        assert len(self.builds(tmp_path)) == 3
        first, last = capsys.readouterr().err.splitlines()
        assert first == (
            "building the Pulumi engine 3.256.0 from its Go modules: about 5 minutes once, seconds later"
        )
        assert last.startswith("built the Pulumi engine 3.256.0 in ")

    def test_a_build_says_how_far_it_is(self, monkeypatch, capsys):
        monkeypatch.setattr(build._Progress, "_PAUSE", 0.0)
        ensure("kubernetes")
        assert "  kube-apiserver: compiled 1 of up to 1 packages\n" in capsys.readouterr().err

    def test_a_second_call_builds_nothing(self, go, capsys):
        folder = ensure("pulumi")
        capsys.readouterr()
        go.unlink()
        assert ensure("pulumi") == folder
        assert capsys.readouterr().err == ""

    def test_runs_at_once_build_once(self, tmp_path):
        with ThreadPoolExecutor(4) as pool:
            folders = set(pool.map(ensure, ["kubernetes"] * 4))
        assert len(folders) == 1
        assert len(self.builds(tmp_path)) == 1

    def test_other_pins_are_built_again_and_the_old_ones_go(self, tmp_path, monkeypatch):
        old = ensure("kubernetes")
        monkeypatch.setattr(build, "GO_BUILD", (*build.GO_BUILD, "-tags=other"))
        new = ensure("kubernetes")
        assert (old.exists(), new.exists()) == (False, True)
        assert len(self.builds(tmp_path)) == 2

    def test_what_a_killed_build_left_is_not_taken(self, tmp_path):
        left = tmp_path / "build" / "engine" / "kubernetes" / "new"
        left.mkdir(parents=True)
        (left / "half").touch()
        assert {path.name for path in ensure("kubernetes").iterdir()} == {"kube-apiserver"}

    def test_a_failure_says_what_and_what_next(self, tmp_path, monkeypatch):
        monkeypatch.setenv("GO_FAILS", "yes")
        with pytest.raises(EngineError) as caught:
            ensure("kubernetes")
        text = str(caught.value)
        assert "k8s.io/kubernetes/cmd/kube-apiserver, pinned in tools/engine/kubernetes/go.mod" in text
        assert "  x.go:1: no such thing\n" in text
        assert "downloading x" not in text
        assert "run it again" in text
        monkeypatch.delenv("GO_FAILS")
        assert ensure("kubernetes").is_dir()

    @pytest.mark.parametrize(("version", "taken"), [("1.25.11", True), ("1.26", True), ("1.25.10", False)])
    def test_an_old_go_is_passed_over(self, go, monkeypatch, version, taken):
        monkeypatch.setenv("GO_VERSION", version)
        monkeypatch.setattr(build, "_install_go", lambda home, needed: None)
        assert (build._go("1.25.11") == str(go)) is taken

    @pytest.mark.parametrize(
        ("version", "programs", "taken"),
        [
            ("v3.256.0", ["pulumi", "pulumi-language-python"], True),
            ("v4.0.1", ["pulumi", "pulumi-language-python"], True),
            ("v3.255.9", ["pulumi", "pulumi-language-python"], False),
            ("nothing", ["pulumi", "pulumi-language-python"], False),
            ("v3.256.0", ["pulumi"], False),
        ],
    )
    def test_the_users_own_pulumi(self, tmp_path, monkeypatch, version, programs, taken):
        own = tmp_path / "own"
        own.mkdir()
        for program in programs:
            build._install(own / program, f"#!/bin/sh\necho {version}\n")
        monkeypatch.setenv("PATH", str(own), prepend=os.pathsep)
        assert (ensure("pulumi") == own) is taken
