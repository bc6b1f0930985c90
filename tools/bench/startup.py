# SPDX-License-Identifier: BSD-2-Clause
"""What a module costs before it does anything: its imports, and what is sent to the target."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.bench.rows import ansible_environment
from tools.checkout import collections_path

OURS = "echovalue.cloud.echovalue_"
NAMES = ("token", "wallet_info", "recharge_link", "wallet_alert", "logs_info")
MODULES = (*(f"{OURS}{name}" for name in NAMES), "ansible.builtin.uri")
_CORE = "ansible_collections.echovalue.cloud.plugins.module_utils.core"


def payloads() -> dict[str, int]:
    """Return the bytes that Ansible sends to the target for each module."""
    sizes = {}
    for module in MODULES:
        with tempfile.TemporaryDirectory(prefix="echovalue-bench-") as folder:
            environment = ansible_environment(Path(folder), "http://127.0.0.1:1")
            subprocess.run(
                [Path(sys.executable).with_name("ansible"), "localhost", "-m", module, "-a", "timeout=1"],
                env={**environment, "ANSIBLE_KEEP_REMOTE_FILES": "true"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,  # it need not succeed to have been sent
            )
            (sent,) = Path(folder, "remote").rglob("AnsiballZ_*.py")
            sizes[module] = sent.stat().st_size
    return sizes


def imports(*modules: str) -> dict[str, float]:
    """Return the milliseconds that the import of each module of Python takes with all it imports."""
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "\n".join(f"import {module}" for module in modules)],
        env={**os.environ, "PYTHONPATH": collections_path()},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    rows = [line.split("|") for line in shown.splitlines() if line.count("|") == 2]
    return {
        name.strip(): int(cumulative) / 1000
        for _own, cumulative, name in rows
        if cumulative.strip().isdigit()
    }


def module_imports() -> dict[str, float]:
    """Return what takes longest of what echovalue_token imports, its first request included."""
    found = imports(
        "ansible_collections.echovalue.cloud.plugins.modules.echovalue_token", f"{_CORE}.transport"
    )
    return dict(sorted(found.items(), key=lambda item: -item[1])[:12])
