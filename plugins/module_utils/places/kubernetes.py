# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a Secret of Kubernetes."""

from __future__ import annotations

from .definition import PlaceDefinition

KUBERNETES = PlaceDefinition(
    "kubernetes",
    {
        "type": "dict",
        "options": {
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "labels": {"type": "dict"},
            "annotations": {"type": "dict"},
            "connection": {"type": "dict"},
        },
    },
    required="name",
    defaults={"namespace": "default", "key": "token", "connection": {}},
    of_creation=("labels", "annotations"),
)
