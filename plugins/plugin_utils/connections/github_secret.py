# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""GitHub: the connection's names are those of community.general.github_secrets."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import Any, Callable

from ...module_utils.core.errors import InvalidInputError
from ..places.github_secret import GithubSecret, reason_of
from ..places.libraries import check_library, not_connected
from .ci import check_connection, tls_verification
from .failures import without_secrets
from .run_context import RunContext

_unusable: Exception | None = None
_unusable_seal: Exception | None = None
try:
    import github
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error
try:
    import nacl.public

    _box = nacl.public.SealedBox  # what seals a secret
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable_seal = error

_OPTION = "github_secret"
_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", re.IGNORECASE | re.ASCII)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_TIMEOUT = 30  # seconds for one answer
_RETRIES = 2


def open_copy(options: Mapping[str, Any], run: RunContext) -> GithubSecret:
    """Return the secret that the options name, over a client for the connection."""
    if not _REPOSITORY.fullmatch(options["repository"]):
        raise InvalidInputError(f"{_OPTION}.repository must be OWNER/NAME.")
    if not _NAME.fullmatch(options["name"]):
        raise InvalidInputError(
            f"{_OPTION}.name must be letters, digits and underscores, no digit first, and not GITHUB_ either."
        )
    requester, url = run.share(_requester, options["connection"])
    return GithubSecret(requester, url, options["repository"], options["environment"], options["name"])


def _requester(_run: RunContext, connection: Mapping[str, Any]) -> tuple[Callable[[], Any], str]:
    """Return a function that returns the requester of a client, one for each thread; and the URL of the API.

    A client of PyGithub notes a request in its connection, and sends what is noted there.
    """
    check_library("PyNaCl", "1.5.0", _unusable_seal, module="nacl")  # first: PyGithub needs it too
    check_library("PyGithub", "2.5.0", _unusable, module="github")
    check_connection(_OPTION, connection, ("token",))
    token = connection.get("token") or os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
    if not token:
        raise InvalidInputError(f"{_OPTION}.connection needs a token, or the environment GH_TOKEN.")
    url = connection.get("api_url") or os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    verify = tls_verification(connection)
    of_thread = threading.local()

    def requester() -> Any:
        if not hasattr(of_thread, "client"):
            of_thread.client = github.Github(
                auth=github.Auth.Token(str(token)),
                base_url=str(url).rstrip("/"),
                timeout=_TIMEOUT,
                retry=_RETRIES,
                seconds_between_requests=None,
                seconds_between_writes=None,
                verify=verify,
            )
        return of_thread.client.requester

    try:
        requester()
    except Exception as error:  # noqa: BLE001 - of an address that is none, also by assertions
        why = without_secrets(reason_of(error), connection)
        raise not_connected("GitHub", why, InvalidInputError) from None
    return requester, str(url).rstrip("/")
