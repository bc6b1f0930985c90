# SPDX-License-Identifier: BSD-2-Clause
"""Which EchoValue service is requested, by which settings, and the one client that this process has of it."""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .._shared.module_utils.core.client import DEFAULT_RETRIES, DEFAULT_TIMEOUT, EchoValueClient
from .._shared.module_utils.core.errors import EchoValueError, InvalidInputError
from .._shared.module_utils.core.service_url import DEFAULT_BASE_URL, ServiceUrl

T = TypeVar("T")

CONFIG_NAMESPACE = "echovalue"
# The keys of the config, and the variables that count where it leaves them out.
ENVIRONMENT: Mapping[str, str] = {
    "baseUrl": "ECHOVALUE_BASE_URL",
    "token": "ECHOVALUE_TOKEN",
    "timeout": "ECHOVALUE_TIMEOUT",
    "retries": "ECHOVALUE_RETRIES",
}
CONFIG_KEYS = (*ENVIRONMENT, "spool")
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

    @contextmanager
    def client(self, url: str | None = None) -> Iterator[EchoValueClient]:
        """Yield the client of this service, or of the one at `url` with the same settings.

        An error of EchoValue's that is raised meanwhile says by `service` which one was requested.
        """
        requested = url or self.url
        try:
            yield client_of(requested, timeout=self.timeout, retries=self.retries)
        except EchoValueError as error:
            error.service = requested
            raise

    def at(self, url: str) -> Service:
        """Return the service that an argument names, with the same settings.

        Raises InvalidInputError for a URL that ServiceUrl refuses.
        """
        return replace(self, url=check_url(url), named=True)


def find_service(argument: str | None, config: Mapping[str, Any]) -> Service:
    """Return the service of the program's argument, else of the config, the environment, or production.

    `config` has values of CONFIG_KEYS, without their namespace. Its timeout and retries count before the
    environment's.

    Raises InvalidInputError for a setting that cannot be used; the text says where it came from.
    """
    named = bool(argument or config.get("baseUrl"))
    return Service(
        check_url(argument) if argument else _setting("baseUrl", config, check_url, DEFAULT_BASE_URL),
        named,
        _setting("timeout", config, check_timeout, DEFAULT_TIMEOUT),
        _setting("retries", config, check_retries, DEFAULT_RETRIES),
    )


def _setting(name: str, config: Mapping[str, Any], check: Callable[[Any], T], default: T) -> T:
    """Return a setting of the config, else of the environment, else the default."""
    sources = {
        f"the config's {CONFIG_NAMESPACE}:{name}": config.get(name),
        f"the environment's {ENVIRONMENT[name]}": os.environ.get(ENVIRONMENT[name]),
    }
    for source, value in sources.items():
        if value not in (None, ""):
            try:
                return check(value)
            except InvalidInputError as error:
                raise InvalidInputError(f"{error.args[0]} It comes from {source}.") from None
    return default


def check_url(url: object) -> str:
    """Return a base URL in its one form; raise InvalidInputError for a URL that ServiceUrl refuses."""
    return str(ServiceUrl.parse(url))


def check_spool(path: object) -> str:
    """Return the path of a spool; raise InvalidInputError for a relative one."""
    if not isinstance(path, str) or not os.path.isabs(os.path.expanduser(path)):
        raise InvalidInputError("spool must be an absolute path: it is private, and belongs to no checkout.")
    return path


def check_timeout(value: Any) -> float:
    """Return a number of seconds, which may be passed as text; raise InvalidInputError for anything else."""
    timeout = _number("timeout", value)
    EchoValueClient(timeout=timeout)  # refuses what is out of range
    return timeout


def check_retries(value: Any) -> int:
    """Return a number of retries, which may be passed as text; raise InvalidInputError for anything else."""
    retries = _number("retries", value)
    if not retries.is_integer():
        raise InvalidInputError("retries must be a whole number.")
    EchoValueClient(retries=int(retries))
    return int(retries)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} must be a number.") from None


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
