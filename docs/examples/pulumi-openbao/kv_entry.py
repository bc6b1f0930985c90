# SPDX-License-Identifier: BSD-2-Clause
"""One key of an OpenBao or HashiCorp Vault KV version 2 secret, as a Pulumi resource.

It serves where the provider of pulumi_vault cannot be had; with it, `vault.kv.SecretV2` does the
same. `VAULT_ADDR` and `VAULT_TOKEN` say where and who, so that neither is in the state.
"""

import os
from typing import Any

import hvac
import pulumi
from hvac.exceptions import InvalidPath
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class KvEntryProvider(ResourceProvider):
    """Stateless, so that the state refers to it by its name alone."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        _write(props, props["value"])
        return CreateResult(f"{props['mount']}/{props['path']}#{props['key']}", props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        replaces = [name for name in ("mount", "path", "key") if olds[name] != news[name]]
        return DiffResult(changes=bool(replaces) or olds["value"] != news["value"], replaces=replaces)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _write(news, news["value"])
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        _write(props, None)


def _write(props: dict[str, Any], value: str | None) -> None:
    """Set or remove the key; other keys stay, and a write by somebody else in between is refused."""
    kv = hvac.Client(os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"]).secrets.kv.v2
    place = {"mount_point": props["mount"], "path": props["path"]}
    try:
        found = kv.read_secret_version(**place, raise_on_deleted_version=True)["data"]
        data, version = found["data"], found["metadata"]["version"]
    except InvalidPath:
        data, version = {}, 0
    data = {name: text for name, text in data.items() if name != props["key"]}
    if value is not None:
        data[props["key"]] = value
    kv.create_or_update_secret(secret=data, cas=version, **place)


class KvEntry(Resource, module="openbao", name="KvEntry"):
    """Keeps `value`, a secret, in `key` of the secret at `path`."""

    def __init__(
        self,
        name: str,
        *,
        mount: str,
        path: str,
        key: str,
        value: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"mount": mount, "path": path, "key": key, "value": pulumi.Output.secret(value)}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(KvEntryProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
