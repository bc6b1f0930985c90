# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""AWS Secrets Manager: boto3 resolves the connection, whose names are those of amazon.aws."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...module_utils.core.errors import InvalidInputError
from ..places.aws_secretsmanager import JsonKey, reason_of
from .failures import missing_library, not_connected, without_secrets
from .run_context import RunContext

try:
    import boto3
    import botocore.config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    boto3 = None

_SESSION = {
    "region": "region_name",
    "profile": "profile_name",
    "access_key": "aws_access_key_id",
    "secret_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}


def open_place(options: Mapping[str, Any], run: RunContext) -> JsonKey:
    """Return the key that the options name, over a client for the connection."""
    client, account = run.share(_client, options["connection"])
    return JsonKey(client, account, options["name"], options["key"])


def _client(run: RunContext, connection: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a client for a connection as of amazon.aws, and the account that it is logged in to."""
    if boto3 is None:
        raise missing_library("boto3")
    wrong = [name for name in connection if name not in (*_SESSION, "endpoint_url")]
    if wrong:
        raise InvalidInputError(
            f"aws_secretsmanager.connection has options that are not known: {', '.join(map(str, wrong))}."
        )
    wrong = [name for name, value in connection.items() if not isinstance(value, (str, type(None)))]
    if wrong:
        raise InvalidInputError(f"aws_secretsmanager.connection: {', '.join(wrong)} must be text.")
    arguments = {name: str(value) for name, value in connection.items() if value}
    arguments.setdefault("region", os.environ.get("AWS_REGION", ""))  # which boto3 does not read
    endpoint = arguments.pop("endpoint_url", None)
    config = botocore.config.Config(connect_timeout=10, read_timeout=10, retries={"total_max_attempts": 3})
    try:
        session = boto3.session.Session(
            **{_SESSION[name]: value for name, value in arguments.items() if value}
        )
        client = session.client("secretsmanager", endpoint_url=endpoint, config=config)
        return client, _account(session, endpoint, config)
    except (ClientError, BotoCoreError, ValueError) as error:
        raise not_connected("AWS", without_secrets(reason_of(error), connection)) from None


def _account(session: Any, endpoint: str | None, config: Any) -> str:
    """Return the account of the login, by STS at the endpoint; one of Secrets Manager alone has none."""
    try:
        return str(
            session.client("sts", endpoint_url=endpoint, config=config).get_caller_identity()["Account"]
        )
    except (ClientError, BotoCoreError) as error:
        if endpoint is None:
            raise
        try:
            return _account(session, None, config)
        except (ClientError, BotoCoreError) as other:
            raise ValueError(f"{reason_of(error)}, and by AWS's own STS: {reason_of(other)}") from None
