# SPDX-License-Identifier: GPL-3.0-or-later
"""A key of a KV version 2 secret of OpenBao or HashiCorp Vault.

The lookups of community.hashi_vault resolve the connection and log in, by each of their methods; hvac
does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import check_type_bool
from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import (
    ConflictError,
    EchoValueError,
    InvalidInputError,
    StoreError,
)
from ansible_collections.echovalue.cloud.plugins.module_utils.locked_directory import NOTHING_MINTED
from ansible_collections.echovalue.cloud.plugins.plugin_utils.controller import (
    Controller,
    missing_library,
    without_secrets,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.stores.spooled import (
    REHEARSAL,
    Driver,
    overtaken,
    refused,
)

try:
    import hvac
except ImportError:
    hvac = None

_LOGIN = "community.hashi_vault.vault_login"
_READ = "community.hashi_vault.vault_read"


def open_place(options: Mapping[str, Any], controller: Controller) -> HashiVaultKey:
    """Return the key that the options name, over a client that the connection is logged in with."""
    client = controller.share(_client, options["connection"])
    return HashiVaultKey(client, options["mount"].strip("/"), options["path"].strip("/"), options["key"])


class HashiVaultKey(Driver):
    """A `Driver`: check-and-set decides between two who write at once."""

    keeps_versions = True

    def __init__(self, client: Any, mount: str, path: str, key: str) -> None:
        self._client = client
        self._mount = mount
        self._path = path
        self.key = key
        self._data: dict[str, Any] = {}
        self._version = 0
        url, namespace = client.adapter.base_uri.rstrip("/"), (client.adapter.namespace or "").strip("/")
        self.secret = ("hashi_vault", url, namespace, mount, path)
        within = f" in namespace {namespace}" if namespace else ""
        self.words = f"key {key} of {mount}/{path}{within} at {url}"

    def read(self) -> str | None:
        """Return the value of the key; a deleted secret has a version, and no keys."""
        with self._told("read"):
            try:
                secret = self._client.secrets.kv.v2.read_secret_version(
                    path=self._path, mount_point=self._mount, raise_on_deleted_version=False
                )["data"]
            except hvac.exceptions.InvalidPath:
                secret = {}
        self._data = secret.get("data") or {}
        self._version = (secret.get("metadata") or {}).get("version", 0)
        value = self._data.get(self.key)
        if value is not None and not isinstance(value, str):
            raise StoreError(f"{self.words} is not text.", NOTHING_MINTED)
        return value

    def check_writable(self) -> None:
        """Make sure that the mount is KV version 2, and that this login may write the secret."""
        path = f"{self._mount}/data/{self._path}"
        with self._told("asked about"):
            mount = self._client.read(f"sys/internal/ui/mounts/{self._mount}")["data"]
            may = self._client.sys.get_capabilities([path])
        if mount.get("type") != "kv" or (mount.get("options") or {}).get("version") != "2":
            raise StoreError(f"What is mounted at {self._mount} is not KV version 2.", NOTHING_MINTED)
        needed = "update" if self._version else "create"
        granted = may.get("data", may).get("capabilities") or []
        if not {needed, "root"} & set(granted):
            raise StoreError(
                f"This login may not write {path}: its policy must allow {needed} there.", NOTHING_MINTED
            )

    def write(self, token: str) -> None:
        """Set the key, if the secret is still at the version that was read."""
        self._put({**self._data, self.key: token})

    def remove(self) -> None:
        """Take the key away, under the same condition."""
        self._put({name: value for name, value in self._data.items() if name != self.key})

    def _put(self, data: dict[str, Any]) -> None:
        with self._told("written"):
            try:
                self._client.secrets.kv.v2.create_or_update_secret(
                    path=self._path, secret=data, cas=self._version, mount_point=self._mount
                )
                return
            except hvac.exceptions.InvalidRequest as error:
                refused = error
        seen = self._version
        self.read()
        if self._version != seen:
            raise ConflictError(f"{self.words} was changed by somebody else meanwhile.")
        with self._told("written"):
            raise refused

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Let what hvac and requests raise be a StoreError; their texts may hold a URL alone."""
        try:
            yield
        except hvac.exceptions.VaultError as error:
            why = " ".join(" ".join(map(str, error.errors or [])).split()) or type(error).__name__
        except requests.RequestException as error:
            why = f"no answer: {type(error).__name__}"
        else:
            return
        raise StoreError(f"{self.words} could not be {done} ({why}).", "What is there is as it was.")


def _client(controller: Controller, connection: Mapping[str, Any]) -> Any:
    """Return a client of hvac for a connection as of community.hashi_vault, logged in."""
    if hvac is None:
        raise missing_library("hvac")
    lookup = controller.lookup(_LOGIN)
    unknown = sorted(set(connection) - set(lookup.option_definitions))
    if unknown:
        raise InvalidInputError(
            f"hashi_vault.connection has options that {_LOGIN} does not know: {', '.join(unknown)}."
        )
    try:
        lookup.set_options(direct=dict(connection), var_options=controller.variables)
    except AnsibleError as error:
        raise _refused(InvalidInputError, without_secrets(error, connection)) from None
    try:
        anonymous = lookup.get_option("auth_method") == "none"
        if anonymous:
            lookup = controller.lookup(_READ)
            lookup.run(["sys/internal/ui/mounts"], controller.variables, **connection)
        else:
            (answer,) = lookup.run([], controller.variables, **connection)
        return hvac.Client(
            url=lookup.get_option("url"),
            token="" if anonymous else answer["auth"]["client_token"],
            namespace=lookup.get_option("namespace"),
            verify=_verify(lookup),
            proxies=lookup.get_option("proxies"),
            timeout=lookup.get_option("timeout") or 30,
        )
    except (TypeError, ValueError) as error:
        raise _refused(InvalidInputError, without_secrets(error, connection)) from None
    except AnsibleError as error:
        raise _refused(StoreError, without_secrets(error, connection)) from None
    except Exception as error:  # noqa: BLE001 - of a login method's own library
        raise _refused(StoreError, type(error).__name__) from None


def _refused(kind: type[EchoValueError], why: str) -> EchoValueError:
    return kind(f"OpenBao or Vault did not take the connection: {why.rstrip('.')}.", NOTHING_MINTED)


def _verify(lookup: Any) -> bool | str:
    """Return how the server's certificate is checked, as the lookup itself works it out."""
    validate = lookup.get_option("validate_certs")
    if validate is None:
        try:
            validate = not check_type_bool(os.environ.get("VAULT_SKIP_VERIFY", "false"))
        except TypeError:
            validate = True
    return validate and (lookup.get_option("ca_cert") or True)
