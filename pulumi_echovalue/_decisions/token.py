# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a token that a stack keeps: the decisions of both providers, without an SDK.

The state remembers the service that minted or proved the token, and that one is used. Another one
counts only where it is named, and then the token is proven there before anything else.

A refresh has only what the state holds: it cannot know that another service is named by now. So a
token that its service does not know stays in the state, with a mark, and the next `diff`, which knows
the requested service, decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .._shared.module_utils.core.errors import InvalidInputError, StoredTokenUnknownError
from .._shared.module_utils.core.models import check_token, token_hash
from .._shared.module_utils.core.provision import provision
from .service import Service, client_of

T = TypeVar("T")
Warn = Callable[[str], None]
CreatedHere = set[str]  # the hashes of the tokens that this process has minted or adopted

# A deletion needs no answer: it sends one request, and does not wait long.
_DELETE_TIMEOUT = 3.0  # seconds


@dataclass(frozen=True)
class Kept:
    """A token as the state keeps it; `service` is None where version 0.1.0 wrote it.

    `gone` is the mark: the service does not know the token (HTTP 401).
    """

    token: str = field(repr=False)
    service: str | None
    gone: bool = False

    @property
    def hash(self) -> str:
        """The token's sha256 in hex."""
        return token_hash(self.token)


@dataclass(frozen=True)
class Changes:
    """The names of what requests another token, and of what only updates the state."""

    replaces: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()


def stored_token(state: Mapping[str, Any], id_: str) -> str:
    """Return the token of a state, as it is or as it was edited by hand.

    Raises InvalidInputError where the state holds none, or another one than its id names.
    """
    advice = (
        "Nothing was changed. Import an older copy of the state (pulumi stack import); or let the resource "
        "go: pulumi state delete URN."
    )
    if not state.get("token"):
        raise InvalidInputError(f"The state of the resource with id {id_} holds no token.", advice)
    token = check_token(state["token"])
    # A token that came into the state from a place may have been rotated there: its id is an older hash.
    if token_hash(token) not in (id_, state.get("hash")):
        raise InvalidInputError(
            f"The state of the resource with id {id_} holds the token with hash {token_hash(token)}: the id "
            "of a token is its hash.",
            advice,
        )
    return token


def stored(state: Mapping[str, Any], id_: str) -> Kept:
    """Return what a state holds; raise as `stored_token` does."""
    return Kept(stored_token(state, id_), state.get("service") or None, bool(state.get("gone")))


def create(requested: Service, existing_token: str | None, created_here: CreatedHere) -> Kept:
    """Adopt the token that was passed, proven first; or mint one. Nothing that can fail follows."""
    with requested.client() as client:
        outcome = provision(client, None, token=existing_token)
    assert outcome.token is not None
    kept = Kept(outcome.token, requested.url)
    created_here.add(kept.hash)
    return kept


def compare(
    kept: Kept,
    requested: Service,
    existing_token: object,
    keepers: tuple[object, object],
) -> Changes:
    """Return what the inputs request; `keepers` are the former ones and the new ones.

    Adopting is done once: `existing_token` counts where it is passed and is not the stored token;
    while it names that one, nothing replaces it.

    Raises InvalidInputError as `decide` does.
    """
    rotates = ("keepers",) if keepers_differ(*keepers) else ()
    what = f"The token with hash {kept.hash} is"
    if existing_token == kept.token:
        return decide(requested, kept.service, what, gone=kept.gone, updates=rotates, keeps=True)
    replaces = rotates if existing_token is None else ("existing_token", *rotates)
    return decide(requested, kept.service, what, gone=kept.gone, replaces=replaces)


def keepers_differ(former: object, requested: object) -> bool:
    """Return whether other keepers are requested than the former ones; {} is as good as none."""
    return (former or None) != (requested or None)


def decide(
    requested: Service,
    service: str | None,
    what: str,
    *,
    gone: bool,
    replaces: tuple[str, ...] = (),
    updates: tuple[str, ...] = (),
    keeps: bool = False,
) -> Changes:
    """Add to the changes of the inputs what follows from the requested service, and from the mark `gone`.

    `service` is the remembered one; `keeps` says that no mark may replace the token; `what` begins the
    text of an error.

    Raises InvalidInputError for a replacement at a service that is not named and not the remembered one,
    but never for a marked token: the engine compares right after a refresh, and an error undoes the mark.
    """
    elsewhere = service not in (None, requested.url)
    mark = ("gone",) if gone else ()
    if mark and elsewhere and not requested.named:
        return Changes(updates=mark + replaces + updates)  # which the update refuses
    moves = ("service",) if elsewhere and requested.named else ()
    if keeps:
        return Changes(updates=mark + updates + moves)
    if not elsewhere:
        replaces = mark + replaces
    if replaces:
        check_named(requested, service, what)
    return Changes(replaces, updates + moves)


