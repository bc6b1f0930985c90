# SPDX-License-Identifier: BSD-2-Clause
"""The resource that a program declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, TypedDict, cast

import pulumi
import pulumi.dynamic
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from ._decisions.life import check_together
from ._decisions.token import check_passed
from ._shared.module_utils.core.errors import InvalidInputError
from .places import Place
from .provider import TokenProvider
from .stack_config import check_config

_OUTPUTS = ("hash", "service", "stored_at", "resolved", "created", "gone")  # and token, of one in the state


class Token(pulumi.dynamic.Resource, module="echovalue", name="Token"):
    """An EchoValue API token, in the stack's state or in a place of its own: minted once, or adopted.

    Its id is the hash that it was created with. Refreshing proves it with a free request; one that its
    service does not know is marked as `gone`, and the next `up` replaces it. Deleting it cannot revoke it,
    and touches no place: a warning says so.

    Example::

        import pulumi
        import pulumi_echovalue as echovalue

        token = echovalue.Token("app", keepers={"release": "2026-11"})
        pulumi.export("token", token.token)  # secret
        pulumi.export("hash", token.hash)

        kept = echovalue.Token("kept", place={"hashi_vault": {"path": "apps/shop"}})
        pulumi.export("stored_at", kept.stored_at)
    """

    token: pulumi.Output[str]
    """The token; always a secret. With `place` it is in no state: pulumi.RunError says where it is."""

    hash: pulumi.Output[str]
    """The token's sha256 in hex, by which it can be named in public."""

    place: pulumi.Output[Optional[dict[str, Any]]]  # noqa: UP045 - the oldest SDK reads no other
    """The argument, or None."""

    stored_at: pulumi.Output[Optional[str]]  # noqa: UP045
    """The place in words; None where the token is in the state."""

    resolved: pulumi.Output[Optional[dict[str, str]]]  # noqa: UP045
    """What distinguishes the place's store from every other, as its client resolved it; else None."""

    service: pulumi.Output[str]
    """The base URL of the service that minted or proved the token, and that its calls go to.

    None in a stack of version 0.1.0, until a refresh has proven the token.
    """

    created: pulumi.Output[Optional[str]]  # noqa: UP045
    """When a token in a place was created, in UTC; None where that is not known, or it is in the state."""

    gone: pulumi.Output[Optional[bool]]  # noqa: UP045 - the oldest SDK reads no other
    """True where a refresh found that the service does not know the token (HTTP 401); else None."""

    base_url: pulumi.Output[str]
    """The argument, or None."""

    def __init__(
        self,
        resource_name: str,
        existing_token: pulumi.Input[str] | None = None,
        keepers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        base_url: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
        *,
        place: Place | None = None,
        max_age_days: pulumi.Input[float] | None = None,
        max_loss: pulumi.Input[int] | None = None,
    ) -> None:
        """Declare a token.

        `existing_token` is one to adopt, instead of minting: it is proven first, and is a secret in the
        state however it was passed; taken away again, the token stays. `keepers` are any strings: when one
        changes, a new token is minted and put in place, and only then is the old one let go. `base_url` is
        the service; without it the stack's config `echovalue:baseUrl` counts, then the environment's
        `ECHOVALUE_BASE_URL`, then production.

        `place` is where the token is stored, instead of the state: what it holds already is taken up, proven
        first, and changed `keepers` rotate it there. With `max_age_days` an `up` rotates a token that is
        older, unless its wallet holds more than `max_loss` credits, 100 by default.

        Raises pulumi.RunError for an `import_` or `id` option; for arguments that exclude each other, or are
        passed and empty or missing, such as an output that another stack does not have; and for a misspelt
        key of the stack's config. What else is wrong, the engine says when it checks the arguments.
        """
        check_config()
        _check_options(resource_name, opts)
        _check_place(resource_name, place, existing_token, max_age_days)
        if existing_token is not None:
            existing_token = pulumi.Output.secret(passed("existing_token", existing_token))
        base_url = None if base_url is None else passed("base_url", base_url)
        self.placed_in = place
        inputs = {
            "existing_token": existing_token,
            "keepers": keepers,
            "base_url": base_url,
            "place": place,
            "max_age_days": max_age_days,
            "max_loss": max_loss,
        }
        outputs = _OUTPUTS if place is not None else ("token", *_OUTPUTS)
        secret = pulumi.ResourceOptions(additional_secret_outputs=["token", "existing_token"])
        opts = pulumi.ResourceOptions.merge(opts, secret)
        super().__init__(TokenProvider(), resource_name, {**inputs, **dict.fromkeys(outputs)}, opts)
        if place is None:
            self.token = _as_secret(resource_name, self.token)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Refuse to read a token that is in no state."""
            if name == "token":
                kind = next(iter(self.placed_in))
                raise pulumi.RunError(
                    f"The token of {self._name!r} is in its place ({kind}), and in no state: a program "
                    "cannot read it. Its output stored_at says where it is; get_wallet, get_recharge_link "
                    "and WalletAlert take the Token itself."
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _check_options(resource_name: str, opts: pulumi.ResourceOptions | None) -> None:
    """Raise pulumi.RunError for options that look a token up."""
    if opts is not None and (opts.import_ or opts.id):
        raise pulumi.RunError(
            f"Token {resource_name!r}: EchoValue keeps no list of tokens, so one cannot be imported or "
            "looked up by its id. Nothing was done. Give the token itself as existing_token."
        )


def _check_place(resource_name: str, place: object, existing_token: object, max_age_days: object) -> None:
    """Raise pulumi.RunError for arguments that exclude each other, and a place that is an Output."""
    if isinstance(place, pulumi.Output):
        raise pulumi.RunError(
            f"Token {resource_name!r}: place must be a mapping that is known at once; its values may be "
            "Outputs. Nothing was done."
        )
    try:
        check_together({"place": place, "existing_token": existing_token, "max_age_days": max_age_days})
    except InvalidInputError as error:
        raise pulumi.RunError(f"Token {resource_name!r}: {error}") from None


def passed(name: str, argument: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return an argument that the program passes; pulumi.RunError ends it where that is empty or missing."""

    def check(value: str | None) -> str:
        try:
            return check_passed(value)
        except InvalidInputError as error:
            raise pulumi.RunError(f"{name}: {error}") from None

    return pulumi.Output.from_input(argument).apply(check)


