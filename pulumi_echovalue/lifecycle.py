# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a token that a stack keeps: the decisions of both providers, without an SDK.

The state remembers the service that minted or proved the token, and that one is asked. Another one
counts only where it is named, and then the token is proven there before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ._core.errors import InvalidInputError, StoredTokenUnknownError
from ._core.models import token_hash
from ._core.provision import provision
from .connection import Service, client_of

T = TypeVar("T")

# A deletion needs no answer: it asks once, and not for long.
_DELETE_TIMEOUT = 3.0  # seconds


@dataclass(frozen=True)
class Kept:
    """A token as the state keeps it; `service` is None where version 0.1.0 wrote it."""

    token: str = field(repr=False)
    service: str | None

    @property
    def hash(self) -> str:
        """The token's sha256 in hex."""
        return token_hash(self.token)


@dataclass(frozen=True)
class Changes:
    """The names of what asks for another token, and of what is only written down anew."""

    replaces: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()


def create(meant: Service, existing_token: str | None) -> Kept:
    """Adopt the token that was given, proven first; or mint one. Nothing that can fail follows."""
    outcome = provision(meant.client(), None, token=existing_token)
    assert outcome.token is not None
    return Kept(outcome.token, meant.url)


def compare(
    kept: Kept,
    meant: Service,
    existing_token: object,
    keepers: tuple[object, object],
) -> Changes:
    """Tell what the inputs ask for; `keepers` are the former ones and the new ones.

    Adopting is done once: `existing_token` counts where it is given and is not the token that is kept.

    Raises InvalidInputError for a replacement at a service that is not named and not the token's.
    """
    differs = (keepers[0] or None) != (keepers[1] or None)  # {} is as good as none
    rotates = ("keepers",) if differs else ()
    moves = ("service",) if meant.named and kept.service not in (None, meant.url) else ()
    if existing_token == kept.token:
        return Changes(updates=rotates + moves)
    replaces = rotates if existing_token is None else ("existing_token", *rotates)
    if replaces:
        check_named(meant, kept.service, f"The token with hash {kept.hash} is")
    return Changes(replaces, moves)


def check_named(meant: Service, service: str | None, what: str) -> None:
    """Raise InvalidInputError for a replacement at a service that is not named, and not `what`'s own."""
    if not meant.named and service not in (None, meant.url):
        raise InvalidInputError(
            f"{what} of {service}, and would be replaced by one of {meant.url}, which the environment or "
            "the default says.",
            "Nothing was changed. Correct ECHOVALUE_BASE_URL; or name the service that is meant: "
            "pulumi config set echovalue:baseUrl URL.",
        )


def refresh(kept: Kept, meant: Service) -> Kept | None:
    """Prove the token; return it with the service that knows it, None where its own one does not."""
    if meant.named and kept.service not in (None, meant.url):
        return move(kept, meant)
    url = kept.service or meant.url
    if meant.client(url).probe(kept.token).valid:
        return replace(kept, service=url)
    if kept.service or meant.named:
        return None
    raise _unknown(
        kept,
        url,
        "and neither the program nor the stack's config says that this service minted it",
        f"If it did: pulumi config set echovalue:baseUrl {url}; the next refresh then lets the token go.",
    )


def move(kept: Kept, meant: Service) -> Kept:
    """Return the token with the service that is named, proven there first where it was not its own."""
    if not meant.named or meant.url == kept.service:
        return kept
    if meant.client().probe(kept.token).valid:
        return replace(kept, service=meant.url)
    raise _unknown(
        kept,
        meant.url,
        f"which is named now; it is of {kept.service or 'an earlier one'}",
        "Name that service again; or, for a token of the new one, change the keepers or the token to adopt.",
    )


def _unknown(kept: Kept, url: str, why: str, advice: str) -> StoredTokenUnknownError:
    return StoredTokenUnknownError(
        f"EchoValue at {url} does not know the token with hash {kept.hash} (HTTP 401), {why}.",
        status=401,
        advice=f"The token was left as it is, and none was minted. {advice}",
    )


def gone(kept: Kept, meant: Service) -> str:
    """Return the warning for a token that its service does not know."""
    return (
        f"EchoValue at {kept.service or meant.url} does not know the token with hash {kept.hash} (HTTP 401), "
        "so it leaves the state, and the next up mints another. If another service minted it, take it "
        "from the stack's history or backups, and adopt it."
    )


def farewell(hash_: str, token: object, find_url: Callable[[], str]) -> str:
    """Return the warning for a token that leaves the stack: it stays valid. No request has to succeed."""
    fate = "stays valid, with a balance that could not be read now"
    with suppress(Exception):
        url = find_url()
        probe = client_of(url, timeout=_DELETE_TIMEOUT, retries=0).probe(str(token))
        if not probe.valid:
            fate = f"is unknown to {url}"
        elif probe.balance is not None:
            fate = f"stays valid, with {probe.balance} credits"
    return (
        f"EchoValue cannot revoke a token: the one with hash {hash_} leaves the stack and {fate}. "
        "Backups and history of the stack still hold it, encrypted."
    )


Check = tuple[str, Callable[[Any], object], Any]  # the name of an input, what returns its one form, its value


def check_inputs(checks: Iterable[Check]) -> tuple[dict[str, Any], list[str]]:
    """Return inputs in the one form that is stored and compared, and why others are refused.

    A provider reports a refusal without the property's name: the engine would print its value in clear.
    """
    forms, reasons = {}, []
    for name, check, value in checks:
        try:
            forms[name] = check(value)
        except InvalidInputError as error:
            reasons.append(f"{name}: {error}")
    return forms, reasons


def check_passed(value: T | None) -> T:
    """Return an argument that is passed; raise InvalidInputError where it is empty or missing.

    Without it another token would be minted, or another service asked than the program names.
    """
    if not value:
        raise InvalidInputError(
            "It is passed, and is empty or missing.",
            "No request was sent. Check where it comes from, such as the name of another stack's output; or "
            "leave it out.",
        )
    return value


def check_keepers(keepers: object, unknown: type = str) -> Mapping[str, Any]:
    """Return a mapping of strings, or of `unknown` values; raise InvalidInputError for anything else."""
    if not isinstance(keepers, Mapping):
        raise InvalidInputError("keepers must be a mapping of strings to strings.")
    wrong = sorted(key for key, value in keepers.items() if not isinstance(value, (str, unknown)))
    if wrong:
        raise InvalidInputError(
            f"keepers must map strings to strings; no string is the value of: {', '.join(wrong)}."
        )
    return keepers
