# SPDX-License-Identifier: BSD-2-Clause
"""A dynamic resource that does nothing: what any such resource costs.

Its provider is stateless and in an importable module, so that the state refers to it by name, as it
does to that of `Token`.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class IdleProvider(ResourceProvider):
    """Creates without doing anything."""

    def diff(self, _id: str, _olds: Any, _news: Any) -> DiffResult:
        """Return no change."""
        return DiffResult(changes=False)

    def create(self, props: Any) -> CreateResult:
        """Return the properties as they are."""
        return CreateResult("idle", props)


class Idle(Resource, module="bench", name="Idle"):
    """A resource that is nothing."""

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(IdleProvider(), resource_name, {}, opts)
