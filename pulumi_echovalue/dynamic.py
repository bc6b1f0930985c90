# SPDX-License-Identifier: BSD-2-Clause
"""What the dynamic providers of both resources have in common: how a failure is shown."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .hints import tell

Method = TypeVar("Method", bound=Callable[..., Any])


class ShownError(Exception):
    """A failure as the engine shows it: its text alone.

    The SDK sends `traceback.format_exc()` to the terminal. Since Python 3.12 that leaves the frames
    away for a class whose `__traceback__` is None; before, they come first.
    """

    __traceback__ = None


def told_plainly(kind: type[ShownError]) -> Callable[[Method], Method]:
    """Let a method fail with a `kind` alone: nothing of a library's error reaches the terminal."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def call(*args: Any) -> Any:
            try:
                return method(*args)
            except Exception as error:  # noqa: BLE001 - the one boundary
                text = tell(error, method.__name__)
            raise kind(text)

        return call  # type: ignore[return-value]

    return decorate
