# SPDX-License-Identifier: BSD-2-Clause
"""The documentation site: Sphinx, for antsibull-docs writes the reference of modules and roles for it."""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes

from pulumi_echovalue._shared.module_utils.core.version import VERSION

project = "EchoValue for infrastructure as code"
author = copyright = "EchoValue IaC contributors"  # noqa: A001 - Sphinx's name
release = version = VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_antsibull_ext", "sphinx_inline_tabs"]
exclude_patterns = ["examples/**/node_modules"]
html_theme = "furo"
html_title = "EchoValue for IaC"
html_static_path = ["images"]
html_css_files = ["site.css"]
html_theme_options = {
    "source_repository": "https://github.com/echovalue/echovalue-iac/",
    "source_branch": "main",
    "source_directory": "docs/",
}
pygments_style = "friendly"
pygments_dark_style = "monokai"

myst_heading_anchors = 4
myst_title_to_header = True
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
linkcheck_ignore = [r"https://api\.echovalue\.dev.*", r"https://github\.com/echovalue/.*"]

ROOT = Path(__file__).resolve().parent.parent
PAGES = "https://github.com/echovalue/echovalue-iac/blob/main/docs/"  # so Pulumi's registry wants links
SOURCE = "https://github.com/echovalue/echovalue-iac/tree/main"
ANSIBLE = "https://docs.ansible.com/ansible/latest"
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def link_to_ansible(_app: Any, _env: Any, node: Any, content: Any) -> nodes.reference | None:
    """Link the reference's labels of Ansible to its own documentation, without its inventory."""
    page = ANSIBLE_PAGES.get(node["reftarget"])
    if module := re.fullmatch(r"ansible_collections\.(\w+)\.(\w+)\.(\w+_module)", node["reftarget"]):
        page = "collections/{}/{}/{}.html".format(*module.groups())
    return page and nodes.reference("", "", content, refuri=f"{ANSIBLE}/{page}", internal=False)


LANGUAGES = {"typescript": "TypeScript", "python": "Python", "go": "Go", "csharp": "C#", "yaml": "YAML"}


def show_languages(_app: Any, _name: str, text: list[str]) -> None:
    """Turn the chooser of languages, as Pulumi's registry writes it, into tabs."""
    text[0] = re.sub(r"\{\{[<%] /?chooser.*\n", "", text[0])
    text[0] = re.sub(
        r"\{\{% choosable language (\w+) %\}\}", lambda found: f"`````{{tab}} {LANGUAGES[found[1]]}", text[0]
    )
    text[0] = text[0].replace("{{% /choosable %}}", "`````")


def link_to_sources(app: Any, name: str, text: list[str]) -> None:
    """Let links to folders, and to files above this one, lead to the sources; those to pages stay here."""
    text[0] = re.sub(r"\.\. contents::\n( +:.*\n)+", "", text[0])  # the theme shows one beside the page
    folder = Path(app.env.doc2path(name)).parent
    pages = os.path.relpath(app.srcdir, folder)
    text[0] = re.sub(rf"\]\({re.escape(PAGES)}([\w./-]+\.md)", rf"]({pages}/\1", text[0])

    def linked(match: re.Match[str]) -> str:
        place = (folder / match[1]).resolve()
        if place.is_dir() or (place.exists() and not place.is_relative_to(app.srcdir)):
            return f"]({SOURCE}/{place.relative_to(ROOT)})"
        return match[0]

    text[0] = re.sub(r"\]\(([\w./-]+)\)", linked, text[0])


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("missing-reference", link_to_ansible)
    app.connect("source-read", show_languages)
    app.connect("source-read", link_to_sources)
