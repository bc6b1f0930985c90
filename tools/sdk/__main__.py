# SPDX-License-Identifier: BSD-2-Clause
"""Generate the SDKs of the native provider from its schema, compile or type-check each, and pack it.

python -m tools.sdk FOLDER

For Node, Python, Go and .NET. Needs node and npm, Go, and for .NET the program dotnet; without that the SDK is generated
and not compiled, and a line says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from plugins.module_utils.core.version import VERSION
from tools.engine import build as engine
from tools.release.__main__ import ROOT, last_commit, make_reproducible

README = """\
# EchoValue SDK for Pulumi

Generated from the schema of [echovalue-iac](https://github.com/echovalue/echovalue-iac), version {version}.
"""
TYPESCRIPT = "typescript@5.9.3"  # the generated package.json asks for one that does not know its own settings
GO = {**engine.GO_ENVIRONMENT, "GOFLAGS": "-mod=mod"}  # the same for all, so that little is compiled twice


def generate(folder: Path) -> None:
    """Write the SDKs into `go/echovalue`, `nodejs`, `python` and `dotnet` of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = folder / "schema.json"
    schema.write_bytes(_run(ROOT, sys.executable, "-m", "pulumi_echovalue.plugin", "schema"))
    _run(folder, engine.ensure("pulumi-languages") / "pulumi-codegen", schema, folder)
    logo = ROOT / "docs/images/logo.png"
    _run(folder, engine.ensure("pulumi-dotnet") / "pulumi-codegen-dotnet", schema, folder / "dotnet", logo)
    pulumi = engine._version(engine.SETS["pulumi"])
    (folder / "go/echovalue/go.mod").write_text(
        "module github.com/echovalue/echovalue-iac/sdk/go/echovalue\n\n"
        f"go 1.25\n\nrequire github.com/pulumi/pulumi/sdk/v3 v{pulumi}\n"
    )
    for sdk in ("go/echovalue", "nodejs", "python", "dotnet"):
        (folder / sdk / "README.md").write_text(README.format(version=VERSION))
        shutil.copyfile(ROOT / "LICENSES/BSD-2-Clause.txt", folder / sdk / "LICENSE")


def check(folder: Path) -> None:
    """Compile or type-check each SDK, and pack it into `packages`."""
    packages = folder / "packages"
    packages.mkdir()
    _node(folder / "nodejs", packages)
    _python(folder / "python", packages)
    _go(folder / "go/echovalue", packages)
    _dotnet(folder / "dotnet", packages)


def _node(sdk: Path, packages: Path) -> None:
    npm = ("npm", "--no-audit", "--no-fund", "--silent")
    _run(sdk, *npm, "install", "--ignore-scripts", "--no-save", TYPESCRIPT)
    _run(sdk, "node_modules/.bin/tsc")
    # The example of the documentation, which imports it by its name.
    named = json.loads((sdk / "package.json").read_text())["name"]
    (sdk / "node_modules" / named).parent.mkdir()
    (sdk / "node_modules" / named).symlink_to(sdk)
    program = sdk / "program"
    shutil.copytree(ROOT / "docs/examples/pulumi-typescript", program)
    _run(sdk, "node_modules/.bin/tsc", "--noEmit", "--project", program)
    shutil.rmtree(program)
    _run(sdk, *npm, "pack", "--ignore-scripts", "--pack-destination", packages)
    shutil.rmtree(sdk / "node_modules")


def _python(sdk: Path, packages: Path) -> None:
    _run(sdk, sys.executable, "-m", "build", "--wheel", "--outdir", packages)
    # The generated text is not strict itself; a program that uses it may be.
    mypy = ("mypy", "--strict", "--follow-imports=silent", "--config-file=")
    _run(sdk, sys.executable, "-m", *mypy, Path(__file__).with_name("program.py"))


def _go(sdk: Path, packages: Path) -> None:
    go = engine._go("1.25.11")
    _run(sdk, go, "vet", "./...", environment=GO)
    program = sdk.parent / "program"
    shutil.copytree(ROOT / "docs/examples/pulumi-go", program)
    _run(program, go, "mod", "edit", f"-replace=github.com/echovalue/echovalue-iac/sdk/go/echovalue={sdk}")
    _run(program, go, "vet", ".", environment=GO)
    shutil.rmtree(program)
    _pack(sdk, packages / f"echovalue-sdk-go-{VERSION}.tar.gz")


def _dotnet(sdk: Path, packages: Path) -> None:
    if shutil.which("dotnet"):
        _run(sdk, "dotnet", "build", "--configuration", "Release", "-p:TargetFramework=net8.0")
        for package in sdk.glob("bin/Release/*.nupkg"):
            shutil.copy2(package, packages)
        program = sdk.parent / "program"
        shutil.copytree(ROOT / "docs/examples/pulumi-dotnet", program)
        shutil.copytree(sdk, program / "sdks/echovalue", ignore=shutil.ignore_patterns("bin", "obj"))
        _run(program, "dotnet", "build")
        shutil.rmtree(program)
    else:
        print("dotnet is not on PATH: the .NET SDK is generated, and not compiled.", file=sys.stderr)
        _pack(sdk, packages / f"echovalue-sdk-dotnet-{VERSION}.tar.gz")


def _pack(sdk: Path, archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        for path in sorted(sdk.iterdir()):
            tar.add(path, path.name)
    make_reproducible(archive, last_commit())


def _run(folder: Path, *command: object, environment: Mapping[str, str] | None = None) -> bytes:
    """Run a command in a folder and return what it prints; a failure ends with all that it said."""
    reported = {**os.environ, **(environment or {})}
    done = subprocess.run(list(map(str, command)), cwd=folder, env=reported, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed in {folder}:\n{(done.stdout + done.stderr).decode(errors='replace')}")
    return done.stdout


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    shutil.rmtree(target, ignore_errors=True)
    generate(target)
    check(target)
    print(*sorted(map(str, (target / "packages").iterdir())), sep="\n")
