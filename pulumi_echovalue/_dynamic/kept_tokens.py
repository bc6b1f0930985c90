# SPDX-License-Identifier: BSD-2-Clause
"""What a preview knows of the tokens that an update keeps.

The engine does not call the update of a dynamic resource in a preview, so all outputs of its `Token` are
unknown there. An alert that depends on them is compared after the token, in the same process.
"""

from __future__ import annotations

_services: dict[str, str] = {}  # of the tokens that this process has compared, by their hash


def note(hash_: str, service: str) -> None:
    """Note that a token stays, and which service it will have."""
    _services[hash_] = service


def service_of(hash_: str) -> str | None:
    """Return the service that a token will have; None where it is replaced, or was not compared."""
    return _services.get(hash_)