class Where(TypedDict):
    """Where the token of a Token is that is in no state: what `read_token` of placed.py takes."""

    place: Place
    resolved: Mapping[str, str]
    stored_at: str
    hash: str


def token_and_service(
    token: Token | pulumi.Input[str], base_url: pulumi.Input[str] | None
) -> tuple[pulumi.Input[str | Where], pulumi.Input[str] | None]:
    """Return the text of a token, or where it is, and its service: a Token's own one, else `base_url`.

    Raises InvalidInputError for a Token with `base_url`.
    """
    if not isinstance(token, Token):
        return token, None if base_url is None else passed("base_url", base_url)
    if base_url is not None:
        raise InvalidInputError(
            "A Token is read at its own service: pass base_url only with the text of a token."
        )
    if token.placed_in is not None:
        where = {
            "place": token.placed_in,
            "resolved": token.resolved,
            "stored_at": token.stored_at,
            "hash": token.hash,
        }
        return pulumi.Output.all(**where).apply(lambda known: cast(Where, known)), token.service
    # A stack of version 0.1.0 remembers none. In a preview, an argument that is not passed is not known.
    return token.token, token.service.apply(lambda url: url or token.base_url)


def _as_secret(resource_name: str, token: pulumi.Output[str]) -> pulumi.Output[str]:
    """Return a token that is a secret in the program, too; warn where the engine does not know it as one."""
    if not isinstance(get_monitor(), MockMonitor):  # mocks, of unit tests, know no secrets
        pulumi.Output.all(resource_name, token.is_secret(), token).apply(_warn_if_clear)
    return pulumi.Output.secret(token)


def _warn_if_clear(seen: list[Any]) -> None:
    """Warn of a state in which options or a transformation uncovered the token, as 0.1.0 allowed."""
    resource_name, secret, _token = seen
    if not secret:
        pulumi.log.warn(
            f"The token of {resource_name!r} is in clear in the stack's state: run `pulumi refresh`, "
            "which encrypts it there. History and backups of the stack still hold it in clear; "
            "change keepers to replace it."
        )
