# SPDX-License-Identifier: BSD-2-Clause
"""The floor of many tokens in OpenBao: the same calls over keep-alive HTTP, by hvac and by http.client.

    python tools/bench/openbao_floor.py URL new|again COUNT CONCURRENCY PREFIX

reads each secret; then mints, asks whether it may write, and writes, or probes the token in it. The
server and the login come from the environment.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from threading import Thread
from urllib.parse import urlsplit

import hvac

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def main(url: str, phase: str, count: str, concurrency: str, prefix: str) -> None:
    """Let each of `concurrency` threads take one secret after the other."""
    paths = iter([f"{prefix}/token{number}" for number in range(int(count))])
    done: list[str] = []
    client = hvac.Client()
    client.lookup_token()
    arguments = (urlsplit(url).netloc, client, paths, done, phase)
    threads = [Thread(target=_visit, args=arguments) for _ in range(min(int(concurrency), int(count)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) != int(count):
        sys.exit("a request failed")


def _visit(netloc: str, client: hvac.Client, paths: Iterator[str], done: list[str], phase: str) -> None:
    service = http.client.HTTPConnection(netloc)
    secrets = client.secrets.kv.v2
    for path in paths:
        if phase == "again":
            found = secrets.read_secret_version(path=path, raise_on_deleted_version=False)
            service.request("GET", "/recharge?amount=1", headers={"x-token": found["data"]["data"]["token"]})
        else:
            for _before_and_after_the_lock in range(2):
                try:
                    secrets.read_secret_version(path=path, raise_on_deleted_version=False)
                    sys.exit(f"{path} is not new")
                except hvac.exceptions.InvalidPath:
                    pass
            client.read("sys/internal/ui/mounts/secret")
            client.sys.get_capabilities([f"secret/data/{path}"])
            service.request("POST", "/token", "token=new", _FORM)
        answer = service.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            sys.exit("the service refused")
        if phase == "new":
            secrets.create_or_update_secret(path=path, secret={"token": text}, cas=0)
        done.append(path)
    service.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
