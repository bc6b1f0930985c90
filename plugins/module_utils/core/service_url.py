# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Where the service is: one URL, parsed once and normalised, that all rules look at."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import InvalidInputError

DEFAULT_BASE_URL = "https://api.echovalue.dev"

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*", re.ASCII)


@dataclass(frozen=True)
class ServiceUrl:
    """A base URL; `str()` is its normalised text: lower case, no default port, no trailing slash."""

    scheme: str
    host: str  # an IPv6 address without its brackets
    port: int
    path: str

    @classmethod
    def parse(cls, text: object) -> ServiceUrl:
        """Return the URL that `text` names, or raise InvalidInputError saying why it is refused.

        https to any host; http only to a loopback host, since a token must not travel in clear. A
        path is kept; credentials, a query or a fragment are refused.
        """

        def refuse(why: str) -> InvalidInputError:
            return InvalidInputError(f"base_url is refused: {why}.")

        passed = str(text)
        if not passed.isascii() or not passed.isprintable() or any(c in passed for c in ' \\"<>'):
            raise refuse("it holds characters that no URL has")
        if "?" in passed or "#" in passed:
            raise refuse("it must have neither a query nor a fragment")
        try:
            parts = urlsplit(passed)
            scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise refuse("its host or port cannot be read") from None
        if "@" in parts.netloc:
            raise refuse("it must hold no user name or password")
        if scheme not in _PORTS or not host:
            raise refuse("it must start with https:// and a host")
        if not is_host(host) or not _PATH.fullmatch(parts.path):
            raise refuse("its host or path holds characters that have no place there")
        url = cls(scheme, host, _PORTS[scheme] if port is None else port, parts.path.rstrip("/"))
        if url.plain and not url.loopback:
            raise refuse(
                "plain http would send the token in clear, so it is only for a loopback host; use https"
            )
        return url

    @property
    def plain(self) -> bool:
        """Whether what is sent travels in clear."""
        return self.scheme == "http"

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine, whatever the name service says."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def is_host(host: str) -> bool:
    """Return whether lower-case text is a host's name or address, an IPv6 one without its brackets."""
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host
