# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a file that SOPS encrypts."""

from __future__ import annotations

from .definition import PlaceDefinition

SOPS = PlaceDefinition(
    "sops",
    {
        "type": "dict",
        "options": {
            "file": {"type": "path"},
            "key": {"type": "str", "no_log": False},
        },
    },
    required="file",
    defaults={"key": "echovalue_token"},
)
