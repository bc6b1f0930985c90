# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""OpenBao and HashiCorp Vault: the lookups of community.hashi_vault resolve the connection and log in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import check_type_bool

from ...module_utils.core.errors import EchoValueError, InvalidInputError
from ..failures import missing_library, not_connected, without_secrets
from ..places.hashi_vault import HashiVaultKey
from ..run_context import RunContext

try:
    import hvac
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry
except ImportError:
    hvac = None

_MANAGER = "OpenBao or Vault"
_LOGIN = "community.hashi_vault.vault_login"
_READ = "community.hashi_vault.vault_read"
# What hvac reads once, when it is imported, perhaps before this task sets it.
_READ_AT_IMPORT = ("VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY")


def open_place(options: Mapping[str, Any], run: RunContext) -> HashiVaultKey:
    """Return the key that the options name, over a client that the connection is logged in with."""
    client = run.share(_client, options["connection"])
    return HashiVaultKey(client, options["mount"].strip("/"), options["path"].strip("/"), options["key"])


def _client(run: RunContext, connection: Mapping[str, Any]) -> Any:
    """Return a client of hvac for a connection as of community.hashi_vault, logged in."""
    if hvac is None:
        raise missing_library("hvac")
    vars(hvac.v1).update({name: os.environ.get(name) for name in _READ_AT_IMPORT})
    lookup = run.lookup(_LOGIN)
    unknown = sorted(set(connection) - set(lookup.option_definitions))
    if unknown:
        raise InvalidInputError(
            f"hashi_vault.connection has options that {_LOGIN} does not know: {', '.join(unknown)}."
        )
    try:
        try:
            lookup.set_options(direct=dict(connection), var_options=run.variables)
        except AnsibleError as error:
            raise not_connected(_MANAGER, without_secrets(error, connection), InvalidInputError) from None
        anonymous = lookup.get_option("auth_method") == "none"
        if anonymous:
            lookup = run.lookup(_READ)
            lookup.run(["sys/internal/ui/mounts"], run.variables, **connection)
        else:
            (answer,) = lookup.run([], run.variables, **connection)
        client = hvac.Client(
            url=lookup.get_option("url"),
            token="" if anonymous else answer["auth"]["client_token"],
            namespace=lookup.get_option("namespace"),
            verify=_verify(lookup),
            proxies=lookup.get_option("proxies"),
            timeout=lookup.get_option("timeout") or 30,
        )
        retries = lookup.get_option("retries")  # which the lookup has made a dict
        if retries:
            client.session.mount(
                "http", HTTPAdapter(max_retries=Retry(**{"raise_on_status": False, **retries}))
            )
        return client
    except EchoValueError:
        raise
    except (TypeError, ValueError) as error:
        raise not_connected(_MANAGER, without_secrets(error, connection), InvalidInputError) from None
    except AnsibleError as error:
        raise not_connected(_MANAGER, without_secrets(error, connection)) from None
    except requests.RequestException as error:
        raise not_connected(_MANAGER, f"no answer: {type(error).__name__}") from None
    except Exception as error:  # noqa: BLE001 - of a login method's own library
        raise not_connected(_MANAGER, type(error).__name__) from None


def _verify(lookup: Any) -> bool | str:
    """Return how the server's certificate is checked, as the lookup itself works it out."""
    validate = lookup.get_option("validate_certs")
    if validate is None:
        try:
            validate = not check_type_bool(os.environ.get("VAULT_SKIP_VERIFY", "false"))
        except TypeError:
            validate = True
    return validate and (lookup.get_option("ca_cert") or True)
