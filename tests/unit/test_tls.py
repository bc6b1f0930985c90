# SPDX-License-Identifier: BSD-2-Clause
"""The service over TLS, by a CA of the test's own: checked by default, tried once, and it is known whether it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import AmbiguousMintError, NetworkError
from tests.testkit.raw_server import RawServer, raw_server
from tests.unit.support import TOKEN

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 32\r\nConnection: close\r\n\r\n"


class Service(RawServer):
    """A service over TLS."""

    def __init__(self, tls: ssl.SSLContext, ca: Path) -> None:
        super().__init__(self.answer, tls=tls)
        self.ca = str(ca)  # its authority's certificate
        self.answers = True

    def answer(self, stream: socket.socket) -> None:
        if self.answers:
            stream.sendall(_ANSWER + TOKEN.encode())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def service(authority: trustme.CA, tmp_path: Path) -> Iterator[Service]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Service(context, tmp_path / "ca.pem") as found:
        yield found


def client(service: Service, verify: bool | str | None = None, **options: object) -> EchoValueClient:
    """Return a client; `verify` None leaves it to the client."""
    passed = options if verify is None else {"verify": verify, **options}
    return EchoValueClient(service.url, sleep=lambda _seconds: None, timeout=5, **passed)  # type: ignore[arg-type]


@pytest.mark.parametrize("checked", [True, False])
def test_a_trusted_certificate_or_one_that_is_not_checked(service: Service, checked: bool) -> None:
    assert client(service, checked and service.ca).create_token() == TOKEN


def test_a_bundle_of_the_environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", service.ca)
    assert client(service).create_token() == TOKEN
    assert client(service, False).create_token() == TOKEN, "what the task says comes first"


@pytest.mark.parametrize("verify", [None, True])
def test_an_untrusted_certificate_is_refused_at_once(service: Service, verify: bool | None) -> None:
    with pytest.raises(NetworkError, match="certificate is not trusted") as caught:
        client(service, verify).create_token()
    assert (caught.value.sent, caught.value.permanent) == (False, True)
    assert (service.accepted, service.requests) == (1, [])


def _tunnel(connection: socket.socket, port: int) -> None:
    """Pass bytes on to a port of this machine, as a proxy does after CONNECT."""
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port)) as further:

        def pass_on() -> None:
            with contextlib.suppress(OSError):
                while data := further.recv(65536):
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=pass_on, daemon=True).start()
        while data := connection.recv(65536):
            further.sendall(data)


@pytest.mark.parametrize("answers", [True, False])
def test_a_mint_through_a_proxy_is_sent_once(service: Service, answers: bool) -> None:
    service.answers = answers
    with raw_server(lambda connection: _tunnel(connection, service.port)) as proxy:
        through = client(service, service.ca, proxies={"https": proxy})
        if answers:
            assert through.create_token() == TOKEN
        else:
            with pytest.raises(AmbiguousMintError):
                through.create_token()
    assert len(service.requests) == 1
