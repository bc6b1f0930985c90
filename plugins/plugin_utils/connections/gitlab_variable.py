# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""GitLab: the connection's names are those of community.general.gitlab_project_variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...module_utils.core.errors import InvalidInputError
from ..places.gitlab_variable import GitlabVariable, reason_of
from ..places.libraries import check_library, not_connected
from .ci import check_connection, tls_verification
from .failures import without_secrets
from .run_context import RunContext

_unusable: Exception | None = None
try:
    import gitlab
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error

_OPTION = "gitlab_variable"
_TIMEOUT = 30  # seconds for one answer
_JOB_TOKEN = (
    f"{_OPTION}.connection has a job's own token, which may not set variables: pass an api_token with the "
    "scope api and the role Maintainer of the project, or Owner of the group."
)


def open_copy(options: Mapping[str, Any], run: RunContext) -> GitlabVariable:
    """Return the variable that the options name, over a client for the connection."""
    owners = [(kind, str(options[kind])) for kind in ("project", "group") if options[kind]]
    if len(owners) != 1:
        raise InvalidInputError(f"{_OPTION} must say project or group: one of them.")
    client, url = run.share(_client, options["connection"])
    (kind, name), *_none = owners
    manager = client.projects if kind == "project" else client.groups
    return GitlabVariable(
        manager.get(name, lazy=True).variables,
        url,
        (kind, name),
        options["key"],
        options["environment_scope"],
        masked=options["masked"],
        protected=options["protected"],
    )


def _client(_run: RunContext, connection: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a client, and the server's URL."""
    check_library("python-gitlab", "4.0.0", _unusable, module="gitlab")
    check_connection(_OPTION, connection, ("api_token", "api_oauth_token", "api_job_token"))
    token, oauth_token = connection.get("api_token"), connection.get("api_oauth_token")
    if not token and not oauth_token:
        token = os.environ.get("GITLAB_TOKEN")
    job_token = os.environ.get("CI_JOB_TOKEN")
    if connection.get("api_job_token") or (job_token and job_token in (token, oauth_token)):
        raise InvalidInputError(_JOB_TOKEN)
    if not token and not oauth_token:
        why = " A job's own CI_JOB_TOKEN may not set variables." if job_token else ""
        raise InvalidInputError(
            f"{_OPTION}.connection needs an api_token, or the environment GITLAB_TOKEN, with the scope api "
            f"and the role Maintainer of the project, or Owner of the group.{why}"
        )
    url = str(connection.get("api_url") or os.environ.get("CI_SERVER_URL") or "https://gitlab.com").rstrip(
        "/"
    )
    try:
        client = gitlab.Gitlab(
            url,
            private_token=token and str(token),
            oauth_token=oauth_token and str(oauth_token),
            timeout=_TIMEOUT,
            ssl_verify=tls_verification(connection),
            keep_base_url=True,
        )
    except Exception as error:  # noqa: BLE001 - of an address that is none
        raise not_connected(
            "GitLab", without_secrets(reason_of(error), connection), InvalidInputError
        ) from None
    return client, url
