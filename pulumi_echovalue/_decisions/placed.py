# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a token that is stored in a place, and in no state: the decisions of both providers.

`provision` of the core decides about the token in its place, as it does for Ansible. What is decided here is
what a stack adds: its keepers, the service and the store that its state remembers, and a place that changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Union

from .._connections.opened import OpenedPlace
from .._connections.registry import DEFAULT_SPOOL
from .._shared.module_utils.core.errors import EchoValueError, InvalidInputError, StoreError
from .._shared.module_utils.core.models import token_hash
from .._shared.module_utils.core.provision import Outcome, provision
from .._shared.module_utils.core.rotation import DEFAULT_MAX_LOSS, Rotation
from .._shared.module_utils.core.times import read_time, utc_now
from .place import Place, check_same_store, opened, same_place
from .service import Service
from .token import (
    Changes,
    Kept,
    Warn,
    check_named,
    decide,
    keepers_differ,
    missing_token_warning,
    unknown_token,
)


@dataclass(frozen=True)
class Placed:
    """A token in a place, as the state remembers it: never the token itself.

    `hash` is that of the token that was seen there last; `stored_at` is the place in words; `resolved` is
    what its client resolved; `created` is when the token was created, where that is known. `gone` is the
    mark: the place holds none, or one that the service does not know.
    """

    hash: str
    service: str
    place: Place
    stored_at: str
    resolved: Mapping[str, str]
    created: str | None = None
    gone: bool = False


Token = Union[Kept, Placed]


class AnotherTokenError(StoreError):
    """A place holds no token, or another one than the state remembers."""

    advice = "No request was sent. Run `pulumi refresh`, then `pulumi up`."


@dataclass(frozen=True)
class Target:
    """What a program requests of a token; `spool` is where a new one is pending until its place has it.

    One in a place that is older than `max_age_days` is rotated, unless its wallet holds over `max_loss`.
    """

    service: Service
    place: Place | None = None
    existing_token: Any = None
    keepers: object = None
    max_age_days: float | None = None
    max_loss: int | None = None
    spool: str = DEFAULT_SPOOL


def stored(state: Mapping[str, Any]) -> Placed | None:
    """Return what a state remembers of a token in a place; None where the token is in the state itself.

    Raises InvalidInputError for a state that was edited by hand.
    """
    if not state.get("place") or state.get("token"):
        return None
    try:
        return Placed(
            state["hash"],
            state["service"],
            state["place"],
            state["stored_at"],
            state["resolved"],
            state.get("created"),
            bool(state.get("gone")),
        )
    except KeyError as error:
        raise InvalidInputError(
            f"The state of a token in a place has no {error.args[0]}.",
            "Nothing was changed. Import an older copy of the state (pulumi stack import); or let the "
            "resource go (pulumi state delete URN): the next up takes up the token in its place.",
        ) from None


def outputs(placed: Placed) -> dict[str, Any]:
    """Return what the state is to remember."""
    mark: dict[str, Any] = {"gone": True} if placed.gone else {}
    if placed.created is not None:
        mark["created"] = placed.created
    return {
        "hash": placed.hash,
        "service": placed.service,
        "place": dict(placed.place),
        "stored_at": placed.stored_at,
        "resolved": dict(placed.resolved),
        **mark,
    }


def create(target: Target) -> Placed:
    """Take up what the place holds already, proven first; mint into it where there is none.

    Raises StoredTokenUnknownError for a token there that the service does not know, and the errors of
    `provision`.
    """
    assert target.place is not None
    place = opened(target.place, target.spool, target.service.url)
    return _placed(target, place, target.service.url, _provision(target, place, target.service.url))


def compare(former: Token, target: Target, keepers: object) -> Changes:
    """Return what the inputs request of a token that is, or is to be, in a place; nothing is sent.

    `keepers` are the former ones. Only a token that goes into the state can be replaced. Raises
    InvalidInputError as `decide` does.
    """
    rotates = ("keepers",) if keepers_differ(keepers, target.keepers) else ()
    former_place = former.place if isinstance(former, Placed) else None
    moves = () if same_place(former_place, target.place) else ("place",)
    what = f"The token with hash {former.hash} is"
    adopts: tuple[str, ...] = ()
    if isinstance(target.existing_token, str) and token_hash(target.existing_token) != former.hash:
        adopts = ("existing_token",)
    changes = decide(
        target.service, former.service, what, gone=former.gone, replaces=adopts + rotates, updates=moves
    )
    if target.place is None:
        return changes
    return Changes(updates=changes.replaces + changes.updates + _aged(former, target))


