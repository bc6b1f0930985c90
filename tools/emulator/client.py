# SPDX-License-Identifier: BSD-2-Clause
"""Start, steer and stop an emulator from Python; needs only the standard library.

with Emulator() as emulator:
    emulator.fault("POST /token", "status", status=503, times=2)
    provision(base_url=emulator.url)
    assert emulator.stats()["mints"] == 1
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from contextlib import closing
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


class Emulator:
    """An emulator in a process of its own, which ends with this one whatever happens.

    `database` is a file that stays; without it a temporary one goes at the end. `python` is an
    interpreter that has the emulator's packages.
    """

    def __init__(
        self,
        database: str | os.PathLike[str] | None = None,
        *,
        links: str = "hash",
        balance_headers: bool = True,
        latency: float = 0.0,
        put: str = "replace",
        webhook_ca: str | os.PathLike[str] = "",
        workers: int = 1,
        port: int = 0,
        python: str = sys.executable,
    ) -> None:
        scratch = tempfile.mkdtemp(prefix="echovalue-emulator-")
        self._clean = weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._arguments = [
            *(python, "-m", "tools.emulator", "--exit-with-parent"),
            *("--database", os.fspath(database or Path(scratch, "emulator.sqlite"))),
            *("--links", links, "--latency", str(latency), "--workers", str(workers)),
            *("--put", put, "--webhook-ca", os.fspath(webhook_ca)),
            *(() if balance_headers else ("--no-balance-headers",)),
        ]
        self._process: subprocess.Popen[str] | None = None
        self.port = port
        self.forgotten: set[str] = set()  # hashes

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
        self._clean()

    # The process

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int:
        """The process, whose children are the further workers."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self._process = subprocess.Popen(
            [*self._arguments, "--port", str(self.port)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,  # its end shows the emulator that this process is gone
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests, and kill() is for all workers
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the emulator ended with exit code {self._process.wait()}")
        self.port = int(line.rpartition(":")[2])

    def stop(self) -> int:
        """End it cleanly; return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it as a crash would, all its workers at once; return its exit code."""
        return self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it if it runs, and start it again with the same port and database."""
        self.stop()
        self.start()

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        self._process.communicate()  # its output ends with the last worker
        code = self._process.returncode
        self._process = None
        return code

    # What happened

    def stats(self) -> dict[str, Any]:
        """Return what was counted: `total`, `requests` by call, `mints`, `credits_spent`,
        `connections` (over TCP, by service requests); and how many `tokens` there are.
        """
        return self._control("GET", "/stats")

    def reset_stats(self) -> None:
        """Count from here."""
        self._control("DELETE", "/stats")

    def requests(self) -> list[dict[str, Any]]:
        """Return the service requests, in order; `status` is None where none was sent."""
        return self._control("GET", "/requests")

    def alerts(self) -> list[dict[str, Any]]:
        """Return the low-balance alerts, in order: `token_hash`, `wallet`, `threshold`, `email`,
        `webhook_host`; and the `status` that the webhook answered, or the `error`.
        """
        return self._control("GET", "/alerts")

    def tokens(self) -> list[dict[str, Any]]:
        """Return `hash`, `wallet` and `created` of every token."""
        return self._control("GET", "/tokens")

    def settings(self, token: str) -> dict[str, Any]:
        """Return the low-balance settings of a token as the service answers them, for 1 credit."""
        return dict(self._ask("GET", "/token/settings", **{"x-token": token}))

    # What shall happen

    def reset(self) -> None:
        """Make it as new but for its tokens: no faults, default options, counters at zero."""
        self.clear_faults()
        self.options(links="hash", balance_headers=True, latency=0, put="replace", webhook_ca="")
        self.reset_stats()

    def fault(self, call: str, kind: str, **options: Any) -> None:
        """Let `call`, such as `POST /token` or `*`, meet a fault; options as in `faults.Fault`.

        `times` says how often (1); 0 is until `clear_faults`.
        """
        self._control("POST", "/faults", {"call": call, "kind": kind, **options})

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._control("DELETE", "/faults")

    def set_wallet(self, token_hash: str, wallet: int) -> None:
        """Set the credits of a token."""
        self._control("PUT", f"/tokens/{token_hash}", {"wallet": wallet})

    def set_created(self, token_hash: str, created: str) -> None:
        """Set when a token was minted, as the service says it."""
        self._control("PUT", f"/tokens/{token_hash}", {"created": created})

    def forget(self, token_hash: str) -> None:
        """Make a token unknown."""
        self._control("DELETE", f"/tokens/{token_hash}")
        self.forgotten.add(token_hash)

    def register(self, token: str, wallet: int = 100) -> str:
        """Make `token` known; return its hash."""
        return self._control("POST", "/tokens", {"token": token, "wallet": wallet})["hash"]

    def spend(self, token_hash: str, *, hours: float, cost: int) -> None:
        """Write down a call of so many hours ago; the wallet stays as it is."""
        self._control("POST", f"/tokens/{token_hash}/calls", {"hours": hours, "cost": cost})

    def options(self, **options: Any) -> None:
        """Change `links`, `balance_headers`, `latency`, `put` or `webhook_ca` until the next start."""
        self._control("PUT", "/options", options)

    def _control(self, method: str, path: str, data: Any = None) -> Any:
        return self._ask(method, "/_emulator" + path, data)

    def _ask(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, None if data is None else json.dumps(data), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= 400:
            raise ValueError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None
