# SPDX-License-Identifier: BSD-2-Clause
"""One exchange over real sockets: bounded, direct, and honest about what was sent."""

from __future__ import annotations

import errno
import gzip
import os
import socket
import ssl
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from plugins.module_utils.core import errors
from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.messages import Request, Response
from plugins.module_utils.core.service_url import ServiceUrl
from plugins.module_utils.core.transport import MAX_BODY, HttpTransport
from tests.testkit.raw_server import RawServer, raw_server
from tests.unit.support import LINK, TOKEN

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def reply(content: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(content)


def trickle(content: bytes, size: int = 1, pause: float = 0.1) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        for start in range(0, len(content), size):
            connection.sendall(content[start : start + size])
            time.sleep(pause)

    return handle


def send(url: str, timeout: float = 5.0, method: str = "GET", path: str = "/recharge?amount=1") -> Response:
    headers = {"x-token": TOKEN}
    return HttpTransport(ServiceUrl.parse(url))(
        Request(method, url + path, timeout, headers, {"token": "new"} if method == "POST" else None)
    )


@pytest.mark.parametrize(
    ("body", "timeout"), [(b"ok", 0.9), (b"x" * MAX_BODY, 5), (gzip.compress(b"x" * 100, mtime=0), 5)]
)
def test_an_answer_is_read_whole_and_not_unpacked(body: bytes, timeout: float) -> None:
    head = HEAD + b"X-Balance: 7\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with raw_server(reply(head + body)) as url:
        answer = send(url, timeout)
    assert (answer.status, answer.headers["x-balance"], answer.body) == (200, "7", body)


@pytest.mark.parametrize(
    "content",
    [HEAD + b"Content-Length: 400\r\n\r\n" + b"x" * 400, HEAD + b"X-A: " + b"x" * 400, b"H" * 400],
    ids=["body", "headers", "status line"],
)
def test_the_time_out_covers_an_answer_that_trickles(content: bytes) -> None:
    with raw_server(trickle(content)) as url:
        start = time.monotonic()
        with pytest.raises(errors.RequestTimeoutError) as caught:
            send(url, timeout=0.5)
    assert time.monotonic() - start < 2
    assert caught.value.sent


def endless(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Connection: close\r\n\r\n")
    while True:  # until the client leaves
        connection.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    "handle",
    [
        reply(HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1)),
        reply(HEAD + b"Connection: close\r\n\r\n" + b"x" * (MAX_BODY + 1)),
        endless,
    ],
)
def test_a_body_that_is_too_long_is_refused(handle: Callable[[socket.socket], None]) -> None:
    with raw_server(handle) as url, pytest.raises(errors.UnexpectedAnswerError, match="1024 KiB"):
        send(url)


