# SPDX-License-Identifier: BSD-2-Clause
"""What the Pulumi half says of the places agrees with the registry: schema, types, connections, documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pulumi_echovalue import places
from pulumi_echovalue._connections.registry import KINDS
from pulumi_echovalue._decisions.place import CONNECTIONS
from pulumi_echovalue._shared.module_utils.places.registry import PLACES
from pulumi_echovalue.plugin.places import from_wire, to_wire
from pulumi_echovalue.plugin.provider import schema

pytestmark = pytest.mark.essential

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pulumi" / "places.md").read_text()
TYPES = schema()["types"]


def names_of(wire: dict[str, Any]) -> dict[str, str]:
    """Return the properties of a type of the schema: their names in Python, and the types that they name."""
    return {
        re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name): spec.get("$ref", "").rpartition("/")[2]
        for name, spec in wire["properties"].items()
    }


def hints(typed: Any) -> dict[str, Any]:
    """Return the keys of a TypedDict, those that it inherits too, and the classes of this module that they name."""
    annotations: dict[str, Any] = typed.__annotations__
    return {name: getattr(places, hint.__forward_arg__, None) for name, hint in annotations.items()}


def test_the_kinds_are_those_of_the_registry() -> None:
    assert set(KINDS) == set(PLACES) - {"vault_file"}  # Ansible's own
    assert list(names_of(TYPES["echovalue:index:Place"])) == list(KINDS) == list(hints(places.Place))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "path"])
def test_a_place_has_its_options(kind: str) -> None:
    options = set(PLACES[kind].spec["options"])
    type_ = TYPES[names_of(TYPES["echovalue:index:Place"])[kind]]
    typed = hints(hints(places.Place)[kind])
    assert set(names_of(type_)) == options == set(typed)
    assert type_["required"] == [PLACES[kind].required]
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |"))
    assert [option for option in options if f"`{option}`" not in row] == []
    if "connection" in options:
        connection = TYPES[names_of(type_)["connection"]]
        assert set(names_of(connection)) == set(CONNECTIONS[kind]) == set(hints(typed["connection"]))


def test_the_names_of_the_wire() -> None:
    place = {"hashi_vault": {"path": "a", "custom_metadata": {"my_team": "core"}, "connection": {"url": "u"}}}
    wire = {"hashiVault": {"path": "a", "customMetadata": {"my_team": "core"}, "connection": {"url": "u"}}}
    assert (to_wire(place), from_wire(wire)) == (wire, place)
    place = {"aws_secretsmanager": {"name": "a", "kms_key_id": "k", "connection": {"endpoint_url": "u"}}}
    assert from_wire(to_wire(place)) == place
    assert to_wire(place)["awsSecretsmanager"]["connection"] == {"endpointUrl": "u"}
