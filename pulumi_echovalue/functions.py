# SPDX-License-Identifier: BSD-2-Clause
"""What a program can ask about a token: its wallet, and a link to recharge it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

import pulumi

from ._core.client import EchoValueClient, check_amount
from ._core.errors import EchoValueError
from ._core.models import Wallet
from .connection import CONFIG_KEY, CONFIG_NAMESPACE, client_of, find_base_url

T = TypeVar("T")


def get_wallet(
    token: pulumi.Input[str], details: bool = True, *, base_url: pulumi.Input[str] | None = None
) -> pulumi.Output[Wallet]:
    """Return the wallet of a token.

    `token` is the token itself, such as `Token.token`. With `details` the wallet is read whole, for 1
    credit at each run; without, the balance is read for free and `created` is None. `base_url` as for
    `Token`.

    The result is an Output of Wallet: `wallet` in credits (0 when it is empty; None where an older
    service does not tell it for free), `created` as the service's text, `hash`, and `cost` in
    credits. It is a secret where `token` is one; `pulumi.Output.unsecret` shows it. In a preview it
    is unknown, and nothing is asked.

    A token that the service does not know, or a service that does not answer, ends the program with
    a pulumi.RunError that says what to do.

    Example::

        wallet = echovalue.get_wallet(token.token, details=False)
        pulumi.export("credits", pulumi.Output.unsecret(wallet.wallet))
    """
    return _ask(token, base_url, lambda client, text: client.get_wallet(text, details=details))


def get_recharge_link(
    token: pulumi.Input[str], amount: int = 1, *, base_url: pulumi.Input[str] | None = None
) -> pulumi.Output[str]:
    """Return a payment link that recharges a token's wallet; free.

    `token` is the token itself; `amount` is 1 or 3, in million operations; `base_url` as for `Token`.

    The result is an Output of the URL exactly as the service sent it. It is always a secret, for it
    may carry the token. In a preview it is unknown, and nothing is asked.

    Raises InvalidInputError at once for another amount. What the service refuses ends the program
    with a pulumi.RunError that says what to do.

    Example::

        pulumi.export("recharge", echovalue.get_recharge_link(token.token, amount=3))
    """
    check_amount(amount)
    return pulumi.Output.secret(
        _ask(token, base_url, lambda client, text: client.get_recharge_link(text, amount).url)
    )


def _ask(
    token: pulumi.Input[str],
    base_url: pulumi.Input[str] | None,
    question: Callable[[EchoValueClient, str], T],
) -> pulumi.Output[T]:
    """Return the answer for `token` when it is known, asked in a thread so that many can be asked at once."""
    configured = pulumi.Config(CONFIG_NAMESPACE).get(CONFIG_KEY)

    def ask(token: str, base_url: str | None) -> T:
        try:
            return question(client_of(find_base_url(base_url, configured)), token)
        except EchoValueError as error:
            text = str(error)
        raise pulumi.RunError(text)

    async def answer(arguments: list[str | None]) -> T:
        if pulumi.runtime.is_dry_run():
            return cast(T, pulumi.UNKNOWN)
        return await asyncio.to_thread(ask, cast(str, arguments[0]), arguments[1])

    return pulumi.Output.all(token, base_url).apply(answer)
