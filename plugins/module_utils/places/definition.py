# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What distinguishes one kind of place from another for who types it: pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import InvalidInputError


@dataclass(frozen=True)
class PlaceDefinition:
    """A kind of place: `name` is the option that names it, `spec` that option's argument specification.

    `beside` are options of their own that belong to it. `required` is the suboption without which it names
    nothing. `defaults` are those of its suboptions: not in `spec`, where those of an item of `tokens` would
    hide the task-level ones. `of_creation` are suboptions that count only where the secret is created.
    """

    name: str
    spec: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)
    required: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    on_controller: bool = True
    of_creation: tuple[str, ...] = ()

    def is_named(self, options: Mapping[str, Any]) -> bool:
        """Return whether the required suboption names something: text, or a list that begins with some."""
        value = options.get(self.required) if self.required else True
        return bool(value[0] if value and isinstance(value, list) else value)

    def creation(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of `of_creation` that are set, as text or mappings of text.

        A number in a mapping is turned into text. Raises InvalidInputError for anything else.
        """
        found: dict[str, Any] = {}
        for name in self.of_creation:
            value, shown = options.get(name), f"{self.name}.{name}"
            if not value:
                continue
            if self.spec["options"][name]["type"] == "str":
                found[name] = _text(value, shown)
            elif isinstance(value, Mapping):
                found[name] = {str(key): _text(one, f"{shown}.{key}") for key, one in value.items()}
            else:
                raise InvalidInputError(f"{shown} must be a mapping.")
        return found


def _text(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidInputError(f"{name} must be text.")
    return str(value)
