# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a KV version 2 secret of OpenBao or HashiCorp Vault."""

from __future__ import annotations

from .definition import PlaceDefinition

HASHI_VAULT = PlaceDefinition(
    "hashi_vault",
    {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "mount": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "custom_metadata": {"type": "dict"},
            "connection": {"type": "dict"},
        },
    },
    required="path",
    defaults={"mount": "secret", "key": "token", "connection": {}},
    of_creation=("custom_metadata",),
)