def test_no_tls_where_tls_is_expected() -> None:
    plain = reply(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with (
        raw_server(plain) as url,
        pytest.raises(errors.NetworkError, match=r"^No TLS connection could be made"),
    ):
        send(url.replace("http:", "https:"))


@pytest.mark.parametrize("start", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\nabc"])
def test_a_service_that_falls_silent(start: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        connection.sendall(start)
        time.sleep(1.5)

    with raw_server(handle) as url, pytest.raises(errors.RequestTimeoutError, match=r"within 0\.3 s"):
        send(url, timeout=0.3)


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"Content-Length: 9\r\n\r\nin pieces",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nin \r\n6\r\npieces\r\n0\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\nin pieces",
    ],
    ids=["length", "chunks", "close"],
)
def test_a_body_in_pieces_is_whole(content: bytes) -> None:
    with raw_server(trickle(content, 7, 0.01)) as url:
        assert send(url).body == b"in pieces"


def test_json_is_sent() -> None:
    with RawServer(reply(HEAD + b"Content-Length: 2\r\n\r\nOK")) as server:
        HttpTransport(ServiceUrl.parse(server.url))(Request("PUT", server.url + "/", 5, json={"a": [1]}))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    assert body.replace(b" ", b"") == b'{"a":[1]}'


def test_what_was_never_sent_is_known_later_too() -> None:
    with raw_server(reply(HEAD + b"Content-Length: 2\r\n\r\nok")) as url:
        transport = HttpTransport(ServiceUrl.parse(url))
        transport(Request("GET", url, 5))
        with pytest.raises(errors.NetworkError) as caught:
            transport(Request("POST", url, 5, {"x-a": "not\na header"}))
    assert caught.value.sent is False


def test_all_that_an_error_wraps_is_looked_at_once() -> None:
    inner, cause, context = ValueError(), KeyError(), OSError()
    reason: Any = TypeError()
    outer: Any = RuntimeError("text", inner)
    outer.__cause__, outer.__context__, outer.reason = cause, context, reason
    inner.args = (outer,)  # a circle
    found = list(errors.causes_of(outer))
    assert sorted(map(id, found)) == sorted(map(id, (outer, inner, cause, context, reason)))


@pytest.mark.parametrize(
    "content",
    [b"", b"HTTP/1.1", HEAD + b"Content-Length: 32\r\n\r\n" + TOKEN[:12].encode(), b"nonsense\r\n\r\n"],
)
def test_an_answer_cut_short_is_none(content: bytes) -> None:
    with raw_server(reply(content)) as url, pytest.raises(errors.NetworkError) as caught:
        send(url)
    assert caught.value.sent


@pytest.mark.parametrize(
    ("url", "reason"), [("http://127.0.0.1:1", "refused"), ("https://echovalue.invalid", "resolved")]
)
def test_nothing_was_sent_where_nobody_listens(url: str, reason: str) -> None:
    with pytest.raises(errors.NetworkError, match=reason) as caught:
        send(url)
    assert not caught.value.sent


def test_a_failure_drags_no_request_along() -> None:
    with raw_server(reply(b"")) as url, pytest.raises(errors.NetworkError) as caught:
        send(url)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    shown = "".join(traceback.format_exception(type(caught.value), caught.value, caught.value.__traceback__))
    assert TOKEN not in shown
    assert "amount" not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    with RawServer(reply(b"")) as other:
        redirect = f"HTTP/1.1 307 X\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        with raw_server(reply(redirect)) as url:
            assert send(url).status == 307
            with pytest.raises(errors.UnexpectedAnswerError, match="redirect"):
                EchoValueClient(url).probe(TOKEN)
    assert other.requests == []


def test_a_form_is_sent() -> None:
    form = {"amount": "3", "name": "a b"}
    with RawServer(reply(HEAD + b"Content-Length: 2\r\n\r\nok")) as server:
        HttpTransport(ServiceUrl.parse(server.url))(Request("POST", server.url + "/", 5, {}, form))
    sent = server.requests[0].lower()
    assert b"content-type: application/x-www-form-urlencoded" in sent
    assert b"content-length: %d" % len("amount=3&name=a+b") in sent


def test_netrc_and_cookies_and_proxies_stay_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    received: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        for _ in range(2):
            connection.sendall(HEAD + b"Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")
            received.append(connection.recv(65536))

    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with raw_server(handle) as url:
        transport = HttpTransport(ServiceUrl.parse(url))
        for _ in range(2):
            transport(Request("GET", url + "/", 5, {"x-token": TOKEN}))
    lowered = received[0].lower()
    assert b"x-token" in lowered, "the second request came over the same connection"
    assert b"authorization" not in lowered
    assert b"cookie" not in lowered


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "Bad Request"),
        (407, "Proxy Authentication Required"),
        (500, "Internal Server Error"),
        (599, ""),
    ],
)
def test_https_goes_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, status: int, reason: str
) -> None:
    with RawServer(reply(f"HTTP/1.1 {status} X\r\n\r\n".encode())) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with pytest.raises(errors.NetworkError, match=rf"\(HTTP {status} {reason}\)") as caught:
            send("https://echovalue.invalid", method="POST", path="/token")
    assert caught.value.permanent == (status < 500), "whether a retry cannot help"
    assert proxy.requests
    assert caught.value.sent is False, "a proxy that refuses has passed nothing on"


