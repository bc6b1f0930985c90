# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""AWS Secrets Manager: boto3 resolves the connection, whose names are those of amazon.aws."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...module_utils.core.errors import InvalidInputError, StoreError
from ...module_utils.places.aws_secretsmanager import AWS_SECRETSMANAGER
from ..places.aws_secretsmanager import JsonKey, account_in, account_of, reason_of, service_of
from ..places.libraries import check_library, not_connected
from .failures import without_secrets
from .run_context import RunContext

_unusable: Exception | None = None
try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error

_SESSION = {
    "region": "region_name",
    "profile": "profile_name",
    "access_key": "aws_access_key_id",
    "secret_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}


def open_place(options: Mapping[str, Any], run: RunContext) -> JsonKey:
    """Return the key that the options name, over a client for the connection."""
    connection, name = options["connection"], options["name"]
    client = run.share(_client, connection)
    account = account_in(name) or run.share(_account, connection)
    return JsonKey(client, account, name, options["key"], AWS_SECRETSMANAGER.creation(options))


def _session(_run: RunContext, connection: Mapping[str, Any]) -> Any:
    """Return a session for a connection as of amazon.aws: it logs in once for all services."""
    check_library("boto3", "1.28.0", _unusable)
    wrong = [name for name in connection if name not in (*_SESSION, "endpoint_url")]
    if wrong:
        raise InvalidInputError(
            f"aws_secretsmanager.connection has options that are not known: {', '.join(map(str, wrong))}."
        )
    wrong = [name for name, value in connection.items() if not isinstance(value, (str, type(None)))]
    if wrong:
        raise InvalidInputError(f"aws_secretsmanager.connection: {', '.join(wrong)} must be text.")
    arguments = {name: str(value) for name, value in connection.items() if value and name in _SESSION}
    arguments.setdefault("region", os.environ.get("AWS_REGION", ""))  # which boto3 does not read
    try:
        return boto3.session.Session(**{_SESSION[name]: value for name, value in arguments.items() if value})
    except (ClientError, BotoCoreError, ValueError) as error:
        raise not_connected("AWS", without_secrets(reason_of(error), connection)) from None


def _client(run: RunContext, connection: Mapping[str, Any]) -> Any:
    """Return a client of Secrets Manager."""
    session = run.share(_session, connection)
    try:
        return service_of(session, "secretsmanager", connection.get("endpoint_url"))
    except (ClientError, BotoCoreError, ValueError) as error:
        raise not_connected("AWS", without_secrets(reason_of(error), connection)) from None


def _account(run: RunContext, connection: Mapping[str, Any]) -> str:
    """Return the account of the login."""
    session = run.share(_session, connection)
    try:
        return account_of(session, connection.get("endpoint_url"))
    except StoreError as error:
        raise StoreError(without_secrets(error.args[0], connection), error.advice) from None
