# SPDX-License-Identifier: BSD-2-Clause
"""The floor: the service's calls over plain keep-alive HTTP, and nothing else.

    python -m tools.bench.floor URL new|again COUNT CONCURRENCY FILE

mints COUNT tokens into FILE, or probes those in it. Nothing is checked but the status, and FILE is
written once, without a sync.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def main(url: str, phase: str, count: str, concurrency: str, file: str) -> None:
    """Let each of `concurrency` connections take one token after the other."""
    kept = Path(file)
    tokens = iter([""] * int(count) if phase == "new" else kept.read_text().split())
    answers: list[str] = []
    netloc = urlsplit(url).netloc
    visits = min(int(concurrency), int(count))
    threads = [Thread(target=_visit, args=(netloc, tokens, answers)) for _ in range(visits)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(answers) != int(count):
        sys.exit("a request failed")
    if phase == "new":
        kept.write_text("\n".join(answers))


def _visit(netloc: str, tokens: Iterator[str], answers: list[str]) -> None:
    connection = http.client.HTTPConnection(netloc)
    for token in tokens:
        if token:
            connection.request("GET", "/recharge?amount=1", headers={"x-token": token})
        else:
            connection.request("POST", "/token", "token=new", _FORM)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            sys.exit(text)
        answers.append(text)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
