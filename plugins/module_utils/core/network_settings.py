# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Whose certificates are trusted, and which proxy leads to the service: checked before a request is sent."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from urllib.parse import urlsplit

from .errors import InvalidInputError
from .service_url import ServiceUrl

with suppress(Exception):  # adapter.py notes why
    from requests.utils import get_environ_proxies, select_proxy

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # which requests documents
_OPENSSL_VARIABLE = "SSL_CERT_FILE"  # OpenSSL ignores one that names no file
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_PROXY_SCHEMES = ("http", "https", *_SOCKS)


def trusted_certificates(service: ServiceUrl, verify: bool | str) -> bool | str:
    """Return what requests takes as `verify`: True, where nothing names a bundle, is that of requests.

    What the environment names is read for HTTPS only, for it takes 20 ms.

    Raises InvalidInputError for a bundle that cannot be used.
    """
    if isinstance(verify, str):
        _check_bundle(verify, "", "Correct the option.")
    elif verify and not service.plain:
        for name in (*_CA_VARIABLES, _OPENSSL_VARIABLE):
            path = os.environ.get(name)
            if path and (name != _OPENSSL_VARIABLE or os.path.isfile(path)):
                _check_bundle(path, f", named by the environment variable {name},", "Correct the variable.")
                return path
    return verify


def _check_bundle(path: str, named_by: str, advice: str) -> None:
    bundle, advice = f"The CA bundle {path}{named_by}", f"No request was sent. {advice}"
    if not os.path.exists(path):
        raise InvalidInputError(f"{bundle} does not exist.", advice)
    if os.path.isdir(path):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise InvalidInputError(f"{bundle} holds no certificate in PEM form.", advice) from None
    except OSError as error:
        raise InvalidInputError(
            f"{bundle} cannot be read ({os.strerror(error.errno or 0)}).", advice
        ) from None


def proxies_to(service: ServiceUrl, proxies: Mapping[str, str] | None) -> dict[str, str]:
    """Return the proxies by scheme, as requests takes them; None means those of the environment.

    Raises InvalidInputError for one that requests cannot use.
    """
    if service.plain:
        return {}  # plain HTTP goes only to this machine, never to a proxy
    found = dict(get_environ_proxies(str(service)) if proxies is None else proxies)
    proxy = select_proxy(str(service), found)
    if proxy:
        _check_proxy(proxy)
    return found


def _check_proxy(proxy: str) -> None:
    """Raise InvalidInputError for what is no URL of a proxy; it may hold a password, so it is not shown."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = parts.scheme.lower() in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets, or of the port
        usable = False
    if not usable or not proxy.isprintable() or " " in proxy:
        raise InvalidInputError(
            "The proxy that HTTPS_PROXY or ALL_PROXY names is not the URL of a proxy.",
            "No request was sent. Correct the variable, such as http://proxy.example.com:8080.",
        )
    if parts.scheme.lower() in _SOCKS and find_spec("socks") is None:
        raise InvalidInputError(
            f"A SOCKS proxy needs the Python library PySocks for {sys.executable}.",
            "No request was sent. Install it there, or name another kind of proxy.",
        )
