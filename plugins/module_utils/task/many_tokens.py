# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Many tokens in one task, side by side: a failure of one stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Callable

from ..core.client import EchoValueClient
from ..core.errors import EchoValueError
from ..core.signals import signal_is_pending, signals_deferred
from .outage import Outage, listed, unforeseen
from .results import Place, failed_entry, perform
from .token_requests import TokenRequest


def perform_many(
    requests: Sequence[tuple[TokenRequest, Place | EchoValueError | None]],
    client: EchoValueClient,
    concurrency: int,
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Do for each token what `perform` does for one, `concurrency` at a time; return the task's result.

    Where one token fails, so does the result, and it holds no token. See `perform_each`.
    """
    return summary(perform_each(requests, client, concurrency, check_mode=check_mode, warn=warn))


def perform_each(
    requests: Sequence[tuple[TokenRequest, Place | EchoValueError | None]],
    client: EchoValueClient,
    concurrency: int,
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Do for each token what `perform` does for one, `concurrency` at a time; return the entries of `tokens`.

    A place that could not be opened is the error that says why. A signal lets those under way end, and
    starts no other.
    """
    warnings: set[str] = set()
    outage = Outage()

    def one(request: TokenRequest, place: Place | EchoValueError | None) -> dict[str, Any]:
        if isinstance(place, EchoValueError):
            return failed_entry(request, None, place)
        try:
            outage.check()
            entry = perform(request, client, place, check_mode=check_mode, warn=warnings.add)
        except EchoValueError as error:
            outage.note(error)
            return failed_entry(request, place, error)
        except Exception as error:  # noqa: BLE001 - the others' results must not be lost with it
            return failed_entry(request, place, unforeseen(error))
        outage.note(None)
        return {**entry, "failed": False, "msg": None, "reason": None}

    with signals_deferred(), ThreadPoolExecutor(concurrency) as pool:
        try:
            futures = [pool.submit(one, *pair) for pair in requests]
            for _future in as_completed(futures):
                if signal_is_pending():
                    break
        finally:
            pool.shutdown(cancel_futures=True)
    for warning in sorted(warnings):
        warn(warning)
    return [future.result() for future in futures if not future.cancelled()]


def summary(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the task's result for these entries of `tokens`."""
    diffs = [entry.pop("diff") for entry in entries if "diff" in entry]
    result: dict[str, Any] = {
        "changed": any(entry["changed"] for entry in entries),
        "tokens": entries,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }
    failures = [entry for entry in entries if entry["failed"]]
    if not failures:
        return result
    for entry in entries:
        entry["token"] = None  # a failure is shown
    texts = [f"{entry['place']}: {entry['msg']}" if entry["place"] else entry["msg"] for entry in failures]
    msg = f"{len(failures)} of {len(entries)} tokens failed; the others are where they belong. "
    msg += listed(texts, "tokens")
    return {**result, "failed": True, "msg": msg, "reason": failures[0]["reason"]}
