# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""OpenBao and HashiCorp Vault: the lookups of community.hashi_vault resolve the connection and log in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleError

from ...module_utils.core.errors import EchoValueError, InvalidInputError
from ...module_utils.places.hashi_vault import HASHI_VAULT
from ..places.hashi_vault import HashiVaultKey, reason_of
from ..places.libraries import check_library, not_connected
from .failures import check_collection, without_secrets
from .run_context import RunContext

_unusable: Exception | None = None
try:
    import hvac
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error

_MANAGER = "OpenBao or Vault"
_LOGIN = "community.hashi_vault.vault_login"
_TIMEOUT = 30  # seconds for one answer, where the connection names none
# What hvac reads once, when it is imported, perhaps before this task sets it.
_READ_AT_IMPORT = ("VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY")


def open_place(options: Mapping[str, Any], run: RunContext) -> HashiVaultKey:
    """Return the key that the options name, over a client that the connection is logged in with."""
    client = run.share(_client, options["connection"])
    mount, path = options["mount"].strip("/"), options["path"].strip("/")
    return HashiVaultKey(client, mount, path, options["key"], HASHI_VAULT.creation(options))


def _client(run: RunContext, connection: Mapping[str, Any]) -> Any:
    """Return a client of hvac for a connection as of community.hashi_vault, logged in."""
    check_library("hvac", "1.2.1", _unusable)
    check_collection("community.hashi_vault", "6.2.0")
    vars(hvac.v1).update({name: os.environ.get(name) for name in _READ_AT_IMPORT})
    lookup = run.find_lookup(_LOGIN)
    _set_options(lookup, run, connection)
    with _translate_errors(connection):
        token = _login(lookup, run, connection)
        options = lookup.connection_options.get_hvac_connection_options()
        return hvac.Client(**{"timeout": _TIMEOUT, **options}, token=token)


def _set_options(lookup: Any, run: RunContext, connection: Mapping[str, Any]) -> None:
    """Let the lookup take the connection's options. Raises InvalidInputError."""
    unknown = sorted(set(connection) - set(lookup.option_definitions))
    if unknown:
        raise InvalidInputError(
            f"hashi_vault.connection has options that {_LOGIN} does not know: {', '.join(unknown)}."
        )
    try:
        lookup.set_options(direct=dict(connection), var_options=run.variables)
    except AnsibleError as error:
        raise not_connected(_MANAGER, without_secrets(error, connection), InvalidInputError) from None


def _login(lookup: Any, run: RunContext, connection: Mapping[str, Any]) -> str:
    """Return the token of a login; "" where an agent has one."""
    if lookup.get_option("auth_method") == "none":
        lookup.connection_options.process_connection_options()  # as a login does
        return ""
    options = dict(connection)
    _validate, origin = lookup.get_option_and_origin("token_validate", hostvars=run.variables)
    if "token_validate" not in connection and origin == "default":
        options["token_validate"] = (
            False  # it needs one more right; the lookups that read a secret leave it out too
        )
    (answer,) = lookup.run([], run.variables, **options)
    return str(answer["auth"]["client_token"])


@contextmanager
def _translate_errors(connection: Mapping[str, Any]) -> Iterator[None]:
    """Let what the lookup and hvac raise be InvalidInputError or StoreError."""
    try:
        yield
    except EchoValueError:
        raise
    except (TypeError, ValueError) as error:
        raise not_connected(_MANAGER, without_secrets(error, connection), InvalidInputError) from None
    except AnsibleError as error:
        raise not_connected(_MANAGER, without_secrets(error, connection)) from None
    except Exception as error:  # noqa: BLE001 - of hvac, requests, or a login method's own library
        raise not_connected(_MANAGER, without_secrets(reason_of(error), connection)) from None
