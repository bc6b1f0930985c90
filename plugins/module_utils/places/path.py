# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A file on the target."""

from __future__ import annotations

from .definition import PlaceDefinition

PATH = PlaceDefinition(
    "path",
    {"type": "path"},
    beside={"owner": {"type": "str"}, "group": {"type": "str"}, "mode": {"type": "raw"}},
    on_controller=False,
)
