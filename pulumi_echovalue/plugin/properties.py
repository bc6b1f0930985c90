# SPDX-License-Identifier: BSD-2-Clause
"""Property values as the engine's protocol carries them, and as plain ones."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc

from ..secrecy import is_secret

UNKNOWN: str = rpc.UNKNOWN  # stands for what a preview does not know yet


def plain(properties: Struct) -> dict[str, Any]:
    """Return properties as plain values, secrets among them."""
    values: dict[str, Any] = _plain(MessageToDict(properties))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if is_secret(value):
            return _plain(value["value"])
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def struct(values: dict[str, Any]) -> Struct:
    """Return values, secrets marked, as the protocol carries them; None is left out."""
    properties = Struct()
    properties.update({name: value for name, value in values.items() if value is not None})
    return properties
