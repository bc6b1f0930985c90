# SPDX-License-Identifier: BSD-2-Clause
"""AWS Secrets Manager: boto3, with the chain of logins that `aws` uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._shared.module_utils.places.aws_secretsmanager import AWS_SECRETSMANAGER
from .._shared.plugin_utils.places.aws_secretsmanager import (
    JsonKey,
    account_in,
    account_of,
    reason_of,
    service_of,
)
from .._shared.plugin_utils.places.driver import Driver
from .._shared.plugin_utils.places.libraries import check_library, not_connected
from .opened import Resolved, shared

_unusable: Exception | None = None
try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error


def open_driver(options: Mapping[str, Any]) -> tuple[Driver, Resolved]:
    """Return the key that the options name. Raises StoreError.

    STS is called once for the account of the login, but for a secret that is named by its ARN.
    """
    check_library("boto3", "1.28.0", _unusable, requirement="'pulumi-echovalue[aws]'")
    connection, name = options["connection"], options["name"]
    client = shared(_client, connection)
    account = account_in(name) or shared(_account, connection)
    key = JsonKey(client, account, name, options["key"], AWS_SECRETSMANAGER.creation(options))
    _kind, account, region, endpoint, _name = key.secret
    return key, {"account": account, "region": region, "endpoint": endpoint}


def _session(connection: Mapping[str, Any]) -> Any:
    region = connection.get("region") or os.environ.get("AWS_REGION")  # which boto3 does not read
    return boto3.session.Session(region_name=region, profile_name=connection.get("profile"))


def _client(connection: Mapping[str, Any]) -> Any:
    try:
        session = shared(_session, connection)
        return service_of(session, "secretsmanager", connection.get("endpoint_url"))
    except (ClientError, BotoCoreError, ValueError) as error:
        raise not_connected("AWS", reason_of(error)) from None


def _account(connection: Mapping[str, Any]) -> str:
    return account_of(shared(_session, connection), connection.get("endpoint_url"))
