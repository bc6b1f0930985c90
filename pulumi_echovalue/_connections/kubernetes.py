# SPDX-License-Identifier: BSD-2-Clause
"""Kubernetes: its own client, with the kubeconfig that `kubectl` uses, else the account of the pod."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._shared.module_utils.places.kubernetes import KUBERNETES
from .._shared.plugin_utils.places.driver import Driver
from .._shared.plugin_utils.places.kubernetes import SecretKey, cluster_of, reason_of
from .._shared.plugin_utils.places.libraries import check_library, not_connected
from .opened import Resolved, shared

_unusable: Exception | None = None
try:
    import kubernetes
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error

_DEFAULT = "~/.kube/config"


def open_driver(options: Mapping[str, Any]) -> tuple[Driver, Resolved]:
    """Return the key that the options name. Raises StoreError; no request of ours is sent."""
    check_library("kubernetes", "24.2.0", _unusable, requirement="'pulumi-echovalue[kubernetes]'")
    api, cluster = shared(_client, options["connection"])
    creation = KUBERNETES.creation(options)
    key = SecretKey(api, cluster, options["namespace"], options["name"], options["key"], creation)
    return key, dict(zip(("cluster", "proxy", "authority"), cluster))


def _client(connection: Mapping[str, Any]) -> tuple[Any, tuple[str, str, str]]:
    # The client read KUBECONFIG when it was imported; a program may have set it since.
    named = connection.get("kubeconfig") or os.environ.get("KUBECONFIG")
    context = connection.get("context")
    configuration = kubernetes.client.Configuration()
    try:
        if named or context or os.path.exists(os.path.expanduser(_DEFAULT)):
            kubernetes.config.load_kube_config(
                named or _DEFAULT, context=context, client_configuration=configuration
            )
        else:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
        cluster = cluster_of(configuration)
    except Exception as error:  # noqa: BLE001 - of reading a kubeconfig, or of a login's program
        raise not_connected("Kubernetes", reason_of(error)) from None
    return kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration)), cluster
