# SPDX-License-Identifier: BSD-2-Clause
"""The floor: the service's calls over plain keep-alive HTTP, beside a file or an OpenBao, and nothing else.

    python tools/bench/floor.py file|openbao URL new|again|bare COUNT CONCURRENCY WHERE

mints COUNT tokens into WHERE, a file or a prefix of secrets, or probes those in it; `bare` is `new` without
the service. Nothing is checked but the status; the file is written once, without a sync. OpenBao and the login
come from the environment.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class File:
    """Tokens in one file."""

    def __init__(self, where: str, phase: str, count: int) -> None:
        self._kept = Path(where)
        self._tokens: list[str] = []
        self.items = [""] * count if phase == "new" else self._kept.read_text().split()

    def read(self, item: str) -> str:
        """Return the token that is there."""
        return item

    def write(self, _item: str, token: str) -> None:
        """Keep a token."""
        self._tokens.append(token)

    def close(self) -> None:
        """Write what is kept."""
        if self._tokens:
            self._kept.write_text("\n".join(self._tokens))


class OpenBao:
    """Tokens in secrets: each is read, its write is rehearsed, and it is written, as the product does it."""

    def __init__(self, where: str, phase: str, count: int) -> None:
        import hvac

        self._client, self._phase = hvac.Client(), phase
        self._missing, self._refused = hvac.exceptions.InvalidPath, hvac.exceptions.InvalidRequest
        self._client.lookup_token()
        self.items = [f"{where}/token{number}" for number in range(count)]

    def read(self, item: str) -> str:
        """Return the token that is there; of a new one, look before and after the lock."""
        secrets = self._client.secrets.kv.v2
        if self._phase == "again":
            found = secrets.read_secret_version(path=item, raise_on_deleted_version=False)
            return str(found["data"]["data"]["token"])
        for _before_and_after_the_lock in range(2):
            with suppress(self._missing):
                secrets.read_secret_version(path=item, raise_on_deleted_version=False)
                sys.exit(f"{item} is not new")
        self._client.read("sys/internal/ui/mounts/secret")
        with suppress(self._refused):
            secrets.create_or_update_secret(path=item, secret={"token": "none"}, cas=2**31 - 1)
        return ""

    def write(self, item: str, token: str) -> None:
        """Keep a token."""
        self._client.secrets.kv.v2.create_or_update_secret(path=item, secret={"token": token}, cas=0)

    def close(self) -> None:
        """All is written."""


def main(kind: str, url: str, phase: str, count: str, concurrency: str, where: str) -> None:
    """Let each of `concurrency` connections take one token after the other."""
    store = {"file": File, "openbao": OpenBao}[kind](where, phase, int(count))
    items, done = iter(store.items), []
    arguments = (urlsplit(url).netloc, store, items, done, phase)
    threads = [Thread(target=_visit, args=arguments) for _ in range(min(int(concurrency), int(count)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) != int(count):
        sys.exit("a request failed")
    store.close()


def _visit(netloc: str, store: File | OpenBao, items: Iterator[str], done: list[str], phase: str) -> None:
    service = http.client.HTTPConnection(netloc)
    for item in items:
        token = store.read(item)
        text = "0" * 32 if phase == "bare" else _answer(service, token)
        if not token:
            store.write(item, text)
        done.append(item)
    service.close()


def _answer(service: http.client.HTTPConnection, token: str) -> str:
    """Return what the service answers to the probe of a token, or to a mint without one."""
    if token:
        service.request("GET", "/recharge?amount=1", headers={"x-token": token})
    else:
        service.request("POST", "/token", "token=new", _FORM)
    answer = service.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        sys.exit(text)
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
