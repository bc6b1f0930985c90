# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A program that stores the token."""

from __future__ import annotations

from .definition import PlaceDefinition

COMMAND = PlaceDefinition(
    "command",
    {
        "type": "dict",
        "options": {
            "argv": {"type": "list", "elements": "str"},
            "timeout": {"type": "float"},
            "id": {"type": "str"},
        },
    },
    required="argv",
    defaults={"timeout": 30.0, "id": None},
)
