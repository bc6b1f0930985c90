# SPDX-License-Identifier: BSD-2-Clause
"""Property values as the engine's protocol carries them, and as plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value
from pulumi.runtime import rpc
from pulumi.runtime.rpc import is_rpc_secret

UNKNOWN: str = rpc.UNKNOWN  # in place of what a preview does not know yet


def is_unknown(value: object) -> bool:
    """Return whether a preview does not know a value."""
    return value == UNKNOWN


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
    for name, form in forms.items():
        if name in properties and form is not None:
            _put(properties.fields[name], form)


def _put(value: Value, form: Any) -> None:
    inner = value.struct_value.fields
    if form == _plain(value):
        return
    if value.HasField("struct_value") and is_rpc_secret(plain(value.struct_value)):
        _put(inner["value"], form)
    elif value.HasField("struct_value") and isinstance(form, Mapping):
        for name in set(inner) - set(form):
            del inner[name]
        for name, item in form.items():
            _put(inner[name], item)
    else:
        value.CopyFrom(struct({"form": form}).fields["form"])


def struct(values: dict[str, Any]) -> Struct:
    """Return values, secrets marked, as the protocol carries them; None is left out."""
    properties = Struct()
    properties.update({name: value for name, value in values.items() if value is not None})
    return properties
