# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a Secret of Kubernetes, by the client of Kubernetes."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from .driver import REHEARSAL, Driver, conflict, refused, unwritable

with suppress(Exception):  # of a library that is not there, or broken: who opens the place reports it
    import kubernetes
    import urllib3

TIMEOUT = 30.0  # seconds for one answer


class SecretKey(Driver):
    """A `Driver`: the resource version, or the creation, decides between two who write at once."""

    def __init__(
        self,
        api: Any,
        cluster: tuple[str, ...],
        namespace: str,
        name: str,
        key: str,
        creation: Mapping[str, Any] | None = None,
    ) -> None:
        self._api = api
        self._where = {"namespace": namespace, "_request_timeout": TIMEOUT}
        self._name = name
        self._creation = creation or {}  # labels and annotations of a new Secret
        self._found: Any = None
        self.key = key
        self.secret = ("kubernetes", *cluster, namespace, name)
        self.words = f"key {key} of Secret {namespace}/{name} at {cluster[0]}"

    def read(self) -> str | None:
        """Return the decoded value of the key."""
        with self._translate_errors("read"):
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
            found = self._api.read_namespace(self._where["namespace"], _request_timeout=TIMEOUT)
            return bool(found.metadata.deletion_timestamp)
        return False

    def _set(self, value: str | None, **options: str) -> None:
        data = {self.key: None if value is None else b64encode(value.encode("ascii")).decode("ascii")}
        with self._translate_errors("written"):
            if self._found is None:
                body = {"metadata": {**self._creation, "name": self._name}, "data": data}
                self._api.create_namespaced_secret(body=body, **self._where, **options)
            else:
                version = {"resourceVersion": self._found.metadata.resource_version}
                self._api.patch_namespaced_secret(
                    self._name,
                    body={"metadata": version, "data": data},
                    **self._where,
                    **options,
                )

    @contextmanager
    def _translate_errors(self, done: str) -> Iterator[None]:
        """Let what the client raises be a StoreError; the server's own words say what is not allowed."""
        try:
            yield
        except kubernetes.client.ApiException as error:
            if error.status == 409:
                raise conflict(self) from None
            raise refused(self, done, reason_of(error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise refused(self, done, reason_of(error)) from None


def cluster_of(configuration: Any) -> tuple[str, str, str]:
    """Return what distinguishes the cluster that a client's configuration leads to from every other.

    The same address may lead to two clusters, by a proxy or a tunnel: so the proxy, and the sha256 of the
    certificate authority, are in it. Raises OSError.
    """
    authority = configuration.ssl_ca_cert
    digest = hashlib.sha256(Path(authority).read_bytes()).hexdigest() if authority else ""
    return configuration.host, configuration.proxy or "", digest


def reason_of(error: Exception) -> str:
    """Return in a few words why something failed; a parser's own words may quote a secret."""
    if isinstance(error, kubernetes.client.ApiException):
        return f"HTTP {error.status} {error.reason}{_server_message(error)}"
    if isinstance(error, urllib3.exceptions.HTTPError):
        return f"no answer: {type(getattr(error, 'reason', None) or error).__name__}"
    if isinstance(error, (kubernetes.config.ConfigException, OSError)):
        return str(error)
    cause = error.__cause__
    return reason_of(cause) if isinstance(cause, Exception) else type(error).__name__


def _server_message(error: Any) -> str:
    """Return what the server says of who may not do what, or which field is wrong; nothing else."""
    if error.status not in (403, 404, 422):
        return ""
    try:
        return f": {json.loads(error.body)['message']}"
    except (KeyError, TypeError, ValueError):
        return ""
