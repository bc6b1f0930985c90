# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What a task requests for each token, out of its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import InvalidInputError
from ..core.rotation import Rotation, check_goes_with
from ..core.times import read_length
from ..places.definition import PlaceDefinition
from ..places.registry import COPIES, PLACES
from .options import CONTROLLER_PLACES


@dataclass(frozen=True)
class CopyRequest:
    """A further place that a task requests for a token: as `place` and `options` of a TokenRequest."""

    place: str
    options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class TokenRequest:
    """What a task requests for one token: `place` names the option that says where, None says nowhere.

    `options` are the place's own: of a file `path`, `owner`, `group`, `mode`; of a vaulted file
    `vault_file`, `variable`, `vault_id`; of the others what their dict holds.
    """

    place: str | None
    options: Mapping[str, Any] = field(repr=False)
    token: str | None = field(repr=False)
    state: str
    verify: bool
    regenerate: str
    backup: bool
    rotation: Rotation | None = None
    copies: tuple[CopyRequest, ...] = ()


def token_requests(params: Mapping[str, Any]) -> list[TokenRequest]:
    """Return what validated options request, one for each token.

    Raises InvalidInputError where a token does not name its place.
    """
    rotation = None
    if params["max_age"] is not None:
        rotation = Rotation(read_length(params["max_age"], "max_age"), params["max_loss"])
    if params["tokens"] is None:
        return [_request(params, params, rotation, "The task")]
    found = [
        _request(_with_defaults(item, params), params, rotation, f"Item {number} of tokens")
        for number, item in enumerate(params["tokens"], 1)
    ]
    if any(one.place is None for one in found):
        raise InvalidInputError("Each item of tokens must name its place.")
    if len({one.place == "path" for one in found}) > 1:
        raise InvalidInputError(
            "Items of tokens with path are of the target, all others of the controller: they exclude "
            "each other in one task."
        )
    return found


def is_for_controller(arguments: Mapping[str, Any]) -> bool:
    """Return whether the task is one for the controller, by arguments that are not validated yet."""
    items = arguments.get("tokens")
    asked = [arguments, *(items if isinstance(items, list) else [])]
    return any(
        isinstance(one, Mapping)
        and (one.get("copies") or any(one.get(name) is not None for name in CONTROLLER_PLACES))
        for one in asked
    )


def _with_defaults(item: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item with the task-level options where it has none of its own."""
    own_place = any(item[name] is not None for name in PLACES)
    without_default = {"token", "copies", *(name for name in PLACES if own_place and item[name] is None)}
    return {
        name: value if name in without_default else _with_default(value, params[name])
        for name, value in item.items()
    }


def _with_default(own: Any, default: Any) -> Any:
    """Return an option, its suboptions, and those of its connection, each with its default."""
    if not isinstance(own, dict) or not isinstance(default, dict):
        return default if own is None else own
    merged = {**_set(default), **_set(own)}
    if default.get("connection") and own.get("connection"):
        merged["connection"] = {**default["connection"], **own["connection"]}
    return merged


def _set(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are set."""
    return {name: value for name, value in options.items() if value is not None}


def requested_place(
    options: Mapping[str, Any], who: str, table: Mapping[str, PlaceDefinition] = PLACES
) -> tuple[str | None, dict[str, Any]]:
    """Return the name of the place that options name, None where they name none, and its own options.

    `who` begins the text of an error; `table` lists the places there can be. Raises InvalidInputError for
    two places, for one that is not named whole, and for options that go with another one.
    """
    places = [place for place in table.values() if options[place.name] is not None]
    if len(places) > 1:
        raise InvalidInputError(f"{who} names two places: {' and '.join(place.name for place in places)}.")
    place = places[0] if places else None
    for other in table.values():
        # Where no place is named, the attributes of a file have none to go with, and do no harm.
        unsupported = other is not place and (place is not None or other.on_controller)
        for name in other.beside if unsupported else ():
            if options.get(name) is not None:
                raise InvalidInputError(f"{who} has {name}, which does not go with {place and place.name}.")
    return (None, {}) if place is None else (place.name, _options_of(place, options, who))


def _request(
    options: Mapping[str, Any], params: Mapping[str, Any], rotation: Rotation | None, who: str
) -> TokenRequest:
    place, own = requested_place(options, who)
    if rotation is not None:
        check_goes_with(
            stored=place is not None,
            token=options["token"],
            verify=params["verify"],
            regenerate=params["regenerate"],
        )
    return TokenRequest(
        place,
        own,
        options["token"],
        params["state"],
        params["verify"],
        params["regenerate"],
        params["backup"],
        rotation,
        _copies(options["copies"] or (), place, who),
    )


def _copies(items: Iterable[Mapping[str, Any]], place: str | None, who: str) -> tuple[CopyRequest, ...]:
    """Return what is requested of copies. Raises InvalidInputError."""
    found = []
    for number, item in enumerate(items, 1):
        kind, options = requested_place(item, f"Copy {number} of {who[0].lower()}{who[1:]}", COPIES)
        if kind is None:
            raise InvalidInputError(f"{who} must say where copy {number} is.")
        found.append(CopyRequest(kind, options))
    if found and (place is None or place == "path"):
        raise InvalidInputError(
            f"{who} has copies, and {'no place' if place is None else 'path'}: copies are made on the "
            "controller, of a token that has its place there."
        )
    return tuple(found)


def _options_of(place: PlaceDefinition, options: Mapping[str, Any], who: str) -> dict[str, Any]:
    """Return the options of the place that is named. Raises InvalidInputError."""
    value = options[place.name]
    if place.required is None:
        beside = {name: options.get(name) for name in place.beside}
        own = {place.name: value, **beside, **{n: d for n, d in place.defaults.items() if beside[n] is None}}
    else:
        own = {**place.defaults, **_set(value)}
    if place.required is None and not value:
        raise InvalidInputError(f"{who} must say {place.name}: it is empty.")
    if not place.is_named(own):
        raise InvalidInputError(f"{who} must say {place.name}.{place.required}.")
    for name in ("path", "vault_file", "file"):
        if str(own.get(name)).startswith("~"):  # else it would be a folder of that name
            raise InvalidInputError(
                f"{who} names {own[name]}, and that home directory is unknown: give an absolute path."
            )
    return own
