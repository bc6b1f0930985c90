# SPDX-License-Identifier: BSD-2-Clause
"""Property values as the engine's protocol carries them, and as plain ones."""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Struct, Value
from pulumi.runtime import rpc
from pulumi.runtime.rpc import is_rpc_secret
from pulumi.runtime.rpc import wrap_rpc_secret as secret

UNKNOWN: str = rpc.UNKNOWN  # stands for what a preview does not know yet


def plain(properties: Struct) -> dict[str, Any]:
    """Return properties as plain values, secrets among them."""
    return {name: _plain(value) for name, value in properties.fields.items()}


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        found = plain(value.struct_value)
        return found["value"] if is_rpc_secret(found) else found
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def put(properties: Struct, forms: dict[str, Any]) -> None:
    """Put values that are in another form now among properties; a secret stays marked as one."""
    for name, former in plain(properties).items():
        form = forms.get(name)
        if form is not None and form != former:
            marked = is_rpc_secret(plain(properties.fields[name].struct_value))
            properties[name] = secret(form) if marked else form


def struct(values: dict[str, Any]) -> Struct:
    """Return values, secrets marked, as the protocol carries them; None is left out."""
    properties = Struct()
    properties.update({name: value for name, value in values.items() if value is not None})
    return properties
