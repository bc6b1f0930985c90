# SPDX-License-Identifier: GPL-3.0-or-later
"""A key of a Secret of Kubernetes.

kubernetes.core resolves the connection; the client of Kubernetes does the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils.core.errors import (
    EchoValueError,
    InvalidInputError,
    StoreError,
)
from ...module_utils.locked_directory import NOTHING_MINTED
from ..controller import (
    Controller,
    missing_collection,
    missing_library,
    not_connected,
    without_secrets,
)
from .spooled import (
    REHEARSAL,
    Driver,
    overtaken,
    refused,
    unwritable,
)

try:
    import kubernetes
    import urllib3
    from kubernetes.config import kube_config
except ImportError:
    kubernetes = None
try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
except ImportError:
    get_api_client = None

_MANAGER = "Kubernetes"
_TIMEOUT = 30.0  # seconds for one answer


def open_place(options: Mapping[str, Any], controller: Controller) -> SecretKey:
    """Return the key that the options name, over a client for the connection."""
    api, cluster = controller.share(_client, options["connection"])
    return SecretKey(api, cluster, options["namespace"], options["name"], options["key"])


class SecretKey(Driver):
    """A `Driver`: the resource version, or the creation, decides between two who write at once."""

    def __init__(self, api: Any, cluster: tuple[str, ...], namespace: str, name: str, key: str) -> None:
        self._api = api
        self._where = {"namespace": namespace, "_request_timeout": _TIMEOUT}
        self._name = name
        self._found: Any = None
        self.key = key
        self.secret = ("kubernetes", *cluster, namespace, name)
        self.words = f"key {key} of Secret {namespace}/{name} at {cluster[0]}"

    def read(self) -> str | None:
        """Return the decoded value of the key."""
        with self._told("read"):
            try:
                self._found = self._api.read_namespaced_secret(self._name, **self._where)
            except kubernetes.client.ApiException as error:
                if error.status != 404:
                    raise
                self._found = None
        value = ((self._found and self._found.data) or {}).get(self.key)
        try:
            return None if value is None else b64decode(value).decode("utf-8")
        except ValueError:
            raise StoreError(f"{self.words} is not text.", NOTHING_MINTED) from None

    def check_writable(self) -> None:
        """Let the server rehearse the very write; refuse a Secret that will not stay."""
        if self._found is not None:
            if self._found.immutable:
                raise unwritable(self, "the Secret is immutable")
            if self._found.metadata.deletion_timestamp or self._namespace_is_terminating():
                raise unwritable(self, "the Secret is being deleted")
        self._set(REHEARSAL, dry_run="All")

    def write(self, token: str) -> None:
        """Set the key, if the Secret is still the version that was read."""
        self._set(token)

    def remove(self) -> None:
        """Take the key away, under the same condition."""
        self._set(None)

    def _namespace_is_terminating(self) -> bool:
        """Whether all in the namespace is about to go, as far as the login may see."""
        with suppress(kubernetes.client.ApiException, urllib3.exceptions.HTTPError):
            found = self._api.read_namespace(self._where["namespace"], _request_timeout=_TIMEOUT)
            return bool(found.metadata.deletion_timestamp)
        return False

    def _set(self, value: str | None, **options: str) -> None:
        data = {self.key: None if value is None else b64encode(value.encode("ascii")).decode("ascii")}
        with self._told("written"):
            if self._found is None:
                body = {"metadata": {"name": self._name}, "data": data}
                self._api.create_namespaced_secret(body=body, **self._where, **options)
            else:
                version = {"resourceVersion": self._found.metadata.resource_version}
                self._api.patch_namespaced_secret(
                    self._name,
                    body={"metadata": version, "data": data},
                    _content_type="application/merge-patch+json",
                    **self._where,
                    **options,
                )

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Let what the client raises be a StoreError; the server's own words tell what is not allowed."""
        try:
            yield
        except kubernetes.client.ApiException as error:
            if error.status == 409:
                raise overtaken(self) from None
            raise refused(self, done, _reason(error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise refused(self, done, _reason(error)) from None


def _client(controller: Controller, connection: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Return an API client for a connection as of kubernetes.core, and what tells its cluster from others."""
    if get_api_client is None:
        raise missing_collection("kubernetes.core")
    if kubernetes is None:
        raise missing_library("kubernetes")
    checked = ArgumentSpecValidator(AUTH_ARG_SPEC).validate(dict(connection))
    if checked.error_messages:
        raise not_connected(
            _MANAGER, without_secrets(" ".join(checked.error_messages), connection), InvalidInputError
        )
    given = {name: value for name, value in checked.validated_parameters.items() if value is not None}
    kubeconfig = given.get("kubeconfig")
    if not kubeconfig:
        # The client read KUBECONFIG when it was imported, perhaps before this task named another one.
        kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    elif isinstance(kubeconfig, str):
        kubeconfig = os.pathsep.join(
            path if os.path.exists(os.path.expanduser(path)) else controller.find_path(path)
            for path in kubeconfig.split(os.pathsep)
        )
    given["kubeconfig"] = kubeconfig
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = "~/.kube/config"  # after the account of a pod
    kubernetes.client.Configuration.set_default(None)  # else another connection's would shine through
    try:
        api = _in_time(lambda: get_api_client(**given).client.client)
        configuration = api.configuration
        authority = configuration.ssl_ca_cert
        cluster = (
            configuration.host,
            # The same address may lead to two clusters, by a proxy or a tunnel.
            configuration.proxy or "",
            hashlib.sha256(Path(authority).read_bytes()).hexdigest() if authority else "",
        )
    except EchoValueError:
        raise
    except Exception as error:  # noqa: BLE001 - of reading a kubeconfig, a login's program, the first requests
        raise not_connected(_MANAGER, without_secrets(_reason(error), connection)) from None
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
    thread.join(_TIMEOUT)
    if not made:
        raise not_connected(_MANAGER, f"no answer within {_TIMEOUT:g} s")
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]


def _reason(error: Exception) -> str:
    """Return in a few words why something failed; a parser's own words may quote a secret."""
    if isinstance(error, kubernetes.client.ApiException):
        return f"HTTP {error.status} {error.reason}{_told_by_server(error)}"
    if isinstance(error, urllib3.exceptions.HTTPError):
        return f"no answer: {type(getattr(error, 'reason', None) or error).__name__}"
    if isinstance(error, (kubernetes.config.ConfigException, OSError)):
        return str(error)
    cause = error.__cause__
    return _reason(cause) if isinstance(cause, Exception) else type(error).__name__


def _told_by_server(error: Any) -> str:
    """Return what the server says of who may not do what, or which field is wrong; nothing else."""
    if error.status not in (403, 404, 422):
        return ""
    try:
        return f": {json.loads(error.body)['message']}"
    except (KeyError, TypeError, ValueError):
        return ""
