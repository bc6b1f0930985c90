# SPDX-License-Identifier: BSD-2-Clause
"""Facts that the ecosystems want in two places are the same in both."""

from __future__ import annotations

import re
from pathlib import Path

from plugins.module_utils.core.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_one_version() -> None:
    assert re.findall(r"^version: (.+)$", (ROOT / "galaxy.yml").read_text(), re.MULTILINE) == [VERSION]


def test_every_module_is_in_the_group_and_has_an_action() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    group = re.findall(r"^    - (\w+)$", (ROOT / "meta" / "runtime.yml").read_text(), re.MULTILINE)
    actions = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))
    assert modules == group == actions


def test_every_source_file_names_its_licence() -> None:
    files = [path for folder in ("plugins", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    assert files
    assert [path for path in files if "SPDX-License-Identifier" not in path.read_text()] == []


SHARED = ("module_utils/core", "module_utils/files", "module_utils/places", "plugin_utils/places")


def test_what_both_halves_share_knows_neither() -> None:
    shared = [path for folder in SHARED for path in (ROOT / "plugins" / folder).rglob("*.py")]
    assert len(shared) > 20
    ansible = [path for path in (ROOT / "plugins").rglob("*.py") if path not in shared]
    for path in ansible:
        assert "Identifier: GPL-3.0-or-later\n" in path.read_text(), path
    for path in shared:
        text = path.read_text()
        assert "Identifier: BSD-2-Clause\n" in text, path
        assert not re.search(r"^ *(from|import) (ansible|pulumi)", text, re.MULTILINE), path


def test_the_collection_imports_itself_by_relative_names() -> None:
    for path in (ROOT / "plugins").rglob("*.py"):
        text = path.read_text()
        # In its documentation a module has its full name.
        assert not re.search(r"^ *(from|import) ansible_collections\.echovalue", text, re.MULTILINE), path
        assert "import_module" not in text, path
        assert "__import__" not in text, path


def test_the_hooks_have_the_versions_of_the_lint_session() -> None:
    pinned = set(re.findall(r'"(\w+)==([\d.]+)"', (ROOT / "pyproject.toml").read_text()))
    hooks = re.findall(r"/([\w-]+)\n    rev: v([\d.]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert len(hooks) == 3
    assert {(name.removesuffix("-pre-commit"), version) for name, version in hooks} <= pinned


def test_ansible_lint_skips_no_rule() -> None:
    assert "profile: production\n" in (ROOT / ".ansible-lint").read_text()
    assert not re.search(r"^(skip|warn)_list", (ROOT / ".ansible-lint").read_text(), re.MULTILINE)
    assert not (ROOT / ".ansible-lint-ignore").exists()
    for room in ("docs", "extensions", "roles"):
        for path in (ROOT / room).rglob("*.yml"):
            assert not re.search(r"# noqa|skip_ansible_lint", path.read_text(encoding="utf-8")), path


def test_actions_are_pinned_by_digest_with_their_version() -> None:
    used = [
        line
        for path in (ROOT / ".github").rglob("*.yml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r" +(- )?uses: (?!\./)", line)
    ]
    assert len(used) > 10
    assert [line for line in used if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
    pinned: dict[str, set[str]] = {}
    for line in used:
        action, _at, pin = line.partition("uses: ")[2].partition("@")
        pinned.setdefault(action, set()).add(pin)
    assert {action: pins for action, pins in pinned.items() if len(pins) > 1} == {}
