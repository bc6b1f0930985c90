# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of the JSON object in a secret of AWS Secrets Manager."""

from __future__ import annotations

from .definition import PlaceDefinition

AWS_SECRETSMANAGER = PlaceDefinition(
    "aws_secretsmanager",
    {
        "type": "dict",
        "no_log": False,  # its name alone looks like a secret
        "options": {
            "name": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "tags": {"type": "dict"},
            "kms_key_id": {"type": "str"},
            "description": {"type": "str"},
            "connection": {"type": "dict"},
        },
    },
    required="name",
    defaults={"key": "token", "connection": {}},
    of_creation=("tags", "kms_key_id", "description"),
)