SERVICE = ServiceUrl.parse("https://api.echovalue.dev")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.mark.parametrize("content", [None, b"", b"\x30\x82\x01\x0a", b"<html></html>"])
def test_a_ca_bundle_without_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """None, an empty file, DER, a web page: said before a request, and by nobody taken for the network's fault."""
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_bytes(content)
    wrong = "does not exist" if content is None else "holds no certificate in PEM form"
    with pytest.raises(errors.InvalidInputError, match=rf"bundle {bundle} {wrong}\. No req"):
        HttpTransport(SERVICE, verify=str(bundle))
    for variable in CA_VARIABLES[: None if content is not None else 2]:  # OpenSSL ignores one that is missing
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(bundle))
            said = rf"{bundle}, named by the environment variable {variable}, {wrong}\. No request was sent\. Correct"
            with pytest.raises(errors.InvalidInputError, match=said):
                HttpTransport(SERVICE)
            HttpTransport(SERVICE, verify=False)
            HttpTransport(ServiceUrl.parse("http://127.0.0.1"))  # which uses no certificates


@pytest.mark.parametrize(
    "proxy",
    [
        "http://",
        "http://pro xy:8080",
        "ftp://proxy",
        "http://proxy:x",
        "http://me:pass/word@proxy:1",
        "http://[::1",
        "http://proxy:0",
    ],
)
def test_a_proxy_that_is_no_url_of_one(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HTTPS_PROXY": proxy})
    with pytest.raises(errors.InvalidInputError, match="is not the URL of a proxy") as caught:
        HttpTransport(SERVICE)
    assert "word" not in str(caught.value)
    assert "No request was sent. Correct the variable, such as http://" in str(caught.value)
    HttpTransport(SERVICE, proxies={})  # which are passed, instead of those of the environment


@pytest.mark.parametrize("proxy", ["proxy.example", "me:word@proxy.example:1", "HTTP://proxy.example:8080/"])
def test_a_proxy_as_people_write_it(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HTTPS_PROXY": proxy})
    HttpTransport(SERVICE)


def test_a_ca_bundle_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()

    def refuse(_context: ssl.SSLContext, path: str) -> None:
        assert path == str(bundle)
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    said = rf"^The CA bundle {bundle} cannot be read \(Permission denied\)\. No request was sent\. Correct the option\.$"
    with pytest.raises(errors.InvalidInputError, match=said):
        HttpTransport(SERVICE, verify=str(bundle))


def test_a_socks_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library's connections are used, or it is named: nothing goes past the proxy."""
    service = ServiceUrl.parse("https://echovalue.invalid")
    monkeypatch.setattr(os, "environ", {"HTTPS_PROXY": "socks5h://127.0.0.1:9"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "socks", None)
        with pytest.raises(errors.InvalidInputError, match=r"PySocks .* Install it there, or"):
            HttpTransport(service)
    with RawServer(lambda _connection: None) as server:
        monkeypatch.setattr(os, "environ", {"HTTPS_PROXY": server.url.replace("http", "socks5h")})
        with pytest.raises(errors.NetworkError) as caught:
            HttpTransport(service)(Request("POST", "https://echovalue.invalid/token", 5, {}))
    assert server.requests[0][:1] == b"\x05"
    assert not caught.value.sent


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
def test_plain_http_never_goes_to_a_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(reply(b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n" + TOKEN.encode())) as url:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        client = EchoValueClient(url.replace("http", scheme, 1), retries=0)
        assert client.create_token() == TOKEN
        client.close()


def test_a_mint_over_a_dropped_connection_is_in_doubt() -> None:
    with raw_server(reply(b"")) as url, pytest.raises(errors.AmbiguousMintError):
        EchoValueClient(url).create_token()


def test_threads_share_one_client() -> None:
    connections: list[int] = []

    def handle(connection: socket.socket) -> None:
        connections.append(1)
        while True:
            body = LINK.encode()
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            if not connection.recv(65536):
                return

    with raw_server(handle) as url:
        client = EchoValueClient(url, connections=4)
        with ThreadPoolExecutor(16) as pool:
            assert all(probe.valid for probe in pool.map(client.probe, [TOKEN] * 200))
    assert len(connections) <= 4
