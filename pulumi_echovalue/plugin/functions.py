# SPDX-License-Identifier: BSD-2-Clause
"""What a program can ask about a token."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pulumi.runtime.rpc import wrap_rpc_secret as secret

from .._decisions.hints import explain
from .._decisions.place import check_place
from .._decisions.placed import read_token
from .._shared.module_utils.core.client import EchoValueClient
from .._shared.module_utils.core.errors import EchoValueError, InvalidInputError
from .._shared.module_utils.core.forecast import read_forecast
from .._shared.module_utils.core.models import check_token, token_hash
from .answers import Properties, Setup
from .places import from_wire
from .properties import plain


def answer(setup: Setup, request: Any) -> Properties:
    """Return what the function that is called returns."""
    arguments = plain(request.args)
    question = _QUESTIONS.get(request.tok)
    if question is None:
        raise InvalidInputError(f"There is no function {request.tok}.")
    if getattr(request, "preview", False):  # older SDKs do not pass it on
        if arguments.get("place") is not None:
            return {}  # a preview reads no store, and the engine takes nothing unknown from a function
        arguments["details"] = False  # so that a preview never costs a credit
    url = arguments.get("baseUrl")
    service = setup.service.at(url) if url else setup.service
    token = None
    try:
        token = _token(arguments, service.url)
        with service.client() as client:
            return question(client, token, arguments)
    except InvalidInputError:
        raise
    except EchoValueError as error:
        if arguments.get("required", True):
            raise
        text = explain(error, "Invoke", url)
    setup.warn(f"The program goes on without what it requested about a token. {text}", "")
    return {"hash": token and token_hash(token)} if question is _get_wallet else {}


def _token(arguments: Properties, service: str) -> str:
    """Return the token that is passed, or in the place that is."""
    place = arguments.get("place")
    if place is None:
        return check_token(arguments.get("token"))
    if arguments.get("token") is not None:
        raise InvalidInputError("token does not go with place.")
    return read_token(check_place(from_wire(place)), service)


def _get_wallet(client: EchoValueClient, token: str, arguments: Properties) -> Properties:
    return asdict(client.get_wallet(token, details=arguments.get("details", True)))


def _get_recharge_link(client: EchoValueClient, token: str, arguments: Properties) -> Properties:
    amount = arguments.get("amount", 1.0)
    whole = isinstance(amount, float) and amount.is_integer()  # all numbers of the protocol are floats
    return {"url": secret(client.get_recharge_link(token, int(amount) if whole else amount).url)}


def _get_forecast(client: EchoValueClient, token: str, arguments: Properties) -> Properties:
    wallet = client.get_wallet(token, details=False)
    found = read_forecast(client, token, wallet.wallet)
    return {
        "spent": found.spent,
        "hours": found.hours,
        "perDay": found.per_day,
        "daysLeft": found.days_left,
        "entries": found.entries,
    }


_QUESTIONS = {
    "echovalue:index:getWallet": _get_wallet,
    "echovalue:index:getForecast": _get_forecast,
    "echovalue:index:getRechargeLink": _get_recharge_link,
}
