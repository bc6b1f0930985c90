# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""What travels: a request, an answer, and the seam between what they mean and how they travel.

`Transport` is that seam: client.py gives it requests, transport.py sends them, tests put a plain
function there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable


@dataclass(frozen=True)
class Request:
    """What is sent, with `form` or `json` as its body; `timeout` in seconds covers the whole exchange."""

    method: str
    url: str
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


# Returns the answer, whatever its status; raises NetworkError, RequestTimeoutError, or
# UnexpectedAnswerError for a body that is too long.
Transport = Callable[[Request], Response]
