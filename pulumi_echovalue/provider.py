# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `Token`, as the engine asks for it.

State refers to `pulumi_echovalue.provider.TokenProvider` by name: a pickle without attributes,
the same for every version of Python and of this package. So neither name ever changes, and an
instance gets attributes in the engine's process alone, after it was unpickled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import Any, NoReturn, TypeVar, cast

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown

from ._core.client import EchoValueClient, check_base_url
from ._core.errors import EchoValueError, InvalidInputError
from ._core.models import check_token
from ._core.provision import provision
from .connection import CONFIG_KEY, CONFIG_NAMESPACE, client_of, find_base_url

Props = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

# A deletion needs no answer: it asks once, and not for long.
_DELETE_TIMEOUT = 3.0  # seconds


class TokenError(Exception):
    """A failure as the engine shows it: its text alone.

    The SDK sends `traceback.format_exc()` to the terminal. Since Python 3.12 that leaves the frames
    away for a class whose `__traceback__` is None; before, they come first.
    """

    __module__ = "builtins"  # shown as TokenError, without a path in front
    __traceback__ = None


def _told_plainly(method: Method) -> Method:
    """Let `method` fail with a TokenError alone: nothing of a library's error reaches the terminal."""

    @functools.wraps(method)
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except EchoValueError as error:
            text = str(error)
        except Exception as error:  # noqa: BLE001 - its text may hold anything
            text = (
                f"{type(error).__name__} in {method.__name__}: a fault of pulumi-echovalue. "
                "Please report it, with the versions of Python, pulumi and pulumi-echovalue."
            )
        raise TokenError(text)

    return call  # type: ignore[return-value]


class _Empty:
    """A `Store` that holds nothing yet: what is put into it, the engine keeps."""

    keeps = True

    def lock(self) -> nullcontext[None]:
        return nullcontext()

    def read(self) -> None:
        return None

    def check_writable(self) -> None:
        pass

    def write(self, token: str) -> None:
        pass  # the outcome carries it, so nothing here can fail after a mint

    def remove(self) -> NoReturn:
        raise NotImplementedError


class TokenProvider(ResourceProvider):
    """Check, diff, create, read, update and delete of a `Token`."""

    _configured_base_url: str | None = None

    def configure(self, req: ConfigureRequest) -> None:
        """Take the base URL of the stack's config."""
        self._configured_base_url = req.config.get(f"{CONFIG_NAMESPACE}:{CONFIG_KEY}")

    @_told_plainly
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse inputs that cannot be meant, before anything is done; a preview may not know them all."""
        failures = []
        for name, check in (
            ("existing_token", check_token),
            ("base_url", self._check_base_url),
            ("keepers", _check_keepers),
        ):
            value = news.get(name)
            if isinstance(value, Unknown) or (value is None and name != "base_url"):
                continue
            try:
                check(value)
            except InvalidInputError as error:
                # Of no property by name: the engine would print its value in clear beside the reason.
                failures.append(CheckFailure("", f"{name}: {error}"))
        return CheckResult(news, failures)

    @_told_plainly
    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Compare the inputs alone: nothing else may ever replace or touch a token."""

        def changed(name: str) -> bool:
            return (olds.get(name) or None) != (news.get(name) or None)  # {} is as good as none

        replaces = [name for name in ("existing_token", "keepers") if changed(name)]
        return DiffResult(
            changes=bool(replaces) or changed("base_url"),
            replaces=replaces,
            delete_before_replace=False,  # the old token serves until the new one is in place
        )

    @_told_plainly
    def create(self, props: Props) -> CreateResult:
        """Adopt the token that was given, proven first; or mint one."""
        outcome = provision(self._client(props), _Empty(), token=props.get("existing_token"))
        # An exception from here on would lose the token: the engine has not seen it yet.
        hash_ = cast(str, outcome.hash)
        return CreateResult(hash_, {**props, "token": outcome.token, "hash": hash_})

    @_told_plainly
    def read(self, id_: str, props: Props) -> ReadResult:
        """Prove the token for free: only a service that does not know it makes it gone."""
        client = self._client(props)
        if client.probe(props["token"]).valid:
            return ReadResult(id_, props)
        pulumi.log.warn(
            f"EchoValue at {client.base_url} does not know the token with hash {id_} (HTTP 401), so it "
            "leaves the state, and the next up mints another. Was it minted at another base URL? Then "
            "take it from the stack's history or backups, and adopt it with existing_token."
        )
        return ReadResult("", {})

    @_told_plainly
    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the token: what can change without a new one is where the service is."""
        return UpdateResult({**news, "token": olds["token"], "hash": olds["hash"]})

    @_told_plainly
    def delete(self, id_: str, props: Props) -> None:
        """Let the token go, with a warning: it stays valid. No request has to succeed."""
        fate = "stays valid, with a balance that could not be read now"
        with suppress(Exception):
            client = self._client(props, timeout=_DELETE_TIMEOUT, retries=0)
            probe = client.probe(props["token"])
            if not probe.valid:
                fate = f"is unknown to {client.base_url}"
            elif probe.balance is not None:
                fate = f"stays valid, with {probe.balance} credits"
        pulumi.log.warn(
            f"EchoValue cannot revoke a token: the one with hash {id_} leaves the stack and {fate}. "
            "Backups and history of the stack still hold it, encrypted."
        )

    def _client(self, props: Props, **options: Any) -> EchoValueClient:
        return client_of(find_base_url(props.get("base_url"), self._configured_base_url), **options)

    def _check_base_url(self, given: str | None) -> None:
        check_base_url(find_base_url(given, self._configured_base_url))


def _check_keepers(keepers: object) -> None:
    """Refuse what is no mapping of strings; its values may be unknown yet."""
    if not isinstance(keepers, Mapping):
        raise InvalidInputError("keepers must be a mapping of strings to strings.")
    wrong = [key for key, value in keepers.items() if not isinstance(value, (str, Unknown))]
    if wrong:
        raise InvalidInputError(
            f"keepers must map strings to strings; no string is the value of: {', '.join(wrong)}."
        )
