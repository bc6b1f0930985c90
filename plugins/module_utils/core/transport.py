# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""One HTTP exchange over requests: bounded in time and size, no redirect, no cookie, no .netrc."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.client import responses

from .adapter import Adapter, exchange, missing
from .errors import (
    NetworkError,
    RequestTimeoutError,
    UnexpectedAnswerError,
    causes_of,
)
from .messages import Request, Response
from .network_settings import proxies_to, trusted_certificates
from .service_url import ServiceUrl
from .version import VERSION

with suppress(Exception):  # adapter.py notes why
    import requests
    import urllib3

_REFUSED_BY_PROXY = re.compile(r"Tunnel connection failed: (\d{3})\b")  # of http.client
MAX_BODY = 1024 * 1024  # bytes; the longest true answer, a hundred log entries, is far below

_HEADERS = {
    "Accept": "application/json, text/plain",
    "Accept-Encoding": "identity",
    "User-Agent": f"echovalue-iac/{VERSION}",
}


class HttpTransport:
    """A `Transport` over requests, with keep-alive; several threads may share it.

    `verify` is True, False or the path of a CA bundle; `proxies` maps schemes to proxy URLs, None
    takes the standard proxy variables; `connections` is how many may be open at once.
    Raises ImportError where requests is not installed.
    """

    def __init__(
        self,
        service: ServiceUrl,
        *,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        connections: int = 8,
    ) -> None:
        if missing is not None:
            raise missing
        self._verify = trusted_certificates(service, verify)
        self._proxies = proxies_to(service, proxies)
        if not verify:  # as was requested: no warning at each request, past what shows our results
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._adapter = Adapter(pool_maxsize=connections, pool_block=True)

    def close(self) -> None:
        """End all connections."""
        self._adapter.close()

    def __call__(self, request: Request) -> Response:
        """Send `request` once and return the answer, whatever its status.

        Raises NetworkError, RequestTimeoutError, or UnexpectedAnswerError for a body over MAX_BODY.
        """
        exchange.sent = False
        try:
            # No session: what it adds is not wanted here, redirects, cookies, .netrc and their cost.
            prepared = requests.Request(
                request.method,
                request.url,
                headers={**_HEADERS, **request.headers},
                data=request.form,
                json=request.json,
            ).prepare()
            response = self._adapter.send(
                prepared,
                timeout=urllib3.Timeout(total=request.timeout),  # type: ignore[arg-type]
                verify=self._verify,
                proxies=self._proxies,
            )
            with response:
                body = _read_body(response)
            failure: Exception | None = None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = error
        # Raised outside of the except block, so that no traceback drags the library's own error
        # along, which holds the request with its headers.
        if failure is not None:
            raise _network_error(failure, request.timeout, exchange.sent)
        if body is None:
            raise UnexpectedAnswerError(
                f"The service answered HTTP {response.status_code} with a body over "
                f"{MAX_BODY // 1024} KiB, which was not read.",
                status=response.status_code,
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, headers, body)


def _read_body(response: requests.Response) -> bytes | None:
    """Return the whole body; None where it is over MAX_BODY; raise OSError where it was cut short."""
    promised = int(response.headers.get("content-length") or 0)
    if promised > MAX_BODY:
        return None
    body: bytes = response.raw.read(MAX_BODY + 1)  # as it was sent: nothing is unpacked
    if len(body) < promised:  # older urllib3 does not report it
        raise ConnectionError
    return body if len(body) <= MAX_BODY else None


def _network_error(error: Exception, timeout: float, sent: bool) -> NetworkError:
    """Say in words of our own what failed: the libraries' messages hold URLs with their queries."""
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = f"The service's certificate is not trusted ({cause.verify_message})."
            return NetworkError(what, sent=sent, permanent=True)
        refused = _REFUSED_BY_PROXY.match(str(cause)) if isinstance(cause, OSError) else None
        if refused:
            status = int(refused[1])
            what = f"The proxy did not connect to the service (HTTP {status} {responses.get(status, '')})."
            return NetworkError(what, sent=sent, permanent=400 <= status < 500)
    if any(isinstance(cause, (TimeoutError, socket.timeout, requests.Timeout)) for cause in causes):
        return RequestTimeoutError(f"The service gave no whole answer within {timeout:g} s.", sent=sent)
    for kind, what in (
        (socket.gaierror, "The service's name could not be resolved."),
        (ConnectionRefusedError, "The connection was refused."),
        (requests.exceptions.ProxyError, "The proxy did not connect to the service."),
        (ssl.SSLError, "No TLS connection could be made."),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return NetworkError(what, sent=sent)
    return NetworkError("The connection broke before the answer was whole.", sent=sent)
