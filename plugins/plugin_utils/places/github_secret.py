# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A secret of GitHub Actions, by PyGithub; sealed by PyNaCl, so that only GitHub can open it.

GitHub does not say what a secret holds. So a variable beside it, NAME_SHA256, holds the sha256 of the token
and the time of the secret's last change as GitHub said it right after the write. Where one of them is
another one now, the secret is written again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Callable
from urllib.parse import quote

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from ...module_utils.core.models import token_hash
from ...module_utils.core.store import PendingToken, Slot

with suppress(Exception):  # of a library that is not there, or broken: who opens the place reports it
    import github
    import nacl.encoding
    import nacl.public
    import requests

_SUFFIX = "_SHA256"
_UNKNOWN = "unknown"  # what a secret holds that does not hold the token
_NEEDED = (
    "a fine-grained token needs read and write access to Secrets and Variables of the repository (and to "
    "Environments, for a secret of one), a classic one the scope repo; a job's own GITHUB_TOKEN may not, "
    "whatever its permissions"
)


class GithubSecret:
    """A secret of a repository, or of one of its environments; `requester` returns that of PyGithub."""

    def __init__(
        self, requester: Callable[[], Any], url: str, repository: str, environment: str | None, name: str
    ) -> None:
        self._requester = requester
        root = f"/repos/{quote(repository)}"
        root += f"/environments/{quote(environment, safe='')}" if environment else "/actions"
        self._secrets, self._variables = f"{root}/secrets", f"{root}/variables"
        self.name = name.upper()  # as GitHub does
        self.written: str | None = None  # the hash of what this run has put there
        self.secret = ("github_secret", url, repository.lower(), environment or "", self.name)
        within = f" in the environment {environment}" if environment else ""
        self.words = f"secret {self.name} of {repository}{within} at {url}"

    def changed_at(self) -> str | None:
        """Return when the secret was changed last, as GitHub says it; None where there is none."""
        found = self._call("GET", f"{self._secrets}/{self.name}", "read")
        return None if found is None else str(found.get("updated_at"))

    def noted(self) -> str | None:
        """Return the value of the variable beside it."""
        found = self._call("GET", f"{self._variables}/{self.name}{_SUFFIX}", "read")
        return None if found is None else str(found.get("value"))

    def held(self, token: str | None, *, dry_run: bool) -> HeldSecret:
        """Return the store of the secret that is to hold `token`."""
        return HeldSecret(self, token, dry_run=dry_run)

    def public_key(self) -> Mapping[str, Any]:
        """Return the key that secrets are sealed with; a login that may not set any does not get it."""
        found: dict[str, Any] | None = self._call("GET", f"{self._secrets}/public-key", "written")
        if not found or not found.get("key") or not found.get("key_id"):
            raise self._refused("written", _UNSEEN)
        return found

    def put(self, token: str, key: Mapping[str, Any]) -> None:
        """Set the secret, then the variable: a run that ends in between leaves one that does not fit."""
        public_key = nacl.public.PublicKey(str(key["key"]).encode(), nacl.encoding.Base64Encoder)
        sealed = nacl.public.SealedBox(public_key).encrypt(token.encode())
        body = {"encrypted_value": b64encode(sealed).decode("ascii"), "key_id": str(key["key_id"])}
        self.written = token_hash(token)
        self._call("PUT", f"{self._secrets}/{self.name}", "written", body)
        self._note(f"{token_hash(token)} {self.changed_at()}")

    def delete(self) -> None:
        """Delete the variable, then the secret."""
        self._call("DELETE", f"{self._variables}/{self.name}{_SUFFIX}", "removed")
        self._call("DELETE", f"{self._secrets}/{self.name}", "removed")

    def _note(self, value: str) -> None:
        body = {"name": f"{self.name}{_SUFFIX}", "value": value}
        path = f"{self._variables}/{self.name}{_SUFFIX}"
        if self._call("PATCH", path, "written", body) is not None:
            return
        if self._call("POST", self._variables, "written", body, expected=409) is None:
            self._call("PATCH", path, "written", body)  # another run was faster

    def _call(self, verb: str, path: str, done: str, body: Any = None, expected: int = 404) -> Any:
        """Return what GitHub answers, None where that is the `expected` error. Raises StoreError."""
        try:
            _headers, data = self._requester().requestJsonAndCheck(verb, path, input=body)
            return data or {}
        except github.GithubException as error:
            if error.status == expected:
                return None
            raise self._refused(done, reason_of(error)) from None
        except (requests.RequestException, RuntimeError) as error:  # the second of a redirect elsewhere
            raise self._refused(done, reason_of(error)) from None

    def _refused(self, done: str, why: str) -> StoreError:
        return StoreError(f"{self.words} could not be {done} ({why}).", NOTHING_MINTED)


class HeldSecret:
    """A `Store` over a secret of GitHub that is to hold `token`."""

    def __init__(self, secret: GithubSecret, token: str | None, *, dry_run: bool) -> None:
        self._secret = secret
        self._token = token
        self._dry_run = dry_run
        self._key: Mapping[str, Any] = {}

    def lock(self) -> AbstractContextManager[object]:
        """Do nothing: GitHub has no lock."""
        return nullcontext()

    def read(self) -> str | None:
        """Return `token` where the secret is known to hold it, another text where not, None for no secret."""
        changed_at = self._secret.changed_at()
        if changed_at is None:
            return None
        if self._token is None:
            return _UNKNOWN
        hash_ = token_hash(self._token)
        # Two runs at once may note each other's time: what this one has overwritten is written again.
        is_own = self._secret.written in (None, hash_)
        return self._token if is_own and self._secret.noted() == f"{hash_} {changed_at}" else _UNKNOWN

    def pending(self) -> PendingToken | None:
        """Return None: what is pending is the token of the place."""
        return None

    def drop_pending(self) -> None:
        """Do nothing."""

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        """Get the key to seal with; a dry run makes sure that the variable can be read, too."""
        self._key = self._secret.public_key()
        if self._dry_run:
            self._secret.noted()
        yield None if self._dry_run else self

    def commit(self, token: str) -> None:
        """Set the secret."""
        self._secret.put(token, self._key)

    def remove(self) -> None:
        """Delete the secret."""
        self._secret.delete()

    def apply_attributes(self) -> bool:
        """Do nothing: a secret has none."""
        return False


_UNSEEN = "HTTP 404: there is no such repository or environment, or this login may not see it"


def reason_of(error: Exception) -> str:
    """Return in a few words why a call failed."""
    status = getattr(error, "status", None)
    if status is None:
        return f"no answer: {type(error).__name__}"
    if status in (401, 403):
        return f"HTTP {status}: {_NEEDED}"
    return _UNSEEN if status == 404 else f"HTTP {status}"
