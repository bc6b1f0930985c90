# SPDX-License-Identifier: BSD-2-Clause
"""The self-contained provider: installed from a server as users do, it mints with no Python of theirs."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from PyInstaller.archive.readers import CArchiveReader

from plugins.module_utils.core.version import VERSION
from tests.testkit.pulumi_workspace import Workspace
from tests.testkit.servers import openbao_server
from tools.emulator.client import Emulator
from tools.release.__main__ import ROOT

DIST = Path(os.environ.get("PLUGIN_DIST", "dist")).resolve()
PROGRAM = "pulumi-resource-echovalue"

PLACES = """\
resources:
  bao: {type: "echovalue:Token", properties: {place: {hashiVault: {path: apps/shop}}}}
outputs: {bao: "${bao.hash}"}
"""


@pytest.fixture(scope="module")
def archive() -> Path:
    (found,) = DIST.glob(f"{PROGRAM}-v{VERSION}-*.tar.gz")
    return found


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture
def server(archive: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing of the internet
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with Emulator() as emulator:
        # The Python of the machine runs nothing here, and has no such package.
        yield Workspace(tmp_path, emulator.url, python="/usr/bin/python3")


def test_it_is_installed_from_a_server_and_mints(workspace: Workspace, server: str) -> None:
    installed = ("plugin", "install", "resource", "echovalue", f"v{VERSION}")
    workspace.pulumi(*installed, "--server", server)
    example = (ROOT / "docs/examples/pulumi-yaml/Pulumi.yaml").read_text()
    (workspace.root / "Pulumi.yaml").write_text(example)
    workspace.pulumi("stack", "init", "yaml")
    assert "warning" not in workspace.up("--stack", "yaml").text
    outputs = workspace.pulumi("stack", "output", "--stack", "yaml", "--json", "--show-secrets").out
    assert json.loads(outputs)["credits"] == 100
    assert "unchanged" in workspace.up("--stack", "yaml", "--expect-no-changes").text


def test_it_has_what_the_places_need(
    workspace: Workspace, unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in OpenBao, by hvac."""
    workspace.provider = unpacked
    (tmp_path / "bao").mkdir()
    with openbao_server(tmp_path / "bao") as bao:
        monkeypatch.setenv("VAULT_ADDR", bao.address)
        monkeypatch.setenv("VAULT_TOKEN", bao.token)
        workspace.project("yaml", PLACES)
        workspace.pulumi("config", "set", "echovalue:spool", str(tmp_path / "spool"))
        workspace.up()
        outputs = workspace.outputs()
        data = requests.get(
            f"{bao.address}/v1/secret/data/apps/shop", headers={"X-Vault-Token": bao.token}, timeout=10
        ).json()
    assert hashlib.sha256(data["data"]["data"]["token"].encode()).hexdigest() == outputs["bao"]


def test_its_program_is_at_the_root_with_its_licences(unpacked: Path) -> None:
    assert {path.name for path in unpacked.iterdir()} == {PROGRAM, "_internal", "LICENSE"}
    assert os.access(unpacked / PROGRAM, os.X_OK)
    licences = {path.name.partition("-")[0] for path in unpacked.glob("_internal/*.dist-info")}
    assert {"boto3", "grpcio", "hvac", "kubernetes", "pulumi", "pulumi_echovalue", "requests"} <= licences


def test_the_libraries_of_all_places_are_in_it(unpacked: Path) -> None:
    modules = CArchiveReader(str(unpacked / PROGRAM)).open_embedded_archive("PYZ.pyz").toc
    places = (ROOT / "plugins/plugin_utils/places").glob("*.py")
    assert {f"pulumi_echovalue._shared.plugin_utils.places.{path.stem}" for path in places} - {
        *modules,
        "pulumi_echovalue._shared.plugin_utils.places.__init__",
    } == set()
    needed = ("boto3.session", "hvac.v1", "kubernetes.client.api_client", "kubernetes.config", "socks")
    assert [name for name in needed if name not in modules] == []
    services = {path.name for path in (unpacked / "_internal/botocore/data").iterdir() if path.is_dir()}
    assert {"secretsmanager", "sts"} <= services
    assert (unpacked / "_internal/certifi/cacert.pem").is_file()


def test_it_starts_with_one_line_for_a_person(unpacked: Path) -> None:
    done = subprocess.run([unpacked / PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The Pulumi engine starts this program.")
    assert "Traceback" not in done.stderr


def test_what_it_starts_gets_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/plugin/_internal:/opt/own")
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/opt/own")
    monkeypatch.setenv("DYLD_LIBRARY_PATH", "/plugin/_internal")
    monkeypatch.setenv("_PYI_ARCHIVE_FILE", "/plugin/program")
    runpy.run_path(str(ROOT / "tools/plugin/environment.py"))
    assert os.environ["LD_LIBRARY_PATH"] == "/opt/own"
    assert not {"LD_LIBRARY_PATH_ORIG", "DYLD_LIBRARY_PATH", "_PYI_ARCHIVE_FILE"} & {*os.environ}


def test_its_sbom_lists_what_is_in_it(archive: Path) -> None:
    (path,) = DIST.glob("plugin-*.cdx.json")
    sbom = json.loads(path.read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["version"] == VERSION
    assert sbom["metadata"]["component"]["properties"][0]["name"] == f"echovalue:sha256:{archive.name}"
    names = {one["name"] for one in sbom["components"]}
    assert {"boto3", "cpython", "hvac", "kubernetes", "pulumi", "pyinstaller", "requests"} <= names
    assert names & {"pip", "pytest", "pulumi-echovalue"} == set()
