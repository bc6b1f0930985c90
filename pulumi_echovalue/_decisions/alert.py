# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a low-balance alert that a stack declares: the decisions of both providers, without an SDK.

The state holds what the program declares, and the service where it is set; the rest of a token's
settings is not the stack's. Reading them costs 1 credit, and writing a difference another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from .._shared.module_utils.core.alert import CHECKS, declare_alert
from .._shared.module_utils.core.errors import InvalidInputError, PaymentRequiredError, UnauthorizedError
from .._shared.module_utils.core.models import check_token, token_hash
from .place import Place, check_place, same_place
from .placed import AnotherTokenError, read_token
from .service import Service
from .token import Changes, Check, Warn, check_named, decide, missing_token_warning, stored_token

DeclaredHere = set[tuple[str, str]]  # service and hash of the tokens whose alert this process has set

# What an input that is taken out of a program goes back to. The service documents none for a webhook.
_UNSET = {"threshold": 0, "email": ""}


@dataclass(frozen=True)
class TokenSource:
    """Where an alert has its token from: its text, or a place, which is read when it is needed."""

    hash: str  # the token's sha256 in hex
    text: str | None = field(default=None, repr=False)
    place: Place | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TokenSource:
        """Return the source that an alert's inputs, or a state, name."""
        if values.get("place") is not None:
            return cls(values["hash"], place=values["place"])
        token = check_token(values["token"])
        return cls(token_hash(token), token)

    @property
    def where(self) -> dict[str, Any]:
        """The one property that a state remembers it by: the place, or the text, which is a secret."""
        return {"token": self.text} if self.place is None else {"place": self.place}

    def read(self, service: str) -> str:
        """Return the token of a service. Raises StoreError where its place does not hold it."""
        if self.place is None:
            assert self.text is not None
            return self.text
        return read_token(self.place, service, hash_=self.hash)


@dataclass(frozen=True)
class KeptAlert:
    """An alert as the state keeps it; `settings` has those of threshold, email, webhook that are declared.

    `gone` is the mark: the service does not know the token (HTTP 401).
    """

    source: TokenSource
    service: str
    settings: Mapping[str, Any] = field(repr=False)
    gone: bool = False

    @property
    def hash(self) -> str:
        """The token's sha256 in hex."""
        return self.source.hash


def declared(values: Mapping[str, Any], is_unknown: Callable[[object], bool]) -> dict[str, Any]:
    """Return what `values` declare, in the form that the service takes.

    What a preview does not know yet stays as it is. Raises InvalidInputError for an invalid value.
    """
    return {
        name: check(values[name]) if is_known(values[name], is_unknown) else values[name]
        for name, check in FIELDS.items()
        if values.get(name) is not None
    }


def stored(
    state: Mapping[str, Any], id_: str, requested: Service, is_unknown: Callable[[object], bool]
) -> KeptAlert:
    """Return what a state holds, as it is or as it was edited by hand: a setting that cannot be is none.

    Where it names no service, that is the requested one. Raises as `stored_token` does.
    """
    settings = {}
    for name in FIELDS:
        with suppress(InvalidInputError):
            settings.update(declared({name: state.get(name)}, is_unknown))
    service = state.get("service") or requested.url
    if state.get("place") and not state.get("token"):
        source = TokenSource(id_, place=state["place"])
    else:
        source = TokenSource(id_, stored_token(state, id_))
    return KeptAlert(source, service, settings, bool(state.get("gone")))


def is_known(value: object, is_unknown: Callable[[object], bool]) -> bool:
    """Return whether a preview knows a value whole."""
    if isinstance(value, Mapping):
        return all(is_known(item, is_unknown) for item in value.values())
    if isinstance(value, list):
        return all(is_known(item, is_unknown) for item in value)
    return not is_unknown(value)


def checks(inputs: Mapping[str, Any], is_unknown: Callable[[object], bool]) -> list[Check]:
    """Return what checks the inputs, as far as a preview knows them."""
    placed = inputs.get("place") is not None
    where: dict[str, Callable[[Any], Any]] = {"token": check_token}
    if placed:
        where = {"place": lambda place: check_place(place, is_unknown), "hash": _check_hash}
    checked = {
        **where,
        **{name: FIELDS[name] for name in FIELDS if inputs.get(name) is not None},
    }
    known = [name for name in checked if is_known(inputs.get(name), is_unknown)]
    return [
        *((name, checked[name], inputs.get(name)) for name in known),
        ("settings", check_declared, inputs),
        ("arguments", _check_one_source, inputs),
    ]


def _check_hash(hash_: object) -> str:
    if not isinstance(hash_, str) or not re.fullmatch("[0-9a-f]{64}", hash_):
        raise InvalidInputError("With place it must be the hash of the token: its sha256 in hex.")
    return hash_


def _check_one_source(inputs: Mapping[str, Any]) -> None:
    """Raise InvalidInputError for a token beside a place, of which one would not count."""
    if inputs.get("place") is not None and inputs.get("token") is not None:
        raise InvalidInputError("token does not go with place.")


def check_declared(values: Mapping[str, Any]) -> None:
    """Raise InvalidInputError where nothing is declared."""
    if all(values.get(name) is None for name in FIELDS):
        raise InvalidInputError("One of threshold, email and webhook is needed at least.")


def compare(
    former: KeptAlert, requested: Service, values: Mapping[str, Any], settings: Mapping[str, Any]
) -> Changes:
    """Return what the inputs request: another token is another alert, all else is set again.

    Raises InvalidInputError as `decide` does.
    """
    placed = values.get("place") is not None
    token = values.get("token")
    hash_ = values.get("hash") if placed else token_hash(token) if isinstance(token, str) else None
    moves = () if same_place(former.source.place, values.get("place")) else ("place",)
    return decide(
        requested,
        former.service,
        f"The alert of the token with hash {former.hash} is",
        gone=former.gone,
        replaces=() if hash_ == former.hash else ("hash" if placed else "token",),
        updates=moves + tuple(name for name in FIELDS if former.settings.get(name) != settings.get(name)),
    )


