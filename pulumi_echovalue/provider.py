# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `Token` of a Python program, as the engine asks for it.

State refers to `pulumi_echovalue.provider.TokenProvider` by name: a pickle without attributes,
the same for every version of Python and of this package. So neither name ever changes, and an
instance gets attributes in the engine's process alone, after it was unpickled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, ConfigureRequest, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import Unknown
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from ._decisions import token as lifecycle
from ._decisions.token import Changes, Kept
from ._dynamic import kept_tokens
from ._dynamic.provider import Props, ServiceProvider, ShownError, checked, report_errors
from ._shared.module_utils.core.models import check_token


class TokenError(ShownError):
    """A failure of a `Token`."""

    __module__ = "builtins"  # shown as TokenError, without a path in front


_report_errors = report_errors(TokenError)


class TokenProvider(ServiceProvider):
    """Check, diff, create, read, update and delete of a `Token`."""

    _created_here: lifecycle.CreatedHere

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's config; no token has been created in this process yet."""
        super().configure(req)
        self._created_here = set()

    @_report_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse invalid inputs before anything is done; a preview may not know them all."""
        checks: dict[str, Callable[[Any], object]] = {
            "existing_token": lambda value: secret(check_token(value)),
            "keepers": lambda value: lifecycle.check_keepers(value, Unknown),
        }
        known = [
            (name, check, news[name])
            for name, check in checks.items()
            if news.get(name) is not None and not isinstance(news[name], Unknown)
        ]
        return CheckResult(*checked(news, [*known, ("base_url", self.base_url, news)]))

    @_report_errors
    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Compare what is stored with the inputs: nothing else may ever replace or touch a token."""
        kept, requested = lifecycle.stored(olds, id_), self.requested(news)
        former, base_url = olds.get("base_url") or None, news.get("base_url") or None
        changes = lifecycle.compare(
            kept, requested, news.get("existing_token"), (olds.get("keepers"), news.get("keepers"))
        )
        if not changes.replaces:
            kept_tokens.note(
                kept.hash, requested.url if requested.named or not kept.service else kept.service
            )
        return DiffResult(
            # What version 0.1.0 wrote remembers no service: only the argument shows a move.
            changes=changes != Changes() or (kept.service is None and former != base_url),
            replaces=list(changes.replaces),
            delete_before_replace=False,  # the old token serves until the new one is in place
        )

    @_report_errors
    def create(self, props: Props) -> CreateResult:
        """Adopt the token that was passed, proven first; or mint one."""
        kept = lifecycle.create(self.requested(props), props.get("existing_token"), self._created_here)
        # An exception from here on would lose the token: the engine has not seen it yet.
        return CreateResult(kept.hash, _outputs(kept, props))

    @_report_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """Prove the token for free; one that its service does not know is marked, and stays."""
        proven = lifecycle.refresh(lifecycle.stored(props, id_), self.requested(props))
        _warn_if_gone(proven)
        return ReadResult(id_, _outputs(proven, props))

    @_report_errors
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the token, proven first where another service is named."""
        moved = lifecycle.move(lifecycle.stored(olds, id_), self.requested(news), news.get("existing_token"))
        _warn_if_gone(moved)
        return UpdateResult(_outputs(moved, news))

    @_report_errors
    def delete(self, id_: str, props: Props) -> None:
        """Let the token go, with a warning: it stays valid."""
        lifecycle.delete(
            props,
            id_,
            lambda: props.get("service") or self.requested(props).url,
            self._created_here,
            pulumi.log.warn,
        )


def _warn_if_gone(kept: Kept) -> None:
    if kept.gone:
        pulumi.log.warn(lifecycle.missing_token_warning(kept.service, kept.hash))


def _outputs(kept: Kept, props: Props) -> Props:
    """Return what the state is to hold: what it remembers, and beside it no token but this one."""
    inputs: Props = {name: props[name] for name in ("keepers", "base_url") if name in props}
    mark = {"gone": True} if kept.gone else {}
    return {
        **inputs,
        "token": secret(kept.token),
        "hash": kept.hash,
        "service": kept.service,
        **mark,
    }
