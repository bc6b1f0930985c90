# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What distinguishes one kind of place from another for who types it: pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PlaceDefinition:
    """A kind of place: `name` is the option that names it, `spec` that option's argument specification.

    `beside` are options of their own that belong to it. `required` is the suboption without which it names
    nothing. `defaults` are those of its suboptions: not in `spec`, where those of an item of `tokens` would
    hide the task-level ones.
    """

    name: str
    spec: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)
    required: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    on_controller: bool = True
