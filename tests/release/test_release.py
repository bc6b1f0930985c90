# SPDX-License-Identifier: BSD-2-Clause
"""What is published holds what a user needs and nothing else, and is the same bytes each time."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from plugins.module_utils.core.version import VERSION
from tools.release.__main__ import ROOT, build

# What lies at the top of each; a folder ends with a slash.
COLLECTION = {
    *("CHANGELOG.md", "FILES.json", "LICENSE", "LICENSES/", "MANIFEST.json", "README.md"),
    *("bindep.txt", "changelogs/", "meta/", "plugins/", "roles/"),
}
SDIST = {
    *("LICENSES/", "MANIFEST.in", "PKG-INFO", "README.md", "plugins/", "pyproject.toml", "setup.cfg"),
    *("pulumi_echovalue/", "pulumi_echovalue.egg-info/", "pulumi_resource_echovalue.py"),
}
WHEEL = {"pulumi_echovalue/", "pulumi_resource_echovalue.py"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


def names(archive: Path) -> list[str]:
    """The files of an archive, without the folder around those of an sdist."""
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).namelist()
    with tarfile.open(archive) as tar:
        found = [one.name for one in tar if not one.isdir()]
    return [name.partition("/")[2] for name in found] if archive.name.startswith("pulumi") else found


def top(archive: Path) -> set[str]:
    return {name.partition("/")[0] + "/" if "/" in name else name for name in names(archive)}


def test_the_collection_holds_what_a_user_needs(built: Path) -> None:
    (archive,) = built.glob("echovalue-cloud-*.tar.gz")
    assert top(archive) == COLLECTION | ({"extensions/"} if (ROOT / "extensions/eda").exists() else set())
    kept = [path for name in ("plugins", "roles", "meta") for path in (ROOT / name).rglob("*")]
    files = [path for path in kept if path.is_file() and "__pycache__" not in path.parts]
    wanted = {str(path.relative_to(ROOT)) for path in files}
    assert {name for name in names(archive) if name.startswith(("plugins/", "roles/", "meta/"))} == wanted


# The headings that Red Hat's template for certified collections asks for, in its order.
SECTIONS = [
    *("Description", "Requirements", "Installation", "Use cases", "Testing", "Contributing", "Support"),
    *("Release notes and roadmap", "Related information", "License information"),
]


def test_the_collections_readme_is_in_the_certified_form(built: Path) -> None:
    (archive,) = built.glob("echovalue-cloud-*.tar.gz")
    with tarfile.open(archive) as tar:
        readme = tar.extractfile("README.md").read().decode()  # type: ignore[union-attr]
    assert re.findall(r"^## (.+)$", readme, re.MULTILINE) == SECTIONS
    assert not re.search(r"pip3? install ansible", readme)
    assert f"echovalue.cloud:=={VERSION}\n" in readme
    links = re.findall(r"\]\((.+?)\)", readme)
    assert [link for link in links if not link.startswith("https://")] == []
    ours = [re.findall(r"/echovalue-iac/(?:blob|tree)/main/(.+)", link) for link in links]
    assert [name for found in ours for name in found if not (ROOT / name).exists()] == []
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    assert [name for name in modules | roles if f"{name}`" not in readme] == []


def test_the_sdist_holds_what_the_wheel_is_built_from(built: Path) -> None:
    (archive,) = built.glob("pulumi_echovalue-*.tar.gz")
    assert top(archive) == SDIST


def test_the_wheel_holds_the_package_with_the_core(built: Path) -> None:
    (archive,) = built.glob("*.whl")
    assert {name for name in top(archive) if ".dist-info" not in name} == WHEEL
    start = "pulumi_echovalue/"
    held = {name.removeprefix(start) for name in names(archive) if name.startswith(start)}
    package, plugins = ROOT / "pulumi_echovalue", ROOT / "plugins"
    wanted = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    for room in ("module_utils/core", "module_utils/files", "module_utils/places", "plugin_utils/places"):
        shared = (path for path in (plugins / room).rglob("*") if path.is_file())
        wanted |= {f"_shared/{path.relative_to(plugins)}" for path in shared}
    assert held == {name for name in wanted if "__pycache__" not in name}


def test_a_second_build_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.release", str(tmp_path / "again")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, umask=0o007)
    first, second = (
        {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (built, tmp_path / "again")
    )
    assert len(first) == 3
    assert [name for name, content in first.items() if second.get(name) != content] == []
