# SPDX-License-Identifier: BSD-2-Clause
"""A webhook on this machine: an https listener, whose certificate a CA of its own has signed.

with Webhook() as webhook:
    emulator.options(webhook_ca=webhook.ca)
    ...  # a token's settings name webhook.url
    assert webhook.next().value == {"text": "..."}
"""

from __future__ import annotations

import json
import queue
import ssl
import tempfile
import threading
from contextlib import ExitStack
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import trustme


class Delivery(NamedTuple):
    """What the webhook received."""

    path: str
    headers: Message
    value: Any  # the JSON body


class Webhook:
    """The listener; it answers `status` to whatever is sent to `url`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self._deliveries: queue.Queue[Delivery] = queue.Queue()
        self._stack = ExitStack()

    def __enter__(self) -> Webhook:
        authority = trustme.CA()
        self.ca = str(Path(self._stack.enter_context(tempfile.TemporaryDirectory()), "ca.pem"))
        authority.cert_pem.write_to_path(self.ca)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{server.server_port}/alert?of=test"
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def next(self) -> Delivery:
        """Return what was received next, and wait for it."""
        return self._deliveries.get(timeout=10)

    def quiet(self) -> bool:
        """Say whether nothing was received that `next` has not returned."""
        return self._deliveries.empty()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(webhook.status)
                self.send_header("content-length", "0")
                self.end_headers()
                webhook._deliveries.put(Delivery(self.path, self.headers, json.loads(body)))

            def log_message(self, *_: object) -> None:
                """Leave the screen to the tests."""

        return Handler
