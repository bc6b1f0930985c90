# SPDX-License-Identifier: BSD-2-Clause
"""OpenBao and HashiCorp Vault: hvac, with the address and the login that `vault` and `bao` use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._shared.module_utils.places.hashi_vault import HASHI_VAULT
from .._shared.plugin_utils.places.driver import Driver
from .._shared.plugin_utils.places.hashi_vault import HashiVaultKey
from .._shared.plugin_utils.places.libraries import check_library, not_connected
from .opened import Resolved, shared

_unusable: Exception | None = None
try:
    import hvac
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error

_MANAGER = "OpenBao or Vault"
_TIMEOUT = 30  # seconds for one answer
_FALSE = ("", "0", "f", "false", "n", "no", "off")


def open_driver(options: Mapping[str, Any]) -> tuple[Driver, Resolved]:
    """Return the key that the options name. Raises StoreError; no request is sent."""
    check_library("hvac", "1.2.1", _unusable, requirement="'pulumi-echovalue[hashi-vault]'")
    client = shared(_client, options["connection"], _token())
    mount, path = options["mount"].strip("/"), options["path"].strip("/")
    key = HashiVaultKey(client, mount, path, options["key"], HASHI_VAULT.creation(options))
    _kind, server, namespace, *_path = key.secret
    return key, {"server": server, "namespace": namespace}


def _client(connection: Mapping[str, Any]) -> Any:
    url = connection.get("url") or os.environ.get("VAULT_ADDR")
    if not url:
        raise not_connected(_MANAGER, "no address: set VAULT_ADDR, or connection.url")
    if not _token():
        raise not_connected(_MANAGER, "no login: set VAULT_TOKEN, or log in, as by `bao login`")
    certificate, key = os.environ.get("VAULT_CLIENT_CERT"), os.environ.get("VAULT_CLIENT_KEY")
    authority = os.environ.get("VAULT_CACERT") or os.environ.get("VAULT_CAPATH")
    unverified = os.environ.get("VAULT_SKIP_VERIFY", "").lower() not in _FALSE
    return hvac.Client(
        url=url,
        token=_token(),
        namespace=connection.get("namespace") or os.environ.get("VAULT_NAMESPACE") or None,
        cert=(certificate, key) if certificate and key else None,
        verify=not unverified and (authority or True),
        timeout=_TIMEOUT,
    )


def _token() -> str:
    """Return the token of the login, "" where there is none."""
    found = os.environ.get("VAULT_TOKEN", "")
    with suppress(OSError, ValueError, RuntimeError):
        found = found or Path("~/.vault-token").expanduser().read_text("utf-8")
    return found.strip()
