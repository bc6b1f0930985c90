# SPDX-License-Identifier: BSD-2-Clause
"""Build the native provider for this system as a program that needs no Python, in the tarball that the engine installs.

python -m tools.plugin FOLDER
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

import tomllib

from plugins.module_utils.core.version import VERSION
from tools.release import sbom
from tools.release.__main__ import ROOT, copy_tree, last_commit, make_reproducible

HERE = Path(__file__).resolve().parent
# In the words of the engine.
SYSTEMS = {"darwin": "darwin", "linux": "linux", "win32": "windows"}
MACHINES = {"aarch64": "arm64", "amd64": "amd64", "arm64": "arm64", "x86_64": "amd64"}
PROGRAM = "pulumi-resource-echovalue"


def build(target: Path) -> Path:
    """Build the tarball and its SBOM into `target`; return the tarball."""
    system = f"{SYSTEMS[sys.platform]}-{MACHINES[platform.machine().lower()]}"
    archive = target / f"{PROGRAM}-v{VERSION}-{system}.tar.gz"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _runtime(folder)
        program = _program(folder, python)
        shutil.copyfile(ROOT / "LICENSES" / "BSD-2-Clause.txt", program / "LICENSE")
        with tarfile.open(archive, "w") as tar:  # packed by make_reproducible
            for path in sorted(program.iterdir()):
                tar.add(path, path.name)
        make_reproducible(archive, last_commit())
        (bootloader,) = (one for one in _pins("plugin-builder") if one.startswith("pyinstaller=="))
        bundled = (("cpython", platform.python_version()), ("pyinstaller", bootloader.partition("==")[2]))
        sbom.write(python, target / f"plugin-{system}.cdx.json", archive, bundled=bundled)
    return archive


def _runtime(folder: Path) -> Path:
    """Make an environment that holds what the program needs, and no more; return its Python."""
    venv.create(folder / "runtime", symlinks=os.name != "nt")
    python = folder / "runtime" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    copy_tree(folder / "tree")
    _pip("--python", str(python), "install", *_pins("plugin-runtime"), f"{folder / 'tree'}[places]")
    return python


def _program(folder: Path, python: Path) -> Path:
    """Run PyInstaller, which is not of that environment; return the folder with the program."""
    _pip("install", "--target", str(folder / "builder"), *_pins("plugin-builder"))
    # Apart from the checkout, whose folder pulumi_echovalue is not the whole package.
    shutil.copy2(ROOT / "pulumi_resource_echovalue.py", folder)
    command = [
        *(python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
        *("--distpath", folder / "dist", "--workpath", folder / "work", HERE / "plugin.spec"),
    ]
    environment = {
        "ENTRY": str(folder / "pulumi_resource_echovalue.py"),
        "PYINSTALLER_CONFIG_DIR": str(folder / "cache"),
        "PYTHONPATH": str(folder / "builder"),
        # The same bytes each time, as far as PyInstaller can.
        "PYTHONHASHSEED": "1",
        "SOURCE_DATE_EPOCH": str(last_commit()),
    }
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True)
    return folder / "dist" / "plugin"


def _pins(group: str) -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["dependency-groups"][group])


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]).resolve()))
