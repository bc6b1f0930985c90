# SPDX-License-Identifier: BSD-2-Clause
"""Which EchoValue service is meant, and the one client that this process has of it."""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .._shared.module_utils.core.client import DEFAULT_RETRIES, DEFAULT_TIMEOUT, EchoValueClient
from .._shared.module_utils.core.errors import InvalidInputError
from .._shared.module_utils.core.service_url import DEFAULT_BASE_URL, ServiceUrl

CONFIG_NAMESPACE = "echovalue"
CONFIG_KEY = "baseUrl"
CONFIG_KEYS = (CONFIG_KEY, "token", "timeout", "retries", "spool")
_CLOSE = 0.6  # of difflib: `url` is as close to `baseUrl`

_clients: dict[tuple[str, float, int], EchoValueClient] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Service:
    """A service by its base URL; `named` where the program or the stack's config says so.

    The environment and the default name none: a token never moves to another service by them.
    """

    url: str
    named: bool
    timeout: float = DEFAULT_TIMEOUT
    retries: int = DEFAULT_RETRIES

    def client(self, url: str | None = None) -> EchoValueClient:
        """Return the client of this service, or of the one at `url` with the same settings."""
        return client_of(url or self.url, timeout=self.timeout, retries=self.retries)

    def at(self, url: str) -> Service:
        """Return the service that an argument names, with the same settings.

        Raises InvalidInputError for a URL that ServiceUrl refuses.
        """
        return replace(self, url=find_service(url, None).url, named=True)


def find_service(given: str | None, configured: str | None) -> Service:
    """Return what the program gave, else the stack's config, else the environment's, else production.

    Raises InvalidInputError for a URL that ServiceUrl refuses.
    """
    named = given or configured
    url = named or os.environ.get("ECHOVALUE_BASE_URL") or DEFAULT_BASE_URL
    return Service(str(ServiceUrl.parse(url)), bool(named))


def check_config_keys(keys: Iterable[str]) -> None:
    """Raise InvalidInputError for a key that is none of CONFIG_KEYS, but close to one.

    A setting that is ignored could mint a token at another service than the requested one.
    """
    known = {_letters(key): key for key in CONFIG_KEYS}
    for key in keys:
        close = difflib.get_close_matches(_letters(key), known, n=1, cutoff=_CLOSE)
        if key not in CONFIG_KEYS and close:
            raise InvalidInputError(
                f"echovalue:{key} is no configuration key of echovalue: "
                f"did you mean echovalue:{known[close[0]]}?",
                f"No request was sent. Remove it: pulumi config rm echovalue:{key}",
            )


def _letters(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def client_of(
    base_url: str, *, timeout: float = DEFAULT_TIMEOUT, retries: int = DEFAULT_RETRIES
) -> EchoValueClient:
    """Return the client of a service, always the same one, so that its connections are used again.

    Raises InvalidInputError for a URL that ServiceUrl refuses.
    """
    with _lock:
        key = (base_url, timeout, retries)
        if key not in _clients:
            _clients[key] = EchoValueClient(base_url, timeout=timeout, retries=retries)
        return _clients[key]
