# SPDX-License-Identifier: BSD-2-Clause
"""What cannot be made from the registry of places agrees with it: documentation, role, and who opens a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.doc_fragments import token
from plugins.module_utils.places.definition import PlaceDefinition
from plugins.module_utils.places.registry import COPIES, PLACES
from plugins.modules import echovalue_token, echovalue_wallet_info
from plugins.plugin_utils.connections.registry import COPY_OPENERS, OPENERS
from tools.checkout import ROOT

pytestmark = pytest.mark.essential

OPTIONS = yaml.safe_load(echovalue_token.DOCUMENTATION)["options"]
READ = yaml.safe_load(token.ModuleDocFragment.DOCUMENTATION)["options"]  # of the modules that take a token
MANY = yaml.safe_load(echovalue_wallet_info.DOCUMENTATION)["options"]["tokens"]["suboptions"]
ROLE = ROOT / "roles/echovalue_token"
VARIABLES = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"][
    "options"
]
PAGE = (ROOT / "docs/stores.md").read_text()
# What the role's users call a store, where that is not the option's name.
STORES = {"path": "file", "vault_file": "ansible_vault"}


def suboptions(place: PlaceDefinition) -> dict[str, Any]:
    return dict(place.spec.get("options", {}))


def text_of(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.yml")))


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_documented(name: str) -> None:
    place = PLACES[name]
    for documented in (OPTIONS, OPTIONS["tokens"]["suboptions"], READ, MANY):
        assert documented[name]["type"] == place.spec["type"]
        assert set(documented[name].get("suboptions", {})) == set(suboptions(place))
        beside = (
            place.beside if documented not in (READ, MANY) or place.on_controller else ()
        )  # no file is written
        assert [option for option in beside if option not in documented] == []
    for option, spec in suboptions(place).items():
        for documented in (options[name]["suboptions"][option] for options in (OPTIONS, READ, MANY)):
            assert documented["type"] == spec["type"], option
            default = place.defaults.get(option)
            if default not in (None, {}):
                words = f"{default:g}" if isinstance(default, float) else str(default)
                assert words in str(documented["description"]), option
    assert f"\n## {name}\n" in PAGE


@pytest.mark.parametrize("name", PLACES)
def test_a_place_has_its_variables_in_the_role(name: str) -> None:
    place = PLACES[name]
    assert STORES.get(name, name) in VARIABLES["echovalue_token_store"]["choices"]
    own = [f"{name}_{option}" for option in suboptions(place)] or [name]
    passed = text_of(ROLE / "tasks") + text_of(ROLE / "vars")
    for option in (*own, *place.beside):
        assert f"echovalue_token_{option}" in VARIABLES
        assert f"echovalue_token_{option}" in passed


@pytest.mark.parametrize("name", COPIES)
def test_a_place_of_copies_is_documented(name: str) -> None:
    place = COPIES[name]
    documented = OPTIONS["copies"]["suboptions"]
    assert OPTIONS["tokens"]["suboptions"]["copies"] == OPTIONS["copies"]
    assert documented[name]["type"] == place.spec["type"]
    found = documented[name].get("suboptions", {})
    assert {option: each["type"] for option, each in found.items()} == {
        option: spec["type"] for option, spec in suboptions(place).items()
    }
    for option, default in place.defaults.items():
        if isinstance(default, str) and option in found:
            assert f"by default C({default})" in str(found[option]["description"]), option
    assert f"## {name}\n" in PAGE


def test_each_place_can_be_opened() -> None:
    assert {*OPENERS, *COPY_OPENERS, "vault_file"} == set(COPIES)
    assert {*OPENERS, "vault_file"} == {name for name, place in PLACES.items() if place.on_controller}