def find(target: Target, id_: str | None) -> Placed:
    """Return the token that a place holds, proven; its hash has to be `id_`, unless that is None.

    Nothing is minted or written. Raises InvalidInputError where there is none, or another one;
    StoredTokenUnknownError; StoreError.
    """
    assert target.place is not None
    service = target.service.url
    place = opened(target.place, target.spool, service)
    token = place.read()
    if token is None:
        raise InvalidInputError(f"There is no token in {place.words}.", "Nothing was imported.")
    hash_ = token_hash(token)
    if id_ not in (None, hash_):
        raise InvalidInputError(
            f"{place.words} holds the token with hash {hash_}: the id names another one.",
            "Nothing was imported.",
        )
    with target.service.client(service) as client:
        if not client.probe(token).valid:
            raise unknown_token(hash_, service, f"which is in {place.words}", "Name the service that does.")
    return Placed(hash_, service, target.place, place.words, place.resolved)


def refresh(former: Placed, target: Target, warn: Warn) -> Placed:
    """Read the place, and prove what is there: another token is taken over, none or an unknown one marked.

    Raises StoreError for a store that cannot be read, or another one than the state remembers; what the
    service answers else; and as `move` for a service that is named now.
    """
    return _seen(former, target, _open_former(former, target).read(), warn)


def update(former: Token, target: Target, keepers: object, warn: Warn) -> Token:
    """Do what `compare` found for a token that is, or is to be, in a place; mint only where it rotates.

    `keepers` are the former ones. Raises the errors of `provision`; ConflictError where another place holds
    another token; StoreError for another store than the state remembers.
    """
    if target.place is None:
        assert isinstance(former, Placed)
        return _into_state(former, target, warn)
    if former.gone:
        check_named(
            target.service, former.service, f"The token with hash {former.hash} is marked as gone: it is"
        )
    rotates = keepers_differ(keepers, target.keepers)
    service = _service_of(former, target)
    place = opened(target.place, target.spool, service)
    rotation: dict[str, Any] = {"regenerate": "always", "rotates": former.hash}
    token = _token_to_move(former, target, place)
    if token is not None:
        outcome = _provision(target, place, service, token=token, overwrite=False)
        _warn_of_former_place(former, warn)
    elif former.gone and isinstance(former, Placed) and service != former.service and not rotates:
        return _seen(former, target, place.read(), warn)
    elif former.gone:
        outcome = _provision(target, place, service, regenerate="if_invalid")
    elif rotates:
        # Another token than the state remembers is the rotation, of a run that died or of another writer.
        outcome = _provision(target, place, service, **rotation)
    elif _aged(former, target):
        rule = _rotation(former, target)
        outcome = _provision(target, place, service, rotation=rule, rotates=former.hash)
        if outcome.held_back:
            warn(f"{outcome.held_back} It is the one with hash {outcome.hash}.")
    else:
        assert isinstance(former, Placed)
        return _seen(replace(former, place=target.place), target, _present(former, place), warn)
    if rotates and outcome.hash == former.hash:
        outcome = _provision(target, place, service, **rotation)
    if outcome.status == "replaced" and place.store.backup_file is not None:
        warn(f"The token with hash {former.hash} was rotated, and is kept in {place.store.backup_file}.")
    now = _placed(target, place, service, outcome)
    if now.hash == former.hash and now.created is None and isinstance(former, Placed):
        return replace(now, created=former.created)
    return now


def deletion_warning(former: Placed) -> str:
    """Return the warning for a token that leaves the stack: its place is not touched.

    Raises StoreError where the environment leads to another store than the state remembers.
    """
    place = None
    with suppress(EchoValueError):  # a store that cannot be opened keeps no stack from being destroyed
        place = opened(former.place, DEFAULT_SPOOL, former.service)
    if place is not None:
        check_same_store(place, former.resolved, former.stored_at)
    return (
        f"The token with hash {former.hash} leaves the stack, and stays valid, in {former.stored_at}. To "
        "take it away there: echovalue.cloud.echovalue_token with state: absent, or the store's own tool."
    )


def read_token(
    place: Place,
    service: str,
    *,
    hash_: str | None = None,
    remembered: tuple[Mapping[str, str], str] | None = None,
) -> str:
    """Return the token in a place, now; `service` is the base URL that it is of.

    `hash_` is the hash that the token has to have, and `remembered` what the state has of its store and its
    words; None where nothing is known. Raises StoreError, also where there is none, or another one.
    """
    found = opened(place, DEFAULT_SPOOL, service)
    if remembered is not None:
        check_same_store(found, *remembered)
    token = found.read()
    if token is None:
        raise AnotherTokenError(f"There is no token in {found.words}.")
    if hash_ not in (None, token_hash(token)):
        raise AnotherTokenError(
            f"{found.words} holds the token with hash {token_hash(token)}, not the one with hash {hash_}."
        )
    return token


