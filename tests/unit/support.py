# SPDX-License-Identifier: BSD-2-Clause
"""Stand-ins for the unit tests: a scripted transport, and answers."""

from __future__ import annotations

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.messages import Request, Response

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
LINK = "https://buy.stripe.com/product?client_reference_id=abc"


def text(body: str, status: int = 200, **headers: str) -> Response:
    """Return an answer as the service sends them."""
    fields = {"content-type": "text/plain; charset=utf-8"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, fields, body.encode())


class Script:
    """A transport that answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def scripted(
    *answers: Response | Exception, **options: object
) -> tuple[EchoValueClient, Script, list[float]]:
    """Return a client over a script, the script, and the list of its pauses."""
    script = Script(*answers)
    pauses: list[float] = []
    client = EchoValueClient(
        transport=script,
        sleep=pauses.append,
        clock=lambda: sum(pauses),  # as if the pauses took place
        **options,  # type: ignore[arg-type]
    )
    return client, script, pauses
