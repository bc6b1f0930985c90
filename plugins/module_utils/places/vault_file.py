# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A variable of a YAML file that Ansible Vault encrypts."""

from __future__ import annotations

from .definition import PlaceDefinition

VAULT_FILE = PlaceDefinition(
    "vault_file",
    {"type": "path"},
    beside={"variable": {"type": "str"}, "vault_id": {"type": "str"}},
    defaults={"variable": "echovalue_token"},
)