def check_named(requested: Service, service: str | None, what: str) -> None:
    """Raise InvalidInputError for a replacement at a service that is not named, and not `what`'s own."""
    if not requested.named and service not in (None, requested.url):
        raise InvalidInputError(
            f"{what} of {service}, and would be replaced by one of {requested.url}, which the environment or "
            "the default says.",
            "Nothing was changed. Correct ECHOVALUE_BASE_URL; or name the requested service: "
            "pulumi config set echovalue:baseUrl URL.",
        )


def refresh(kept: Kept, requested: Service) -> Kept:
    """Prove the token; return it with the service that was used, marked where that does not know it.

    Raises StoredTokenUnknownError for a 401 that does not count: of a service that nobody named, for a
    token of version 0.1.0; and as `move` does.
    """
    if requested.named and kept.service not in (None, requested.url):
        return move(kept, requested)
    url = kept.service or requested.url
    with requested.client(url) as client:
        known = client.probe(kept.token).valid
    if known or kept.service or requested.named:
        return replace(kept, service=url, gone=not known)
    raise unknown_token(
        kept.hash,
        url,
        "and neither the program nor the stack's config says that this service minted it",
        f"If it did: pulumi config set echovalue:baseUrl {url}; the next refresh then marks it as gone, and "
        "the next up replaces it.",
    )


def move(kept: Kept, requested: Service, existing_token: object = None) -> Kept:
    """Return the token with the service that is named, proven there first where it was not its own.

    A marked token is proven wherever it is requested, and stays marked where it is unknown.

    Raises StoredTokenUnknownError for an unknown token that has no mark, or that `existing_token` names;
    InvalidInputError for a marked one at a service that is not named and not its own.
    """
    if kept.gone:
        check_named(requested, kept.service, f"The token with hash {kept.hash} is marked as gone: it is")
    elif not requested.named or requested.url == kept.service:
        return kept
    with requested.client() as client:
        known = client.probe(kept.token).valid
    if known or (kept.gone and existing_token != kept.token):
        return replace(kept, service=requested.url, gone=not known)
    if kept.gone:
        raise unknown_token(
            kept.hash,
            requested.url,
            "and existing_token names that very token",
            "Name the service that knows it; or take existing_token away, and the next up mints another.",
        )
    raise unknown_token(
        kept.hash,
        requested.url,
        f"which is named now; it is of {kept.service or 'an earlier one'}",
        "Name that service again; or, for a token of the new one, change the keepers or the token to adopt.",
    )


def unknown_token(hash_: str, url: str, why: str, advice: str) -> StoredTokenUnknownError:
    return StoredTokenUnknownError(
        f"EchoValue at {url} does not know the token with hash {hash_} (HTTP 401), {why}.",
        status=401,
        advice=f"The token was left as it is, and none was minted. {advice}",
    )


def missing_token_warning(service: str | None, hash_: str, what: str = "the token") -> str:
    """Return the warning for `what` was marked, since the service does not know the token."""
    return (
        f"EchoValue at {service} does not know the token with hash {hash_} (HTTP 401): {what} stays in the "
        "state, marked as gone, and the next up replaces it. If another service knows the token, name that "
        "first: pulumi config set echovalue:baseUrl URL."
    )


def delete(
    state: Mapping[str, Any], id_: str, find_url: Callable[[], str], created_here: CreatedHere, warn: Warn
) -> None:
    """Let a token leave the stack, with a warning: it stays valid. No request has to succeed.

    Nothing is to be said of one that this process has adopted again: a replacement, which creates the new
    one first. Raises InvalidInputError where the state holds another token than its id names.
    """
    if state.get("token"):
        stored_token(state, id_)
    hash_ = state.get("hash") or id_
    if hash_ not in created_here:
        warn(_deletion_warning(hash_, state.get("token"), find_url))


def _deletion_warning(hash_: str, token: object, find_url: Callable[[], str]) -> str:
    fate = "stays valid, with a balance that could not be read now"
    with suppress(Exception):
        url = find_url()
        probe = client_of(url, timeout=_DELETE_TIMEOUT, retries=0).probe(check_token(token))
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

    Without it another token would be minted, or another service used than the program names.
    """
    if not value:
        raise InvalidInputError(
            "It is passed, and is empty or missing.",
            "No request was sent. Check where it comes from, such as the name of another stack's output; or "
            "leave it out.",
        )
    return value


def check_keepers(keepers: object, unknown: type = str) -> Mapping[str, Any]:
    """Return a mapping of strings, or of `unknown` values; a number or a boolean as its text in YAML.

    Raises InvalidInputError for anything else.
    """
    if not isinstance(keepers, Mapping):
        raise InvalidInputError("keepers must be a mapping of strings to strings.")
    texts = {key: _text(value) for key, value in keepers.items()}
    wrong = sorted(key for key, value in texts.items() if not isinstance(value, (str, unknown)))
    if wrong:
        raise InvalidInputError(
            f"keepers must map strings to strings; no string is the value of: {', '.join(wrong)}."
        )
    return texts


def _text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():  # all numbers of the engine's protocol are floats
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value
