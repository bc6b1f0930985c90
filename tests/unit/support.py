# SPDX-License-Identifier: BSD-2-Clause
"""Stand-ins for the unit tests: a scripted transport, and answers."""

from __future__ import annotations

from typing import Any, Callable

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.messages import Request, Response
from plugins.module_utils.core.provision import Outcome, provision

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
THIRD = "third-token-of-the-tests-0123456"
LINK = "https://buy.stripe.com/product?client_reference_id=abc"


def text(body: str, status: int = 200, **headers: str) -> Response:
    """Return an answer as the service sends them."""
    fields = {"content-type": "text/plain; charset=utf-8"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, fields, body.encode())


class Script:
    """A transport that answers from a list, and keeps what it was asked; a request too many is an IndexError."""

    def __init__(self, *answers: Response | Exception | Callable[[], Response]) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else answer()


def scripted(
    *answers: Response | Exception | Callable[[], Response], **options: Any
) -> tuple[EchoValueClient, Script, list[float]]:
    """Return a client over a script, the script, and the list of its pauses."""
    script = Script(*answers)
    pauses: list[float] = []
    # As if the pauses took place.
    client = EchoValueClient(transport=script, sleep=pauses.append, clock=lambda: sum(pauses), **options)
    return client, script, pauses


def run(store: Any, *answers: Response | Exception | Callable[[], Response], **options: Any) -> Outcome:
    """Provision by a service that is to be asked for all of these answers, and for nothing else."""
    client, script, _pauses = scripted(*answers, retries=0)
    try:
        return provision(client, store, **options)
    finally:
        assert script.answers == []
