# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A key of the JSON object in a secret of AWS Secrets Manager, by boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from .driver import REHEARSAL, Driver, conflict, refused, unwritable
from .libraries import not_connected

with suppress(Exception):  # of a library that is not there, or broken: who opens the place reports it
    import botocore.config
    from botocore.exceptions import BotoCoreError, ClientError

_CURRENT = "AWSCURRENT"
_PREVIOUS = "AWSPREVIOUS"  # a version without a label is deleted at any time
_PENDING = "echovalue-pending"  # the label of a version until it is the current one
_MAX_SIZE = 65536  # bytes of a secret


class JsonKey(Driver):
    """A `Driver`: a new version becomes the current one only in place of the one that was read."""

    def __init__(
        self,
        client: Any,
        account: str,
        name: str,
        key: str,
        creation: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._creation = creation or {}  # tags, kms_key_id and description of a new secret
        self._secret = name
        self._data: dict[str, Any] = {}
        self._version: str | None = None
        self._replaced: str | None = None  # the version before the last write
        self._exists = False
        self.key = key
        region, endpoint = client.meta.region_name, client.meta.endpoint_url
        self.words = f"key {key} of {name} in {region} of account {account} at {endpoint}"
        if name.startswith("arn:"):  # then only the answer has the name
            _arn, _partition, _service, region, account, *_rest = f"{name}::::".split(":")
            name = self._read().get("Name", name)
        self.secret = ("aws_secretsmanager", account, region, endpoint, name)

    def read(self) -> str | None:
        """Return the value of the key in the current version."""
        value = self._content(self._read()).get(self.key)
        if value is not None and not isinstance(value, str):
            raise StoreError(f"{self.words} is not text.", NOTHING_MINTED)
        return value

    def check_writable(self) -> None:
        """Refuse what no write can change, as far as the login may see: there is no way to rehearse one."""
        text = _text({**self._data, self.key: REHEARSAL})
        if len(text.encode("utf-8", "surrogatepass")) > _MAX_SIZE:
            raise unwritable(self, f"with a token the secret is over {_MAX_SIZE} bytes")
        if not self._exists:
            if self._secret.startswith("arn:"):
                raise StoreError(
                    f"There is no secret {self._secret}.", f"{NOTHING_MINTED} Give a new one by its name."
                )
            return
        found: Any = {}
        with suppress(ClientError, BotoCoreError):  # the look needs a right that the write does not
            found = self._client.describe_secret(SecretId=self._secret)
        primary = found.get("PrimaryRegion", self._client.meta.region_name)
        if primary != self._client.meta.region_name:
            raise unwritable(
                self, f"it is a replica of the secret in {primary}", f"Name the region {primary}."
            )
        if found.get("OwningService"):
            raise unwritable(self, f"it is managed by {found['OwningService']}", "Name another secret.")
        if found.get("DeletedDate"):
            raise unwritable(self, "it is scheduled for deletion", "Restore it, or name another secret.")

    def write(self, token: str) -> None:
        """Set the key, if the current version is still the one that was read."""
        self._put({**self._data, self.key: token})

    def remove(self) -> None:
        """Take the key away, under the same condition."""
        self._put({name: value for name, value in self._data.items() if name != self.key})

    def read_former(self) -> str | None:
        """Return what the version before the last write holds, if it has the label that keeps it."""
        former = self._client.get_secret_value(SecretId=self._secret, VersionId=self._replaced)
        value: str | None = json.loads(former["SecretString"]).get(self.key)
        return value if _PREVIOUS in former["VersionStages"] else None

    def _read(self) -> Any:
        """Return the current version, and note it; an empty one where there is none."""
        answer: Any = {}
        with self._translate_errors("read"):
            try:
                answer = self._client.get_secret_value(SecretId=self._secret, VersionStage=_CURRENT)
                self._exists = True
            except self._client.exceptions.ResourceNotFoundException:
                try:  # a secret may be there without a version
                    self._client.describe_secret(SecretId=self._secret)
                    self._exists = True
                except self._client.exceptions.ResourceNotFoundException:
                    self._exists = False
        self._version = answer.get("VersionId")
        return answer

    def _content(self, answer: Any) -> dict[str, Any]:
        try:
            self._data = json.loads(answer["SecretString"]) if self._version else {}
        except (KeyError, ValueError):
            self._data = {}
            raise self._no_object() from None
        if not isinstance(self._data, dict):
            raise self._no_object()
        return self._data

    def _no_object(self) -> StoreError:
        return StoreError(
            f"{self.words} cannot be read or set: the secret is no JSON object.",
            f"{NOTHING_MINTED} Name another secret, or make it one.",
        )

    def _put(self, data: dict[str, Any]) -> None:
        text = _text(data)
        self._replaced = self._version
        with self._translate_errors("written"):
            if not self._exists:
                try:
                    self._client.create_secret(Name=self._secret, SecretString=text, **self._born_with())
                except self._client.exceptions.ResourceExistsException:
                    raise conflict(self) from None
                return
            new = self._client.put_secret_value(
                SecretId=self._secret, SecretString=text, VersionStages=[_PENDING]
            )["VersionId"]
            seen = {"RemoveFromVersionId": self._version} if self._version else {}
            try:
                self._move(_CURRENT, MoveToVersionId=new, **seen)
            except ClientError:
                now = self._read().get("VersionId")
                if now == new:  # an answer was lost, or the first version is the current one by itself
                    return
                if now != seen.get("RemoveFromVersionId"):
                    raise conflict(self) from None
                raise
            finally:
                with suppress(ClientError, BotoCoreError):
                    self._move(_PENDING, RemoveFromVersionId=new)

    def _born_with(self) -> dict[str, Any]:
        """Return what a new secret is created with, by AWS's names."""
        passed = {"KmsKeyId": "kms_key_id", "Description": "description"}
        named = {name: self._creation[ours] for name, ours in passed.items() if ours in self._creation}
        tags = [{"Key": key, "Value": value} for key, value in self._creation.get("tags", {}).items()]
        return {**named, **({"Tags": tags} if tags else {})}

    def _move(self, label: str, **versions: str) -> None:
        self._client.update_secret_version_stage(SecretId=self._secret, VersionStage=label, **versions)

    @contextmanager
    def _translate_errors(self, done: str) -> Iterator[None]:
        """Let what boto3 raises be a StoreError."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise refused(self, done, reason_of(error)) from None


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)


def service_of(session: Any, name: str, endpoint: str | None) -> Any:
    """Return a client of one of AWS's services for a session of boto3. Raises what boto3 raises."""
    config = botocore.config.Config(connect_timeout=10, read_timeout=10, retries={"total_max_attempts": 3})
    return session.client(name, endpoint_url=endpoint or None, config=config)


def account_of(session: Any, endpoint: str | None) -> str:
    """Return the account of a session's login, by STS at the endpoint; one of only Secrets Manager has none.

    Raises StoreError.
    """
    failures = []
    for address in [endpoint, None] if endpoint else [None]:
        try:
            return str(service_of(session, "sts", address).get_caller_identity()["Account"])
        except (ClientError, BotoCoreError, ValueError) as error:
            failures.append(reason_of(error))
    why = ", and by AWS's own STS: ".join(failures)
    raise not_connected(
        "AWS STS, which says the account of this login",
        f"{why}. Where the secret is named by its ARN, STS is not needed",
    )


def account_in(name: str) -> str:
    """Return the account in the ARN of a secret; "" for a name."""
    return f"{name}::::".split(":")[4] if name.startswith("arn:") else ""


def reason_of(error: Exception) -> str:
    """Return in a few words why a call failed."""
    if isinstance(error, ClientError):
        reported = error.response.get("Error", {})
        return f"{reported.get('Code', 'error')}: {reported.get('Message', '')}".rstrip(": ")
    return str(error)
