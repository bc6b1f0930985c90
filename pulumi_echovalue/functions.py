# SPDX-License-Identifier: BSD-2-Clause
"""What a program can ask about a token: its wallet, how long that lasts, and a link to recharge it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast, overload

import pulumi

from ._decisions.hints import explain
from ._decisions.placed import read_token
from ._decisions.service import find_service
from ._shared.module_utils.core.client import EchoValueClient, check_amount
from ._shared.module_utils.core.errors import EchoValueError, InvalidInputError
from ._shared.module_utils.core.forecast import Forecast, read_forecast
from ._shared.module_utils.core.models import Wallet, check_token, token_hash
from .stack_config import read_config
from .token import Token, Where, token_and_service

T = TypeVar("T")


def get_wallet(
    token: Token | pulumi.Input[str],
    details: bool = True,
    *,
    required: bool = True,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[Wallet]:
    """Return the wallet of a token.

    `token` is a Token, which is read at its own service, or the text of one, with `base_url`
    as for `Token`. With `details` the wallet is read whole, for 1 credit at each run; without, the
    balance is read for free and `created` is None.

    The result is an Output of Wallet: `wallet` in credits (0 when it is empty; None where an older
    service does not report it for free), `created` as the service's text, `hash`, and `cost` in
    credits. It is a secret where the token is one; `pulumi.Output.unsecret` shows it. In a preview it
    is unknown, and no request is sent.

    A token that the service does not know, or a service that does not answer, ends the program with
    a pulumi.RunError that says what to do. With `required=False` the program goes on: a warning says
    so, and `wallet` is None. That serves `pulumi destroy --run-program`.

    Raises InvalidInputError at once for a Token with `base_url`.

    Example::

        wallet = echovalue.get_wallet(token, details=False)
        pulumi.export("credits", pulumi.Output.unsecret(wallet.wallet))
    """
    return _ask(
        token,
        base_url,
        lambda client, text: client.get_wallet(text, details=details),
        None if required else lambda hash_: Wallet(None, None, hash_, None),
    )


@overload
def get_forecast(
    token: Token | pulumi.Input[str],
    *,
    required: Literal[True] = True,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[Forecast]: ...


@overload
def get_forecast(
    token: Token | pulumi.Input[str],
    *,
    required: bool,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[Forecast | None]: ...


def get_forecast(
    token: Token | pulumi.Input[str],
    *,
    required: bool = True,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[Forecast] | pulumi.Output[Forecast | None]:
    """Return when a token's wallet is empty, at the pace that the service's log shows; free.

    `token`, `base_url` and `required` as for `get_wallet`.

    The result is an Output of Forecast: `spent` credits over `hours`, by so many `entries` of the log;
    `per_day`, None where they cover less than an hour; `days_left`, None also where nothing was spent.
    None as a whole where it is not `required` and could not be had. It is a secret where the token is
    one. In a preview it is unknown, and no request is sent.

    Raises as `get_wallet` does.

    Example::

        forecast = pulumi.Output.unsecret(echovalue.get_forecast(token))
        pulumi.export("days_left", forecast.days_left)
    """
    return _ask(
        token,
        base_url,
        lambda client, text: read_forecast(client, text, client.get_wallet(text, details=False).wallet),
        None if required else lambda _hash: None,
    )


@overload
def get_recharge_link(
    token: Token | pulumi.Input[str],
    amount: int = 1,
    *,
    required: Literal[True] = True,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[str]: ...


@overload
def get_recharge_link(
    token: Token | pulumi.Input[str],
    amount: int = 1,
    *,
    required: bool,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[str | None]: ...


def get_recharge_link(
    token: Token | pulumi.Input[str],
    amount: int = 1,
    *,
    required: bool = True,
    base_url: pulumi.Input[str] | None = None,
) -> pulumi.Output[str] | pulumi.Output[str | None]:
    """Return a payment link that recharges a token's wallet; free.

    `token`, `base_url` and `required` as for `get_wallet`; `amount` is 1 or 3, in million operations.

    The result is an Output of the URL exactly as the service sent it; None where it is not
    `required` and could not be had. It is always a secret, for it may carry the token. In a preview
    it is unknown, and no request is sent.

    Raises InvalidInputError at once for another amount, or a Token with `base_url`. What the service
    refuses ends the program with a pulumi.RunError that says what to do.

    Example::

        pulumi.export("recharge", echovalue.get_recharge_link(token, amount=3))
    """
    check_amount(amount)
    return pulumi.Output.secret(
        _ask(
            token,
            base_url,
            lambda client, text: client.get_recharge_link(text, amount).url,
            None if required else lambda _hash: None,
        )
    )


def _ask(
    token: Token | pulumi.Input[str],
    base_url: pulumi.Input[str] | None,
    question: Callable[[EchoValueClient, str], T],
    default: Callable[[str], T] | None,
) -> pulumi.Output[T]:
    """Return the answer for `token` when it is known, read in a thread so that many can be read at once."""
    source, service = token_and_service(token, base_url)
    config, remembered = read_config(), isinstance(token, Token)

    def ask(source: str | Where, service: str | None) -> T:
        try:
            requested = find_service(service, config)
            token = _text(source, requested.url) if remembered else check_token(source)
            with requested.client() as client:
                return question(client, token)
        except EchoValueError as error:
            text = explain(error, "invoke", service if remembered else None)
            known = isinstance(error, InvalidInputError)
        if default is None or known:
            raise pulumi.RunError(text)
        pulumi.log.warn(f"The program goes on without what it requested about a token. {text}")
        return default(source["hash"] if isinstance(source, dict) else token_hash(check_token(source)))

    async def answer(arguments: list[Any]) -> T:
        if pulumi.runtime.is_dry_run():
            return cast(T, pulumi.UNKNOWN)
        return await asyncio.to_thread(ask, arguments[0], arguments[1])

    return pulumi.Output.all(source, service).apply(answer)


def _text(source: str | Where, service: str) -> str:
    """Return the token that is passed, or that is in its place now."""
    if isinstance(source, dict):
        return read_token(source["place"], service, remembered=(source["resolved"], source["stored_at"]))
    return check_token(source)
