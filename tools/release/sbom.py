# SPDX-License-Identifier: BSD-2-Clause
"""Write what a published file brings or installs as an SBOM in CycloneDX's JSON.

python -m tools.release.sbom PYTHON SBOM FILE...   (PYTHON: of an environment with what the files need, and no more)
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from plugins.module_utils.core.version import VERSION

PURLS = {  # by the beginning of a file's name
    "echovalue-cloud-": f"pkg:generic/ansible-collection/echovalue.cloud@{VERSION}",
    "pulumi_echovalue-": f"pkg:pypi/pulumi-echovalue@{VERSION}",
    "pulumi-resource-echovalue-": f"pkg:generic/pulumi-resource-echovalue@{VERSION}",
}


def write(python: Path, sbom: Path, *files: Path, bundled: tuple[tuple[str, str], ...] = ()) -> None:
    """Write `sbom` for these files, from the packages of an environment and `bundled`: names and versions."""
    command = ("cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON", python)
    listed = subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, text=True)
    document = json.loads(listed.stdout)
    document["metadata"]["component"] = _root(files)
    components: list[dict[str, Any]] = document["components"]
    # What is described is no part of itself.
    components[:] = [one for one in components if one["name"] != "pulumi-echovalue"]
    for name, version in bundled:
        purl = f"pkg:generic/{name}@{version}"
        one = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        components.append(one)
    root = document["metadata"]["component"]["bom-ref"]
    needed = sorted(one["bom-ref"] for one in components)
    others = [one for one in document.get("dependencies", []) if one["ref"] in needed]
    document["dependencies"] = [{"ref": root, "dependsOn": needed}, *others]
    text = json.dumps(document, indent=2) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"{sbom.name} is no CycloneDX: {error}")
    sbom.write_text(text, "utf-8")


def _root(files: tuple[Path, ...]) -> dict[str, Any]:
    (purl,) = {
        purl for file in files for start, purl in PURLS.items() if file.name.startswith(start)
    }  # all are of one package
    return {
        "type": "library",
        "bom-ref": purl,
        "name": purl.rpartition("/")[2].partition("@")[0],
        "version": VERSION,
        "purl": purl,
        "properties": [
            {"name": f"echovalue:sha256:{file.name}", "value": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        ],
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), *map(Path, sys.argv[3:]))
