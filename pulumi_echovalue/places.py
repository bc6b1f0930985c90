# SPDX-License-Identifier: BSD-2-Clause
"""Where a `Token` can be stored that is in no state: exactly one of the places, with its options.

A relative path is refused, for where a program runs is not fixed. `connection` takes names only: a login
comes from where the store's own tools take it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi


class _SopsFile(TypedDict):
    file: pulumi.Input[str]


class SopsPlace(_SopsFile, total=False):
    """A key of a SOPS file: `key` is `echovalue_token` by default, dots lead into mappings."""

    key: pulumi.Input[str]


class HashiVaultConnection(TypedDict, total=False):
    """Which OpenBao or Vault, instead of `VAULT_ADDR` and `VAULT_NAMESPACE`."""

    url: pulumi.Input[str]
    namespace: pulumi.Input[str]


class _HashiVaultPath(TypedDict):
    path: pulumi.Input[str]


class HashiVaultPlace(_HashiVaultPath, total=False):
    """A key of a KV version 2 secret of OpenBao or Vault: `mount` is `secret`, `key` is `token` by default.

    The login is `VAULT_TOKEN`, else `~/.vault-token`. A new secret gets the `custom_metadata`.
    """

    mount: pulumi.Input[str]
    key: pulumi.Input[str]
    custom_metadata: Mapping[str, pulumi.Input[str]]
    connection: HashiVaultConnection


class KubernetesConnection(TypedDict, total=False):
    """Which cluster, instead of that of KUBECONFIG or of the pod: an absolute path, and a context in it."""

    kubeconfig: pulumi.Input[str]
    context: pulumi.Input[str]


class _SecretName(TypedDict):
    name: pulumi.Input[str]


class KubernetesPlace(_SecretName, total=False):
    """A key of a Secret: `namespace` is `default`, `key` is `token` by default.

    A new one gets the `labels` and `annotations`.
    """

    namespace: pulumi.Input[str]
    key: pulumi.Input[str]
    labels: Mapping[str, pulumi.Input[str]]
    annotations: Mapping[str, pulumi.Input[str]]
    connection: KubernetesConnection


class AwsConnection(TypedDict, total=False):
    """Which region, profile or endpoint, instead of those of AWS's chain."""

    region: pulumi.Input[str]
    profile: pulumi.Input[str]
    endpoint_url: pulumi.Input[str]


class AwsSecretsManagerPlace(_SecretName, total=False):
    """A key of the JSON object in a secret of AWS Secrets Manager: `key` is `token` by default.

    A new one gets the `tags`, the `kms_key_id` and the `description`.
    """

    key: pulumi.Input[str]
    tags: Mapping[str, pulumi.Input[str]]
    kms_key_id: pulumi.Input[str]
    description: pulumi.Input[str]
    connection: AwsConnection


class _Argv(TypedDict):
    argv: Sequence[pulumi.Input[str]]


class CommandPlace(_Argv, total=False):
    """A program: with the argument `get` it prints the token or nothing, with `store` it reads it.

    `timeout` is 30 seconds by default; `id` distinguishes what `argv` does not.
    """

    timeout: pulumi.Input[float]
    id: pulumi.Input[str]


class Place(TypedDict, total=False):
    """Exactly one of the places; `path` is a file on the machine that runs the engine."""

    path: pulumi.Input[str]
    sops: SopsPlace
    hashi_vault: HashiVaultPlace
    kubernetes: KubernetesPlace
    aws_secretsmanager: AwsSecretsManagerPlace
    command: CommandPlace
