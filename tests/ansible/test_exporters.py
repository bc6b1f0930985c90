# SPDX-License-Identifier: BSD-2-Clause
"""What SECURITY.md says of callbacks that send a task's arguments elsewhere, by the real ones and receivers."""

from __future__ import annotations

import gzip
import socketserver
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.testkit.playbook import Ansible, link, token
from tools.emulator.client import Emulator

pytest.importorskip("ansible_collections.community.general", reason="it is of the package `ansible`")
pytest.importorskip("opentelemetry.exporter.otlp", reason="the session `slow` has it")
pytestmark = pytest.mark.slow

ADOPTED = "adopted-token-0123456789abcdef"
HIDE = {"ANSIBLE_OPENTELEMETRY_HIDE_TASK_ARGUMENTS": "true"}
NO_VALUES = ("logstash", "opentelemetry", "elastic")  # of an argument that is a variable


class Receivers:
    """A collector by HTTP and one by TCP; `received` is all that they got, unpacked."""

    def __init__(self) -> None:
        self.received = b""
        receivers = self

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receivers.received += _unpacked(b"".join(self._chunks()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - elastic asks first what the server is

            def _chunks(self) -> Iterator[bytes]:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    return
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            def log_message(self, *_arguments: object) -> None:
                pass

        class Lines(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while data := self.request.recv(65536):
                    receivers.received += data

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Post)
        self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines)
        self.tcp.daemon_threads = True
        for server in (self.http, self.tcp):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def environment(self, callback: str) -> dict[str, str]:
        """The settings with which a callback sends to these."""
        url = f"http://127.0.0.1:{self.http.server_port}"
        return {
            "ANSIBLE_CALLBACKS_ENABLED": f"community.general.{callback}",
            "ELASTIC_APM_SERVER_URL": url,
            "LOGSTASH_PORT": str(self.tcp.server_address[1]),
            "LOGSTASH_SERVER": "127.0.0.1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "SPLUNK_AUTHTOKEN": "none",
            "SPLUNK_URL": url,
            "SUMOLOGIC_URL": url,
        }

    def close(self) -> None:
        for server in (self.http, self.tcp):
            server.shutdown()
            server.server_close()


def _unpacked(body: bytes) -> bytes:
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            return unpack(body)
        except (OSError, zlib.error):
            continue
    return body


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    started = Receivers()
    yield started
    started.close()


@pytest.mark.parametrize("callback", [*NO_VALUES, "splunk", "sumologic"])
def test_no_exporter_gets_the_token_of_a_place(
    ansible: Ansible, emulator: Emulator, receivers: Receivers, tmp_path: Path, callback: str
) -> None:
    emulator.register(ADOPTED)
    ansible.environment.update(receivers.environment(callback))
    path = str(tmp_path / "stored")
    tasks = [token("minted", path=path), link(path=path)]
    if callback in NO_VALUES:
        tasks.append(token("adopted", token="{{ adopted }}"))
    run = ansible.play(*tasks, vars={"adopted": ADOPTED}, options=("-vvvv",))
    assert b"echovalue_token" in receivers.received  # it was called for the tasks
    assert run["minted"]["token"].encode() not in receivers.received
    assert ADOPTED.encode() not in receivers.received


@pytest.mark.parametrize("callback", ["opentelemetry", "elastic"])
def test_hide_task_arguments_hides_a_playbooks_text(
    ansible: Ansible, emulator: Emulator, receivers: Receivers, callback: str
) -> None:
    emulator.register(ADOPTED)
    ansible.environment.update(receivers.environment(callback))
    ansible.play(token(token=ADOPTED))
    assert ADOPTED.encode() in receivers.received  # as SECURITY.md warns
    receivers.received = b""
    ansible.environment.update(HIDE)
    ansible.play(token(token=ADOPTED))
    assert b"echovalue_token" in receivers.received
    assert ADOPTED.encode() not in receivers.received
