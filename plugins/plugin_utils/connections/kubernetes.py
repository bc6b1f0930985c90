# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Kubernetes: kubernetes.core resolves the connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Callable

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils.core.errors import EchoValueError, InvalidInputError
from ...module_utils.places.kubernetes import KUBERNETES
from ..places.kubernetes import TIMEOUT, SecretKey, cluster_of, reason_of
from ..places.libraries import check_library, not_connected
from .failures import check_collection, without_secrets
from .run_context import RunContext

_unusable: Exception | None = None
try:
    import kubernetes
    from kubernetes.config import kube_config
except Exception as error:  # noqa: BLE001 - a broken library raises anything
    _unusable = error
try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
except Exception:  # noqa: BLE001 - not installed, too old, or broken: `_client` finds out which
    get_api_client = None

_MANAGER = "Kubernetes"


def open_place(options: Mapping[str, Any], run: RunContext) -> SecretKey:
    """Return the key that the options name, over a client for the connection."""
    api, cluster = run.share(_client, options["connection"])
    creation = KUBERNETES.creation(options)
    return SecretKey(api, cluster, options["namespace"], options["name"], options["key"], creation)


def _client(run: RunContext, connection: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Return an API client for a connection as of kubernetes.core, and what identifies its cluster."""
    check_library("kubernetes", "24.2.0", _unusable)
    check_collection("kubernetes.core", "5.0.0")
    if get_api_client is None:
        raise not_connected(_MANAGER, "the collection kubernetes.core is broken")
    checked = ArgumentSpecValidator(AUTH_ARG_SPEC).validate(dict(connection))
    if checked.error_messages:
        raise not_connected(
            _MANAGER, without_secrets(" ".join(checked.error_messages), connection), InvalidInputError
        )
    arguments = {name: value for name, value in checked.validated_parameters.items() if value is not None}
    kubeconfig = arguments.get("kubeconfig")
    if not kubeconfig:
        # The client read KUBECONFIG when it was imported, perhaps before this task named another one.
        kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    elif isinstance(kubeconfig, str):
        kubeconfig = os.pathsep.join(
            path if os.path.exists(os.path.expanduser(path)) else run.find_path(path)
            for path in kubeconfig.split(os.pathsep)
        )
    arguments["kubeconfig"] = kubeconfig
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = "~/.kube/config"  # after the account of a pod
    kubernetes.client.Configuration.set_default(None)  # else another connection's would shine through
    try:
        api = _in_time(lambda: get_api_client(**arguments).client.client)
        cluster = cluster_of(api.configuration)
    except EchoValueError:
        raise
    except Exception as error:  # noqa: BLE001 - of reading a kubeconfig, a login's program, the first requests
        raise not_connected(_MANAGER, without_secrets(reason_of(error), connection)) from None
    return kubernetes.client.CoreV1Api(api), cluster


def _in_time(make: Callable[[], Any]) -> Any:
    """Return what `make` returns: kubernetes.core sets no time-out for its first requests."""
    made: list[Any] = []

    def run() -> None:
        try:
            made.append(make())
        except Exception as error:  # noqa: BLE001 - raised below
            made.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if not made:
        raise not_connected(_MANAGER, f"no answer within {TIMEOUT:g} s")
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]
