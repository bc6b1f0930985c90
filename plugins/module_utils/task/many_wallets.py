# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Many wallets in one task, side by side: a failure of one stops no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ..core.client import DEFAULT_CONNECTIONS, EchoValueClient
from ..core.errors import EchoValueError
from ..core.forecast import read_forecast
from ..core.models import token_hash
from .failure import failure
from .outage import Outage, listed, unforeseen

NOTHING: dict[str, Any] = {"hash": None, "wallet": None, "created": None, "cost": 0, "forecast": None}
_PASSED: dict[str, Any] = {"failed": False, "reason": None, "msg": None}


def read_wallet(client: EchoValueClient, token: str, *, details: bool, forecast: bool) -> dict[str, Any]:
    """Return the wallet of a token, and its forecast where that is requested, as a task's result has them.

    Raises the errors of core/errors.py.
    """
    wallet = client.get_wallet(token, details=details)
    pace = asdict(read_forecast(client, token, wallet.wallet)) if forecast else None
    return {**asdict(wallet), "forecast": pace}


def failed_wallet(name: str, token: str | None, error: EchoValueError) -> dict[str, Any]:
    """Return the entry of a wallet that could not be read."""
    hash_ = token_hash(token) if token else None
    return {"name": name, **NOTHING, "hash": hash_, "failed": True, **failure(error)}


def read_wallets(
    tokens: Sequence[tuple[str, str | EchoValueError | None]],
    client: EchoValueClient,
    *,
    details: bool,
    forecast: bool,
) -> list[dict[str, Any]]:
    """Return an entry for each name and token, in their order.

    An error is why a token is not known; None is one that a task before would provide, in check mode.
    `details` and `forecast` are as for `read_wallet`.
    """
    outage = Outage()

    def one(name: str, token: str | EchoValueError | None) -> dict[str, Any]:
        if isinstance(token, EchoValueError):
            return failed_wallet(name, None, token)
        if token is None:
            return {"name": name, **NOTHING, **_PASSED}
        try:
            outage.check()
            entry = read_wallet(client, token, details=details, forecast=forecast)
        except EchoValueError as error:
            outage.note(error)
            return failed_wallet(name, token, error)
        except Exception as error:  # noqa: BLE001 - the others' results must not be lost with it
            return failed_wallet(name, token, unforeseen(error))
        outage.note(None)
        return {"name": name, **entry, **_PASSED}

    with ThreadPoolExecutor(DEFAULT_CONNECTIONS) as pool:
        return list(pool.map(lambda pair: one(*pair), tokens))


def result_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the task's result: it fails where one of the wallets could not be read."""
    result: dict[str, Any] = {"changed": False, "wallets": list(entries)}
    failures = [entry for entry in entries if entry["failed"]]
    if not failures:
        return result
    msg = f"{len(failures)} of {len(entries)} wallets could not be read. "
    msg += listed([f"{entry['name']}: {entry['msg']}" for entry in failures], "wallets")
    return {**result, "failed": True, "msg": msg, "reason": failures[0]["reason"]}
