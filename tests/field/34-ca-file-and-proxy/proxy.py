# SPDX-License-Identifier: BSD-2-Clause
"""A proxy that asks for a login."""

import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        self.send_error(407)


with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