def create(
    requested: Service, source: TokenSource, settings: Mapping[str, Any], declared_here: DeclaredHere
) -> KeptAlert:
    """Set the alert of a token."""
    token = source.read(requested.url)
    with requested.client() as client:
        declare_alert(client, token, **settings)
    alert = KeptAlert(source, requested.url, settings)
    declared_here.add((alert.service, alert.hash))
    return alert


def service_of_update(former: KeptAlert, requested: Service) -> str:
    """Return the base URL where an update sets the alert: another one than before only where it is named."""
    return requested.url if requested.named else former.service


def update(
    former: KeptAlert,
    requested: Service,
    source: TokenSource,
    settings: Mapping[str, Any],
    declared_here: DeclaredHere,
    warn: Warn,
) -> KeptAlert:
    """Set the alert again, at another service only where that is named; undo what is declared no longer.

    A marked alert stays marked where that service does not know the token either.

    Raises InvalidInputError for a marked one at a service that is not named and not its own.
    """
    if former.gone:
        check_named(
            requested,
            former.service,
            f"The alert of the token with hash {former.hash} is marked as gone: it is",
        )
    service = service_of_update(former, requested)
    undone = {name: value for name, value in _UNSET.items() if name in former.settings}
    token = source.read(service)
    try:
        with requested.client(service) as client:
            declare_alert(client, token, **{**undone, **settings})
    except UnauthorizedError:
        if not former.gone:
            raise
        return _mark(replace(former, service=service), warn)
    alert = KeptAlert(source, service, settings)
    declared_here.add((alert.service, alert.hash))
    if "webhook" in former.settings and "webhook" not in settings:
        warn(
            f"EchoValue documents no way to take a webhook away: that of the token with hash {alert.hash} "
            "is declared no longer, and may still be called. A threshold of 0 silences it."
        )
    return alert


def refresh(alert: KeptAlert, requested: Service, warn: Warn) -> KeptAlert:
    """Return the alert with what is set now, for 1 credit; marked where its token is unknown there.

    One whose token is not in its place any more stays as it is, with a warning.
    """
    try:
        token = alert.source.read(alert.service)
        with requested.client(alert.service) as client:
            current, _cost = client.get_settings(token)
    except UnauthorizedError:
        return _mark(alert, warn)
    except AnotherTokenError as error:
        warn(f"The low-balance alert of the token with hash {alert.hash} could not be read. {error.args[0]}")
        return alert
    except PaymentRequiredError:
        warn(f"{_empty(alert)} could not be read, and is taken to be as it was. {_RECHARGE}")
        return replace(alert, gone=False)
    found = {name: getattr(current, name) for name in alert.settings}
    settings = {name: value for name, value in found.items() if value is not None}
    return replace(alert, settings=settings, gone=False)


def _mark(alert: KeptAlert, warn: Warn) -> KeptAlert:
    warn(missing_token_warning(alert.service, alert.hash, "its low-balance alert"))
    return replace(alert, gone=True)


def find(alert: KeptAlert, requested: Service) -> KeptAlert:
    """Return an alert of which a state has a part, with all that is set, for 1 credit."""
    with requested.client(alert.service) as client:
        current, _cost = client.get_settings(alert.source.read(alert.service))
    found = {"threshold": current.threshold, "email": current.email or None, "webhook": current.webhook}
    settings = {name: value for name, value in found.items() if value is not None}
    return replace(alert, settings=settings, gone=False)


def remove(alert: KeptAlert, requested: Service, declared_here: DeclaredHere, warn: Warn) -> None:
    """Set the threshold to 0, where the alert at the service is still the one that leaves the stack.

    Nothing is sent where this process has set an alert of the token: a replacement, which creates the new
    one first; nor where the state has no settings. Nothing is written where the service has something
    else than `alert` declares, or does not know the token. Reading costs 1 credit, writing another.
    """
    if (alert.service, alert.hash) in declared_here or not alert.settings:
        return
    try:
        token = alert.source.read(alert.service)
        with requested.client(alert.service) as client:
            current, _cost = client.get_settings(token)
            if any(getattr(current, name) != value for name, value in alert.settings.items()):
                warn(
                    f"The low-balance alert of the token with hash {alert.hash} leaves the stack, and stays "
                    "as it is at the service: another writer has changed it."
                )
            elif current.threshold:
                client.put_settings(token, replace(current, threshold=0))
    except UnauthorizedError:
        pass
    except AnotherTokenError as error:
        warn(
            f"The low-balance alert of the token with hash {alert.hash} leaves the stack, and stays as it is "
            f"at the service. {error.args[0]}"
        )
    except PaymentRequiredError:
        # An empty wallet must not keep a stack from being destroyed.
        warn(f"{_empty(alert)} could not be switched off, and leaves the stack as it is. {_RECHARGE}")


_RECHARGE = "A recharge of the wallet lets it be read and set again."


def _empty(alert: KeptAlert) -> str:
    return f"The wallet of the token with hash {alert.hash} is empty (HTTP 402): its low-balance alert"


def _whole(value: Any) -> Any:
    """Return a value with its whole numbers as such: in the engine's protocol all are floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _whole_and(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: check(_whole(value))


FIELDS: Mapping[str, Callable[[Any], Any]] = {name: _whole_and(check) for name, check in CHECKS.items()}