def _service_of(former: Token, target: Target) -> str:
    """Return the base URL of an update: another one than before only where it is named."""
    if target.service.named or former.service is None:
        return target.service.url
    return former.service


def _open_former(former: Placed, target: Target) -> OpenedPlace:
    place = opened(former.place, target.spool, former.service)
    check_same_store(place, former.resolved, former.stored_at)
    return place


def _aged(former: Token, target: Target) -> tuple[str, ...]:
    """Return what an update has to see to: a token that is too old, or whose age nothing has read yet."""
    if target.max_age_days is None or not isinstance(former, Placed) or former.gone:
        return ()
    created = read_time(former.created)
    if created is None:
        return ("created",)
    return ("max_age_days",) if utc_now() - created > timedelta(days=target.max_age_days) else ()


def _rotation(former: Token, target: Target) -> Rotation:
    assert target.max_age_days is not None
    created = former.created if isinstance(former, Placed) else None
    # A number of the engine's protocol is a float, though a whole one.
    loss = DEFAULT_MAX_LOSS if target.max_loss is None else int(target.max_loss)
    return Rotation(timedelta(days=target.max_age_days), loss, created)


def _present(former: Placed, place: OpenedPlace) -> str:
    """Return the token in a place. Raises StoreError where there is none."""
    token = place.read()
    if token is None:
        raise StoreError(
            f"There is no token in {place.words}, where the one with hash {former.hash} was.",
            "Nothing was changed. Put it back; or run `pulumi refresh`, which marks it as gone: the next up "
            "then mints another.",
        )
    return token


def _token_to_move(former: Token, target: Target, place: OpenedPlace) -> str | None:
    """Return the token that goes to another place; None where it is in its place, or marked as gone.

    Raises StoreError as `check_same_store` does.
    """
    if isinstance(former, Kept):
        return None if former.gone and not target.service.named else former.token
    if same_place(former.place, target.place):
        check_same_store(place, former.resolved, former.stored_at)
        return None
    if former.gone:
        return None
    old = _open_former(former, target)
    return None if old.identity == place.identity else _present(former, old)


def _provision(target: Target, place: OpenedPlace, service: str, **options: Any) -> Outcome:
    with target.service.client(service) as client:
        return provision(client, place.store, **options)


def _placed(target: Target, place: OpenedPlace, service: str, outcome: Outcome) -> Placed:
    assert target.place is not None
    assert outcome.hash is not None
    created = outcome.created
    if outcome.status in ("minted", "replaced"):
        created = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return Placed(outcome.hash, service, target.place, place.words, place.resolved, created)


def _seen(former: Placed, target: Target, token: str | None, warn: Warn) -> Placed:
    """Return what the state remembers once its place was read; the token is proven where it is requested.

    None, and one that is unknown where it was minted, is marked, with a warning. Raises
    StoredTokenUnknownError for one that has no mark and is unknown to another service, which is named now.
    """
    service = _service_of(former, target)
    if token is None:
        warn(_empty_warning(former))
        return replace(former, service=service if former.gone else former.service, gone=True)
    hash_ = token_hash(token)
    with target.service.client(service) as client:
        known = client.probe(token).valid
    if known:
        created = former.created if hash_ == former.hash else None
        return replace(former, hash=hash_, service=service, created=created, gone=False)
    if service != former.service and not former.gone:
        raise unknown_token(
            hash_,
            service,
            f"which is named now; it is of {former.service}",
            "Name that service again; or, for a token of the new one, change the place.",
        )
    warn(missing_token_warning(service, hash_))
    return replace(former, service=service, gone=True)


def _into_state(former: Placed, target: Target, warn: Warn) -> Kept:
    """Return the token that goes from its place into the state; its place keeps it."""
    token = _present(former, _open_former(former, target))
    seen = _seen(former, target, token, warn)
    _warn_of_former_place(former, warn)
    return Kept(token, seen.service, seen.gone)


def _warn_of_former_place(former: Token, warn: Warn) -> None:
    if isinstance(former, Placed):
        warn(f"The token with hash {former.hash} was copied from {former.stored_at}, which still holds it.")
    else:
        warn(
            f"The token with hash {former.hash} leaves the state. History and backups of the stack still "
            "hold it, encrypted; change keepers to rotate it."
        )


def _empty_warning(former: Placed) -> str:
    return (
        f"There is no token in {former.stored_at}, where the one with hash {former.hash} was: it is marked "
        "as gone, and the next up mints another there."
    )
