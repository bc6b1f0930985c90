# SPDX-License-Identifier: BSD-2-Clause
"""The names in a `place`, as the engine's protocol has them: in camelCase. Names that users give stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._connections.registry import KINDS
from .._decisions.place import CONNECTIONS, check_place
from .._shared.module_utils.places.registry import PLACES
from .properties import is_unknown

Rename = Callable[[str, Iterable[str]], str]  # a name, and those that are ours


def check_wire_place(place: Any) -> Any:
    """Return a place in its one form, with the names of the protocol; raise as `check_place` does."""
    return to_wire(check_place(from_wire(place), is_unknown))


def to_wire(place: Any) -> Any:
    """Return a place with the names of the protocol."""
    return _renamed(place, lambda name, known: _camel(name) if name in known else name)


def from_wire(place: Any) -> Any:
    """Return a place with the names of Python; what is unknown there stays, to be refused."""
    return _renamed(place, lambda name, known: {_camel(one): one for one in known}.get(name, name))


def _renamed(place: Any, rename: Rename) -> Any:
    if not isinstance(place, Mapping):
        return place
    return {
        rename(kind, KINDS): _options(rename(kind, KINDS), options, rename) for kind, options in place.items()
    }


def _options(wire_kind: str, options: Any, rename: Rename) -> Any:
    kind = next((one for one in KINDS if wire_kind in (one, _camel(one))), "path")
    if kind == "path" or not isinstance(options, Mapping):
        return options
    known = PLACES[kind].spec["options"]
    named = {rename(name, known): option for name, option in options.items()}
    if isinstance(named.get("connection"), Mapping):
        names = CONNECTIONS.get(kind, ())
        named["connection"] = {rename(name, names): value for name, value in named["connection"].items()}
    return named


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
