# SPDX-License-Identifier: BSD-2-Clause
"""The documentation and the code say the same."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from plugins.module_utils.core import errors
from plugins.module_utils.core.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCES = sorted(path for folder in ("plugins", "pulumi_echovalue") for path in (ROOT / folder).rglob("*.py"))
TROUBLES = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")


def subclasses(kind: type[errors.EchoValueError]) -> Iterator[type[errors.EchoValueError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from subclasses(one)


REASONS = {
    kind.__name__: kind.reason for kind in subclasses(errors.EchoValueError) if hasattr(kind, "reason")
}


def text_of(node: ast.expr) -> str:
    """A text as troubleshooting.md writes it: `…` for what differs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    return "…"


def nodes() -> Iterator[ast.AST]:
    for path in SOURCES:
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def test_each_reason_has_a_section_of_its_own() -> None:
    assert sorted(re.findall(r"^## `(\w+)`$", TROUBLES, re.MULTILINE)) == sorted(set(REASONS.values()))
    anchors = set(re.findall(r"^\((.+)\)=$", TROUBLES, re.MULTILINE))
    assert anchors == {reason.replace("_", "-") for reason in REASONS.values()}


def test_each_text_of_a_failure_is_documented() -> None:
    raised = {
        text_of(node.args[0])
        for node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args
        if REASONS.get(node.func.id, "invalid_input") != "invalid_input"  # which says by itself what is wrong
    }
    reported = set(re.findall(r"^\| `(.*?)` \|", TROUBLES, re.MULTILINE))
    written = {text_of(node) for node in nodes() if isinstance(node, (ast.Constant, ast.JoinedStr))}
    assert sorted(text for text in raised if re.search("[a-z]{3}", text) and text not in reported) == []
    assert sorted(text for text in reported if "…" in text or text.endswith(".") if text not in written) == []


def test_the_architecture_agrees_with_the_tree() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"`((?:plugins|pulumi_echovalue|roles|tests|tools|extensions|docs)/[\w/.]*)`", page)
    )
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    folders = {path.parent.relative_to(ROOT) for path in SOURCES} | {
        path.relative_to(ROOT)
        for room in ("tests", "tools")
        for path in (ROOT / room).iterdir()
        if any(path.glob("**/*.py"))
    }
    known = {Path(name) for name in named} | {Path(name).parent for name in named}
    assert sorted(str(one) for one in folders if one not in known and one.parent not in known) == []


def test_the_workflows_and_pages_call_commands_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    workflows = [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / ".ci/run"]
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    texts = [path.read_text(encoding="utf-8") for path in workflows + pages]
    called = {
        word
        for text in texts
        for word in re.findall(r"(?:^|- run: |[$`] ?|&& )make ([a-z-]+)", text, re.MULTILINE)
    }
    for text in texts:
        for listed in re.findall(r"^ +command: \[(.*)\]$", text, re.MULTILINE):
            called |= set(listed.split(", "))
    assert {"lint", "test", "test-all", "matrix", "release"} <= called
    assert sorted(called - targets) == []


def test_each_check_belongs_to_a_command_that_a_workflow_runs() -> None:
    """A session's tags are the commands that run it; `left_out` knows the others by them."""
    noxfile = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    tags: dict[str, set[str]] = {}
    for function in noxfile.body:
        calls = [call for call in getattr(function, "decorator_list", []) if isinstance(call, ast.Call)]
        if any(ast.unparse(call.func) == "nox.session" for call in calls):
            listed = re.findall(r"tags=\[(.*?)\]", " ".join(map(ast.unparse, calls)))
            tags[function.name] = set(re.findall(r"[a-z-]+", " ".join(listed)))
    tools = {"format", "changelog", "released", "bench", "left_out"}
    assert {name for name, commands in tags.items() if not commands} == tools
    workflows = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github").rglob("*.yml"))
    run = set(re.findall(r"make ([a-z-]+)", workflows))
    run |= set(", ".join(re.findall(r"command: \[(.*)\]", workflows)).split(", "))
    assert set().union(*tags.values()) - run == set()


def test_pulumis_registry_can_show_its_pages() -> None:
    """Its check takes no relative links to pages and pictures, and asks for front matter."""
    for name in ("_index.md", "installation-configuration.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        assert text.startswith("---\ntitle: ")
        assert "\nlayout: package\n---\n" in text
        assert re.findall(r"\]\((?!https?://|#)[^)]*\)", text) == []
        linked = re.findall(r"/echovalue-iac/(?:blob|tree)/main/([\w./-]+)", text)
        assert [path for path in linked if not (ROOT / path).exists()] == []


def test_what_pages_name_is_what_is_published() -> None:
    schema = json.loads((ROOT / "pulumi_echovalue/plugin/schema.json").read_text(encoding="utf-8"))
    languages = schema["language"]
    page = (DOCS / "installation-configuration.md").read_text(encoding="utf-8")
    space = f"{languages['csharp']['rootNamespace']}.{languages['csharp']['namespaces']['echovalue']}"
    names = [languages["nodejs"]["packageName"], languages["go"]["importBasePath"], space]
    assert [
        name for name in [*names, languages["python"]["packageName"]] if f"| `{name}` |" not in page
    ] == []
    assert f"echovalue v{VERSION} --server {schema['pluginDownloadURL']}\n" in page
    assert {"kind/native", "category/utility"} <= {*schema["keywords"]}
    assert (ROOT / schema["logoUrl"].partition("/main/")[2]).is_file()
    shown = page + (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(?:-|-v|Package\.)(\d+\.\d+\.\d+)", shown)) == {VERSION}
