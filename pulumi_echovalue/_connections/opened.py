# SPDX-License-Identifier: BSD-2-Clause
"""An opened place, and the logins that the places of one process share."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .._shared.module_utils.core.errors import StoreError
from .._shared.module_utils.core.store import Store
from .._shared.plugin_utils.places.driver import Driver

T = TypeVar("T")
Resolved = Mapping[str, str]  # what distinguishes the store from every other, as its client resolved it

_made: dict[object, Any] = {}
_guard = threading.RLock()


class PlaceStore(Store, Protocol):
    """A store that says where it keeps a token that was replaced."""

    @property
    def backup_file(self) -> str | None:
        """The file with the former token; None where the place itself keeps it, or there was none."""


@dataclass(frozen=True)
class OpenedPlace:
    """A place that is ready: its store, its words, what the client resolved, and all that identifies it."""

    store: PlaceStore
    words: str
    resolved: Resolved
    identity: tuple[str, ...]

    def read(self) -> str | None:
        """Return the stored token, None where there is none. Raises StoreError."""
        try:
            with self.store.lock():
                return self.store.read()
        except OSError as error:
            raise StoreError(
                f"{self.words} could not be read ({error.strerror or 'unknown reason'})."
            ) from None


DriverOpener = Callable[[Mapping[str, Any]], tuple[Driver, Resolved]]


def shared(make: Callable[[Mapping[str, Any]], T], connection: Mapping[str, Any], *more: str) -> T:
    """Return what `make` makes of a connection, once for each environment and `more`."""
    names = {name: value for name, value in connection.items() if value is not None}
    key = (make, *sorted(names.items()), *sorted(os.environ.items()), *more)
    with _guard:
        if key not in _made:
            _made[key] = make(names)
        made: T = _made[key]
        return made
