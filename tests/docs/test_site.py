# SPDX-License-Identifier: BSD-2-Clause
"""The built site has no dead link, and the tasks that its pages and READMEs show are right."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ["SITE"])
PAGES = sorted(SITE.rglob("*.html"))
TEXTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
]
COLLECTION = "echovalue.cloud."
PLACES = ("path", "vault_file", "sops", "hashi_vault", "kubernetes", "aws_secretsmanager", "command")


class Page(HTMLParser):
    """The links of a page, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name == "id" and value:
                self.anchors.add(value)


@cache
def page(path: Path) -> Page:
    return Page(path)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(SITE)))
def test_each_local_link_leads_somewhere(path: Path) -> None:
    dead = []
    for link in page(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target = target / "index.html"
        anchors = page(target).anchors if target.suffix == ".html" and target.is_file() else None
        if not target.is_file() or (
            anchors is not None and parts.fragment and unquote(parts.fragment) not in anchors
        ):
            dead.append(link)
    assert dead == []


def test_the_readme_leads_to_pages_that_there_are_and_is_short() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"https://github\.com/echovalue/echovalue-iac/blob/main/(\S+)", readme)
    assert len(linked) > 5
    assert [name for name in linked if not (ROOT / name).is_file()] == []
    assert len(readme.splitlines()) <= 120


def test_no_page_has_a_table_of_contents_that_the_theme_refuses() -> None:
    assert [path.name for path in PAGES if 'class="contents' in path.read_text(encoding="utf-8")] == []


def test_the_search_knows_the_reasons_and_the_modules() -> None:
    index = (SITE / "searchindex.js").read_text(encoding="utf-8")
    words = ("ambiguous_mint", "echovalue_wallet_alert", "keeper")
    assert [word for word in words if word not in index] == []


def documented(path: Path) -> Any:
    source = path.read_text(encoding="utf-8")
    return yaml.safe_load(re.search(r'DOCUMENTATION = r"""\n(.*?)"""', source, re.DOTALL)[1])  # type: ignore[index]


def options(plugin: str) -> set[str]:
    """The options of a module and of the fragments that it takes, at every depth."""
    documentation = documented(ROOT / "plugins/modules" / f"{plugin}.py")
    names = set(documentation["options"])
    for fragment in documentation["extends_documentation_fragment"]:
        found = documented(ROOT / "plugins/doc_fragments" / f"{fragment.rpartition('.')[2]}.py")
        names |= set(found.get("options", {}))
    return names


def variables(role: str) -> set[str]:
    text = (ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8")
    return set(yaml.safe_load(text)["argument_specs"]["main"]["options"])


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a YAML value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from mappings(item)


def shown() -> Iterator[Any]:
    """The YAML blocks of all pages, and the playbooks among the examples."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _suffix, node: getattr(node, "value", None))
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield yaml.load(block, Loader)
    for path in sorted((ROOT / "docs/examples").rglob("*.yml")):
        yield from yaml.load_all(path.read_text(encoding="utf-8"), Loader)


def test_each_task_that_is_shown_names_options_that_there_are() -> None:
    wrong, seen = [], 0
    for mapping in (one for value in shown() for one in mappings(value)):
        role = mapping.get("role") or (mapping.get("ansible.builtin.include_role") or {}).get("name") or ""
        if str(role).startswith(COLLECTION):
            seen += 1
            name = role.removeprefix(COLLECTION)
            wrong += [f"{role}: {key}" for key in mapping.get("vars", {}) if key not in variables(name)]
        for key, arguments in mapping.items():
            if str(key).startswith(COLLECTION + "echovalue_"):
                seen += 1
                name = key.removeprefix(COLLECTION)
                wrong += [f"{key}: {option}" for option in arguments if option not in options(name)]
    assert seen > 20
    assert wrong == []


def test_each_store_is_in_the_table_of_the_guide() -> None:
    guide = (ROOT / "docs/stores.md").read_text(encoding="utf-8")
    assert [place for place in PLACES if f"`{place}`" not in guide] == []
