# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `Token` of a Python program, as the engine asks for it.

State refers to `pulumi_echovalue.provider.TokenProvider` by name: a pickle without attributes,
the same for every version of Python and of this package. So neither name ever changes, and an
instance gets attributes in the engine's process alone, after it was unpickled.
"""

from __future__ import annotations

from typing import Any

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

from . import lifecycle
from ._core.errors import InvalidInputError
from ._core.models import check_token
from .connection import CONFIG_KEY, CONFIG_NAMESPACE, Service, find_service
from .dynamic import ShownError, told_plainly
from .lifecycle import Changes, Kept
from .secrecy import secret

Props = dict[str, Any]


class TokenError(ShownError):
    """A failure of a `Token`."""

    __module__ = "builtins"  # shown as TokenError, without a path in front


_told_plainly = told_plainly(TokenError)


class TokenProvider(ResourceProvider):
    """Check, diff, create, read, update and delete of a `Token`."""

    _configured_base_url: str | None = None

    def configure(self, req: ConfigureRequest) -> None:
        """Take the base URL of the stack's config."""
        self._configured_base_url = req.config.get(f"{CONFIG_NAMESPACE}:{CONFIG_KEY}")

    @_told_plainly
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse inputs that cannot be meant, before anything is done; a preview may not know them all."""
        inputs, failures = dict(news), []
        for name, check in (
            ("existing_token", lambda value: inputs.update(existing_token=secret(check_token(value)))),
            ("base_url", lambda _value: self._meant(news)),
            ("keepers", lambda value: lifecycle.check_keepers(value, Unknown)),
        ):
            value = news.get(name)
            if isinstance(value, Unknown) or (value is None and name != "base_url"):
                continue
            try:
                check(value)
            except InvalidInputError as error:
                # Of no property by name: the engine would print its value in clear beside the reason.
                failures.append(CheckFailure("", f"{name}: {error}"))
        return CheckResult(inputs, failures)

    @_told_plainly
    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Compare what is kept with the inputs: nothing else may ever replace or touch a token."""
        kept = _kept(olds)
        former, base_url = olds.get("base_url") or None, news.get("base_url") or None
        # One that is not known yet is none that the state could hold.
        meant = Service("", named=True) if isinstance(base_url, Unknown) else self._meant(news)
        changes = lifecycle.compare(
            kept, meant, news.get("existing_token"), (olds.get("keepers"), news.get("keepers"))
        )
        return DiffResult(
            # What version 0.1.0 wrote remembers no service: the argument alone tells of a move.
            changes=changes != Changes() or (kept.service is None and former != base_url),
            replaces=list(changes.replaces),
            delete_before_replace=False,  # the old token serves until the new one is in place
        )

    @_told_plainly
    def create(self, props: Props) -> CreateResult:
        """Adopt the token that was given, proven first; or mint one."""
        kept = lifecycle.create(self._meant(props), props.get("existing_token"))
        # An exception from here on would lose the token: the engine has not seen it yet.
        return CreateResult(kept.hash, _outputs(kept, props))

    @_told_plainly
    def read(self, id_: str, props: Props) -> ReadResult:
        """Prove the token for free: only its own service can make it gone."""
        kept, meant = _kept(props), self._meant(props)
        proven = lifecycle.refresh(kept, meant)
        if proven:
            return ReadResult(id_, _outputs(proven, props))
        pulumi.log.warn(lifecycle.gone(kept, meant))
        return ReadResult("", {})

    @_told_plainly
    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the token, proven first where another service is named."""
        return UpdateResult(_outputs(lifecycle.move(_kept(olds), self._meant(news)), news))

    @_told_plainly
    def delete(self, id_: str, props: Props) -> None:
        """Let the token go, with a warning: it stays valid."""
        pulumi.log.warn(
            lifecycle.farewell(
                id_, props.get("token"), lambda: props.get("service") or self._meant(props).url
            )
        )

    def _meant(self, props: Props) -> Service:
        return find_service(props.get("base_url"), self._configured_base_url)


def _kept(outputs: Props) -> Kept:
    return Kept(outputs["token"], outputs.get("service"))


def _outputs(kept: Kept, props: Props) -> Props:
    """Return what the state is to hold: what it remembers, and beside it no token but this one."""
    inputs: Props = {name: props[name] for name in ("keepers", "base_url") if name in props}
    return {**inputs, "token": secret(kept.token), "hash": kept.hash, "service": kept.service}
