# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What the connections to GitHub and GitLab have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils.core.errors import InvalidInputError

_TEXTS = ("api_url", "ca_path")


def check_connection(option: str, connection: Mapping[str, Any], secrets: Iterable[str]) -> None:
    """Raise InvalidInputError for options that a connection does not have, or whose type is wrong."""
    texts = (*_TEXTS, *secrets)
    unknown = [str(name) for name in connection if name not in (*texts, "validate_certs")]
    if unknown:
        raise InvalidInputError(f"{option}.connection has options that are not known: {', '.join(unknown)}.")
    wrong = [name for name in texts if not isinstance(connection.get(name), (str, type(None)))]
    if wrong:
        raise InvalidInputError(f"{option}.connection: {', '.join(wrong)} must be text.")
    if not isinstance(connection.get("validate_certs", True), bool):
        raise InvalidInputError(f"{option}.connection: validate_certs must be true or false.")


def tls_verification(connection: Mapping[str, Any]) -> bool | str:
    """Return whether the server's certificate is checked, or the file of the authorities to trust."""
    if connection.get("validate_certs", True) is False:
        return False
    # The libraries hand this on to requests, which takes an explicit True for its own list.
    return connection.get("ca_path") or os.environ.get("REQUESTS_CA_BUNDLE") or True
