# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of a KV version 2 secret of OpenBao or HashiCorp Vault, by hvac."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ...module_utils.core.errors import NOTHING_MINTED, StoreError, causes_of
from .driver import REHEARSAL, Driver, conflict, refused

with suppress(Exception):  # of a library that is not there, or broken: who opens the place reports it
    import hvac
    import requests

_NEVER = 2**31 - 1  # a version that no secret reaches: check-and-set refuses it after the policy's check
_DEFAULT_VERSIONS = 10  # that a secret keeps where neither it nor its mount says otherwise
_NEEDED = "read, create and update, and the parameter options"
_OF_METADATA = "read, create and update of its metadata, which custom_metadata needs"
_TOO_LONG = "x" * 129  # a name that the server refuses, after the policy's check


class HashiVaultKey(Driver):
    """A `Driver`: check-and-set decides between two who write at once."""

    def __init__(
        self,
        client: Any,
        mount: str,
        path: str,
        key: str,
        creation: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._kv = client.secrets.kv.v2
        self._mount = mount
        self._path = path
        self._custom_metadata = (creation or {}).get("custom_metadata", {})  # of a new secret
        self.key = key
        self._data: dict[str, Any] = {}
        self._version = 0
        self._replaced = 0  # the version before the last write
        url, namespace = client.adapter.base_uri.rstrip("/"), (client.adapter.namespace or "").strip("/")
        self.secret = ("hashi_vault", url, namespace, mount, path)
        within = f" in namespace {namespace}" if namespace else ""
        self.words = f"key {key} of {mount}/{path}{within} at {url}"

    def read(self) -> str | None:
        """Return the value of the key; a deleted or destroyed secret has a version, and no keys."""
        with self._translate_errors("read"):
            try:
                answer = self._kv.read_secret_version(
                    path=self._path, mount_point=self._mount, raise_on_deleted_version=True
                )
            except hvac.exceptions.InvalidPath as error:
                answer = error.json or {}
        if not isinstance(answer, Mapping):
            raise refused(self, "read", "what answered is no OpenBao or Vault")
        secret = answer.get("data") or {}
        self._data = secret.get("data") or {}
        self._version = (secret.get("metadata") or {}).get("version", 0)
        value = self._data.get(self.key)
        if value is not None and not isinstance(value, str):
            raise StoreError(f"{self.words} is not text.", NOTHING_MINTED)
        return value

    def check_writable(self) -> None:
        """Make sure that the mount is KV version 2; rehearse the very write, at a version that never is."""
        with self._translate_errors("read"):
            try:
                mount = (self._client.read(f"sys/internal/ui/mounts/{self._mount}") or {}).get("data") or {}
            except hvac.exceptions.Forbidden:  # the answer for what is not there, too
                mount = {}
        if mount.get("type") != "kv" or (mount.get("options") or {}).get("version") != "2":
            raise StoreError(
                f"What is mounted at {self._mount} is not KV version 2, or this login may not see it.",
                NOTHING_MINTED,
            )
        with self._translate_errors("written"), suppress(hvac.exceptions.InvalidRequest):
            self._put({**self._data, self.key: REHEARSAL}, _NEVER)
        if self._is_to_get_metadata():
            with (
                self._translate_errors("labelled with metadata", _OF_METADATA),
                suppress(hvac.exceptions.InvalidRequest),
            ):
                self._put_metadata({**self._custom_metadata, _TOO_LONG: ""})

    def write(self, token: str) -> None:
        """Set the key, if the secret is still at the version that was read.

        A new secret gets its metadata first: a run that ends there leaves that, and none without it.
        """
        if self._is_to_get_metadata():
            with self._translate_errors("labelled with metadata", _OF_METADATA):
                self._put_metadata(self._custom_metadata)
        self._replace({**self._data, self.key: token}, token)

    def remove(self) -> None:
        """Take the key away, under the same condition."""
        self._replace({name: value for name, value in self._data.items() if name != self.key}, None)

    def read_former(self) -> str | None:
        """Return what the version before the last write holds, if the settings are readable and keep it."""
        secret = self._kv.read_secret_metadata(path=self._path, mount_point=self._mount)["data"]
        mount = self._kv.read_configuration(mount_point=self._mount)["data"]
        for settings in (secret, mount):
            limited = 0 < settings["max_versions"] < _DEFAULT_VERSIONS
            if limited or settings["delete_version_after"] != "0s":
                return None
        former = self._kv.read_secret_version(
            path=self._path,
            version=self._replaced,
            mount_point=self._mount,
            raise_on_deleted_version=True,
        )["data"]
        value = former["data"].get(self.key)
        return None if former["metadata"]["deletion_time"] else value

    def _is_to_get_metadata(self) -> bool:
        """Return whether there is metadata for a secret that is new, also without a version."""
        if not self._custom_metadata or self._version:
            return False
        with self._translate_errors("read", _OF_METADATA):
            try:
                self._kv.read_secret_metadata(path=self._path, mount_point=self._mount)
            except hvac.exceptions.InvalidPath:
                return True
        return False

    def _put_metadata(self, custom_metadata: dict[str, Any]) -> None:
        self._kv.update_metadata(path=self._path, mount_point=self._mount, custom_metadata=custom_metadata)

    def _put(self, data: dict[str, Any], version: int) -> None:
        self._kv.create_or_update_secret(path=self._path, secret=data, cas=version, mount_point=self._mount)

    def _replace(self, data: dict[str, Any], value: str | None) -> None:
        seen = self._replaced = self._version
        with self._translate_errors("written"):
            try:
                self._put(data, seen)
            except hvac.exceptions.InvalidRequest:
                if self.read() == value:  # the answer to it was lost, and it was sent again
                    return
                if self._version != seen:
                    raise conflict(self) from None
                raise

    @contextmanager
    def _translate_errors(self, done: str, needed: str = _NEEDED) -> Iterator[None]:
        """Let what hvac and requests raise be a StoreError; their texts may hold a URL."""
        try:
            yield
        except hvac.exceptions.Forbidden as error:
            why = f"this login may not: its policy must allow {needed}; the server says: {reason_of(error)}"
        except (hvac.exceptions.VaultError, requests.RequestException) as error:
            why = reason_of(error)
        else:
            return
        raise refused(self, done, why)


def reason_of(error: Exception) -> str:
    """Return in a few words why something failed: the server's own, or why no answer came."""
    if isinstance(error, requests.RequestException):
        if any(isinstance(cause, socket.gaierror) for cause in causes_of(error)):
            return "no answer: the server's name could not be resolved"
        return f"no answer: {type(error).__name__}"
    return " ".join(" ".join(map(str, getattr(error, "errors", None) or [])).split()) or type(error).__name__
