# SPDX-License-Identifier: BSD-2-Clause
"""Facts that the ecosystems want in two places are the same in both."""

from __future__ import annotations

import re
from pathlib import Path

from plugins.module_utils.core.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_one_version() -> None:
    assert re.findall(r"^version: (.+)$", (ROOT / "galaxy.yml").read_text(), re.MULTILINE) == [VERSION]


def test_every_module_is_in_the_action_group_and_has_an_action_plugin() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    group = re.findall(r"^    - (\w+)$", (ROOT / "meta" / "runtime.yml").read_text(), re.MULTILINE)
    actions = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))
    assert modules == group == actions


def test_every_source_file_names_its_licence() -> None:
    files = [path for folder in ("plugins", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert files
    assert [path for path in files if "SPDX-License-Identifier" not in path.read_text()] == []


def test_what_ansible_imports_is_under_its_own_licence() -> None:
    imported = [path for path in (ROOT / "plugins").rglob("*.py") if "module_utils" not in path.parts]
    assert imported
    assert [path for path in imported if "Identifier: GPL-3.0-or-later\n" not in path.read_text()] == []
