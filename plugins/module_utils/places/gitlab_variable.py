# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A CI/CD variable of a project or a group of GitLab."""

from __future__ import annotations

from .definition import PlaceDefinition

GITLAB_VARIABLE = PlaceDefinition(
    "gitlab_variable",
    {
        "type": "dict",
        "options": {
            "project": {"type": "str"},
            "group": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "environment_scope": {"type": "str"},
            "masked": {"type": "bool"},
            "protected": {"type": "bool"},
            "connection": {"type": "dict"},
        },
    },
    required="key",
    defaults={
        "project": None,
        "group": None,
        "key": "ECHOVALUE_TOKEN",
        "environment_scope": "*",
        "masked": None,
        "protected": None,
        "connection": {},
    },
)
