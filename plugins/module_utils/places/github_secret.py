# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A secret of GitHub Actions: it can be written, and never read."""

from __future__ import annotations

from .definition import PlaceDefinition

GITHUB_SECRET = PlaceDefinition(
    "github_secret",
    {
        "type": "dict",
        "no_log": False,  # its name alone looks like a secret
        "options": {
            "repository": {"type": "str"},
            "name": {"type": "str"},
            "environment": {"type": "str"},
            "connection": {"type": "dict"},
        },
    },
    required="repository",
    defaults={"name": "ECHOVALUE_TOKEN", "environment": None, "connection": {}},
)
