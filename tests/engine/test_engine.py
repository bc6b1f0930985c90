# SPDX-License-Identifier: BSD-2-Clause
"""The engine runs a real program, and is built once."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.checkout import ROOT
from tools.engine import EngineError, build, ensure, tool_path

PROVIDER = """
import pulumi.dynamic as dynamic

class Provider(dynamic.ResourceProvider):
    def create(self, props):
        return dynamic.CreateResult("made", {**props, "word": props["word"] + "!"})

class Word(dynamic.Resource):
    def __init__(self, name, word):
        super().__init__(Provider(), name, {"word": word})
"""

PROGRAM = """
import pulumi, words

word = words.Word("word", "hello")
pulumi.export("word", word.word)
pulumi.export("secret", pulumi.Output.secret("hidden"))
"""

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


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Pulumi commands in a folder with a program; its Python is the one that runs the tests."""
    if not importlib.util.find_spec("pip"):  # as in an environment made by uv
        pytest.fail("The language host asks pip for the packages: install pip in this environment.")
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: check\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "words.py").write_text(PROVIDER)
    state = tmp_path / "state"
    state.mkdir()
    path = [str(Path(sys.executable).parent), tool_path("pulumi"), os.environ["PATH"]]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(path),
        # An editable package of this checkout has its pulumi-plugin.json here.
        "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)]),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "open",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def run(*arguments):
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_program_with_a_dynamic_provider(program, tmp_path):
    program("stack", "init", "check")
    program("up", "--yes", "--skip-preview")
    outputs = json.loads(program("stack", "output", "--json", "--show-secrets"))
    assert outputs == {"word": "hello!", "secret": "hidden"}
    assert json.loads(program("stack", "output", "--json"))["secret"] == "[secret]"
    program("preview", "--expect-no-changes")
    assert not list((tmp_path / "home").glob("plugins/*"))  # nothing was downloaded


def test_a_program_in_yaml(program, tmp_path):
    text = "name: check\nruntime: yaml\noutputs: {stack: '${pulumi.stack}'}\n"
    (tmp_path / "program" / "Pulumi.yaml").write_text(text)
    program("stack", "init", "check")
    program("up", "--yes", "--skip-preview")
    assert json.loads(program("stack", "output", "--json")) == {"stack": "check"}


def test_the_version_is_not_older_than_the_pins(program):
    pinned = build._numbers(build._version(build.SETS["pulumi"]))
    assert build._numbers(program("version")) >= pinned  # newer, where it is the user's own


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

    def test_other_pins_are_built_anew_and_the_old_ones_go(self, tmp_path, monkeypatch):
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
