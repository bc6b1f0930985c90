# SPDX-License-Identifier: BSD-2-Clause
"""The argument `place`: where a token is stored that is in no state. Its names are those of Ansible."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .._connections.opened import OpenedPlace
from .._connections.registry import KINDS, open_place
from .._shared.module_utils.core.errors import InvalidInputError, StoreError
from .._shared.module_utils.places.registry import PLACES

Place = Mapping[str, Any]  # one of KINDS, with its options, as the program names them
IsUnknown = Callable[[object], bool]

# What `connection` takes: only names, for all else in it would be in the state.
CONNECTIONS: Mapping[str, tuple[str, ...]] = {
    "hashi_vault": ("url", "namespace"),
    "kubernetes": ("kubeconfig", "context"),
    "aws_secretsmanager": ("region", "profile", "endpoint_url"),
}
_KINDS_OF_TEXT = ("str", "path")


def check_place(value: object, is_unknown: IsUnknown = lambda _value: False) -> dict[str, Any]:
    """Return a place in its one form: without what is None.

    What a preview does not know is not checked. Raises InvalidInputError for what is no place, an option
    that there is not, a relative path, and a connection that has more than names.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError("It must be a mapping of one place to its options.")
    place = {name: options for name, options in value.items() if options is not None}
    if len(place) != 1 or not set(place) <= set(KINDS):
        raise InvalidInputError(f"It must name exactly one of {', '.join(KINDS)}.")
    ((kind, options),) = place.items()
    if is_unknown(options):
        return place
    if kind == "path":
        _check_path(kind, options)
        return place
    if not isinstance(options, Mapping):
        raise InvalidInputError(f"{kind} must be a mapping of its options.")
    return {kind: _check_options(kind, options, is_unknown)}


def _check_options(kind: str, options: Mapping[str, Any], is_unknown: IsUnknown) -> dict[str, Any]:
    definition = PLACES[kind]
    specs: Mapping[str, Any] = definition.spec["options"]
    options = {name: option for name, option in options.items() if option is not None}
    _check_names(kind, options, tuple(specs))
    if not definition.is_named(options):
        raise InvalidInputError(f"{kind}.{definition.required} is needed.")
    for name, option in options.items():
        if not is_unknown(option):
            _check_type(f"{kind}.{name}", option, specs[name])
    if not any(is_unknown(option) for option in options.values()):
        definition.creation(options)
    if "connection" in options:
        options["connection"] = _check_connection(kind, options["connection"], is_unknown)
    if kind == "sops" and not is_unknown(options["file"]):
        _check_path("sops.file", options["file"])
    if kind == "command" and not is_unknown(options["argv"]):
        program = options["argv"][0]
        if not is_unknown(program) and os.sep in program:
            _check_path("command.argv", program)
    return options


def _check_connection(kind: str, connection: Any, is_unknown: IsUnknown) -> Any:
    if is_unknown(connection):
        return connection
    connection = {name: value for name, value in connection.items() if value is not None}
    _check_names(
        f"{kind}.connection",
        connection,
        CONNECTIONS[kind],
        " A login comes from where the store's own tools take it: here it would be in the state.",
    )
    for name, value in connection.items():
        if is_unknown(value):
            continue
        _check_type(f"{kind}.connection.{name}", value, {"type": "str"})
        if "url" in name and "@" in urlsplit(value).netloc:
            raise InvalidInputError(f"{kind}.connection.{name} holds a login, which would be in the state.")
        if name == "kubeconfig":
            for path in value.split(os.pathsep):
                _check_path(f"{kind}.connection.kubeconfig", path)
    return connection


def _check_names(what: str, options: Mapping[str, Any], known: tuple[str, ...], why: str = "") -> None:
    unknown = sorted(map(str, set(options) - set(known)))
    if unknown:
        raise InvalidInputError(
            f"{what} does not take {', '.join(unknown)}: it takes {', '.join(known)}.{why}"
        )


def _check_type(what: str, value: object, spec: Mapping[str, Any]) -> None:
    kind = spec["type"]
    if kind in _KINDS_OF_TEXT and not isinstance(value, str):
        raise InvalidInputError(f"{what} must be text.")
    if kind == "float" and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise InvalidInputError(f"{what} must be a number.")
    if kind == "dict" and not isinstance(value, Mapping):
        raise InvalidInputError(f"{what} must be a mapping.")
    if kind == "list" and (not isinstance(value, list) or not value):
        raise InvalidInputError(f"{what} must be a list, with one item at least.")
    for item in value if isinstance(value, list) else ():
        if isinstance(item, (Mapping, list, bool, int, float, type(None))):
            raise InvalidInputError(f"{what} must be a list of texts.")


def _check_path(what: str, path: object) -> None:
    if not isinstance(path, str) or not os.path.isabs(os.path.expanduser(path)):
        raise InvalidInputError(f"{what} must be an absolute path: where a program runs is not fixed.")


def with_defaults(place: Place) -> tuple[str, dict[str, Any]]:
    """Return the kind of a checked place, and its options with their defaults."""
    ((kind, options),) = place.items()
    if not isinstance(options, Mapping):  # a path, or what a preview does not know
        return kind, {kind: options}
    return kind, {**PLACES[kind].defaults, **options}


def same_place(one: Place | None, other: Place | None) -> bool:
    """Return whether two places are typed the same, defaults counted; an unknown one is another."""
    if not one or not other:
        return not one and not other
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return False
    return with_defaults(one) == with_defaults(other)


def opened(place: Place, spool: str, service: str) -> OpenedPlace:
    """Return the place, ready; `service` is the base URL that mints its token.

    Raises StoreError and InvalidInputError; nothing was read or written.
    """
    kind, options = with_defaults(place)
    return open_place(kind, options, spool, service)


def check_same_store(found: OpenedPlace, resolved: Mapping[str, str], stored_at: str) -> None:
    """Raise StoreError where a place leads to another store than the one that the state remembers."""
    if dict(found.resolved) != dict(resolved):
        differs = sorted(
            name for name in {*found.resolved, *resolved} if found.resolved.get(name) != resolved.get(name)
        )
        raise StoreError(
            f"The token is stored in {stored_at}; this environment leads to {found.words}, which is another "
            f"store ({', '.join(differs)}).",
            "Nothing was changed, and none was minted. Correct the environment; or, to move the token, name "
            "the other store in the connection of place.",
        )
