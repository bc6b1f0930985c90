# SPDX-License-Identifier: BSD-2-Clause
"""Which EchoValue service is meant, and the one client that this process has of it."""

from __future__ import annotations

import os
import threading

from ._core.client import DEFAULT_BASE_URL, DEFAULT_RETRIES, DEFAULT_TIMEOUT, EchoValueClient

CONFIG_NAMESPACE = "echovalue"
CONFIG_KEY = "baseUrl"

_clients: dict[tuple[str, float, int], EchoValueClient] = {}
_lock = threading.Lock()


def find_base_url(given: str | None, configured: str | None) -> str:
    """Return what the program gave, else the stack's config, else the environment's, else production."""
    return given or configured or os.environ.get("ECHOVALUE_BASE_URL") or DEFAULT_BASE_URL


def client_of(
    base_url: str, *, timeout: float = DEFAULT_TIMEOUT, retries: int = DEFAULT_RETRIES
) -> EchoValueClient:
    """Return the client of a service, always the same one, so that its connections are used again.

    Raises InvalidInputError for a URL that check_base_url refuses.
    """
    with _lock:
        key = (base_url, timeout, retries)
        if key not in _clients:
            _clients[key] = EchoValueClient(base_url, timeout=timeout, retries=retries)
        return _clients[key]
