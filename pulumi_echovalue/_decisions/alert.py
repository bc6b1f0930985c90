# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a low-balance alert that a stack declares: the decisions of both providers, without an SDK.

The state holds what the program declares, and the service where it is set; the rest of a token's
settings is not the stack's. Reading them costs 1 credit, and writing a difference another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from .._shared.module_utils.core.alert import CHECKS, declare_alert
from .._shared.module_utils.core.errors import InvalidInputError, PaymentRequiredError, UnauthorizedError
from .._shared.module_utils.core.models import check_token, token_hash
from .service import Service
from .token import Changes, Check, Warn, check_named, decide, missing_token_warning, stored_token

DeclaredHere = set[tuple[str, str]]  # service and hash of the tokens whose alert this process has set

# What an input that is taken out of a program goes back to. The service documents none for a webhook.
_UNSET = {"threshold": 0, "email": ""}


@dataclass(frozen=True)
class KeptAlert:
    """An alert as the state keeps it; `settings` has those of threshold, email, webhook that are declared.

    `gone` is the mark: the service does not know the token (HTTP 401).
    """

    token: str = field(repr=False)
    service: str
    settings: Mapping[str, Any] = field(repr=False)
    gone: bool = False

    @property
    def hash(self) -> str:
        """The token's sha256 in hex."""
        return token_hash(self.token)


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
    return KeptAlert(stored_token(state, id_), service, settings, bool(state.get("gone")))


def is_known(value: object, is_unknown: Callable[[object], bool]) -> bool:
    """Return whether a preview knows a value whole."""
    if isinstance(value, Mapping):
        return all(is_known(item, is_unknown) for item in value.values())
    if isinstance(value, list):
        return all(is_known(item, is_unknown) for item in value)
    return not is_unknown(value)


def checks(inputs: Mapping[str, Any], is_unknown: Callable[[object], bool]) -> list[Check]:
    """Return what checks the inputs, as far as a preview knows them."""
    checked = {
        "token": check_token,
        **{name: FIELDS[name] for name in FIELDS if inputs.get(name) is not None},
    }
    known = [name for name in checked if is_known(inputs.get(name), is_unknown)]
    return [
        *((name, checked[name], inputs.get(name)) for name in known),
        ("settings", check_declared, inputs),
    ]


def check_declared(values: Mapping[str, Any]) -> None:
    """Raise InvalidInputError where nothing is declared."""
    if all(values.get(name) is None for name in FIELDS):
        raise InvalidInputError("One of threshold, email and webhook is needed at least.")


def compare(former: KeptAlert, requested: Service, token: object, settings: Mapping[str, Any]) -> Changes:
    """Return what the inputs request: another token is another alert, all else is set again.

    Raises InvalidInputError as `decide` does.
    """
    return decide(
        requested,
        former.service,
        f"The alert of the token with hash {former.hash} is",
        gone=former.gone,
        replaces=() if token == former.token else ("token",),
        updates=tuple(name for name in FIELDS if former.settings.get(name) != settings.get(name)),
    )


def create(
    requested: Service, token: str, settings: Mapping[str, Any], declared_here: DeclaredHere
) -> KeptAlert:
    """Set the alert of a token."""
    with requested.client() as client:
        declare_alert(client, token, **settings)
    alert = KeptAlert(token, requested.url, settings)
    declared_here.add((alert.service, alert.hash))
    return alert


def service_of_update(former: KeptAlert, requested: Service) -> str:
    """Return the base URL where an update sets the alert: another one than before only where it is named."""
    return requested.url if requested.named else former.service


def update(
    former: KeptAlert,
    requested: Service,
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
    try:
        with requested.client(service) as client:
            declare_alert(client, former.token, **{**undone, **settings})
    except UnauthorizedError:
        if not former.gone:
            raise
        return _mark(replace(former, service=service), warn)
    alert = KeptAlert(former.token, service, settings)
    declared_here.add((alert.service, alert.hash))
    if "webhook" in former.settings and "webhook" not in settings:
        warn(
            f"EchoValue documents no way to take a webhook away: that of the token with hash {alert.hash} "
            "is declared no longer, and may still be called. A threshold of 0 silences it."
        )
    return alert


def refresh(alert: KeptAlert, requested: Service, warn: Warn) -> KeptAlert:
    """Return the alert with what is set now, for 1 credit; marked where its token is unknown there."""
    try:
        with requested.client(alert.service) as client:
            current, _cost = client.get_settings(alert.token)
    except UnauthorizedError:
        return _mark(alert, warn)
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
        current, _cost = client.get_settings(alert.token)
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
        with requested.client(alert.service) as client:
            current, _cost = client.get_settings(alert.token)
            if any(getattr(current, name) != value for name, value in alert.settings.items()):
                warn(
                    f"The low-balance alert of the token with hash {alert.hash} leaves the stack, and stays "
                    "as it is at the service: another writer has changed it."
                )
            elif current.threshold:
                client.put_settings(alert.token, replace(current, threshold=0))
    except UnauthorizedError:
        pass
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
