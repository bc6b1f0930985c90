# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A CI/CD variable of GitLab, by python-gitlab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ...module_utils.core.errors import NOTHING_MINTED, StoreError
from .driver import Driver, conflict, refused

with suppress(Exception):  # of a library that is not there, or broken: who opens the place reports it
    import gitlab
    import requests

_NEEDED = (
    "the login needs the scope api and the role Maintainer of the project, or Owner of the group; a job's "
    "own CI_JOB_TOKEN may not, whatever its settings"
)


class GitlabVariable(Driver):
    """A `Driver`: what is there is read again right before it is replaced, since GitLab has no check-and-set.

    `variables` is the manager of python-gitlab for the project or group that `owner` names, with its kind
    first. `masked` and `protected` None leave an existing variable as it is.
    """

    def __init__(
        self,
        variables: Any,
        url: str,
        owner: tuple[str, str],
        key: str,
        scope: str,
        *,
        masked: bool | None = None,
        protected: bool | None = None,
    ) -> None:
        self._variables = variables
        self._filter = {"environment_scope": scope}
        self._requested = {"masked": masked, "protected": protected}
        self._found: Any = None
        self.key = key
        self.secret = ("gitlab_variable", url, *owner, scope)
        within = "" if scope == "*" else f" for the environments {scope}"
        self.words = f"variable {key} of the {' '.join(owner)}{within} at {url}"

    def read(self) -> str | None:
        """Return the value of the variable."""
        self._found = self._get()
        value: str | None = None if self._found is None else self._found.value
        if self._found is not None and value is None:
            raise StoreError(
                f"{self.words} is hidden, so nobody can read it.",
                f"{NOTHING_MINTED} Name one that is not hidden.",
            )
        return value

    def check_writable(self) -> None:
        """Do nothing: who may read a variable may write it, where the scope of the login is api."""

    def write(self, token: str) -> None:
        """Set the value, if it is still the one that was read."""
        self._check_unchanged()
        with self._translate_errors("written"):
            if self._found is None:
                self._create(token)
            else:
                self._update({"value": token, **self._differing()})

    def remove(self) -> None:
        """Take the variable away, under the same condition."""
        self._check_unchanged()
        with self._translate_errors("removed"):
            self._variables.delete(self.key, filter=self._filter)

    def apply_attributes(self, *, dry_run: bool) -> bool:
        """Mask and protect what is found as it is requested."""
        differing = self._differing()
        if differing and not dry_run:
            with self._translate_errors("written"):
                self._update({"value": self._found.value, **differing})
        return bool(differing)

    def _differing(self) -> dict[str, bool]:
        return {
            name: value
            for name, value in self._requested.items()
            if self._found is not None and value is not None and getattr(self._found, name, value) != value
        }

    def _create(self, token: str) -> None:
        """Make the variable, masked unless that is not wanted: a job's log would show it."""
        flags = {
            "masked": self._requested["masked"] is not False,
            "protected": bool(self._requested["protected"]),
        }
        try:
            self._variables.create({"key": self.key, "value": token, **self._filter, **flags})
        except gitlab.exceptions.GitlabCreateError:
            if self._get() is not None:
                raise conflict(self) from None
            raise

    def _update(self, data: dict[str, Any]) -> None:
        self._variables.update(self.key, data, filter=self._filter)
        for name, value in data.items():
            setattr(self._found, name, value)

    def _get(self) -> Any:
        with self._translate_errors("read"):
            try:
                return self._variables.get(self.key, filter=self._filter)
            except gitlab.exceptions.GitlabGetError as error:
                if error.response_code != 404 or "variable" not in str(error.error_message).lower():
                    raise
                return None

    def _check_unchanged(self) -> None:
        now = self._get()
        if (now and now.value) != (self._found and self._found.value):
            raise conflict(self)

    @contextmanager
    def _translate_errors(self, done: str) -> Iterator[None]:
        """Let what python-gitlab and requests raise be a StoreError; other answers may repeat the value."""
        try:
            yield
        except (gitlab.exceptions.GitlabError, requests.RequestException) as error:
            raise refused(self, done, reason_of(error)) from None


def reason_of(error: Exception) -> str:
    """Return in a few words why a call failed."""
    status = getattr(error, "response_code", None)
    if status is None:
        return f"no answer: {type(error).__name__}"
    if status in (401, 403):
        return f"HTTP {status}: {_NEEDED}"
    if status == 404:
        return "HTTP 404: there is no such project or group, or this login may not see it"
    if status == 400:
        return "HTTP 400: GitLab refuses this value, for instance since it cannot be masked"
    return f"HTTP {status}"
