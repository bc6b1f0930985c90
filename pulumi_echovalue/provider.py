# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `Token` of a Python program: what the engine calls.

State refers to `pulumi_echovalue.provider.TokenProvider` by name: a pickle without attributes,
the same for every version of Python and of this package. So neither name ever changes, and an
instance gets attributes only in the engine's process, after it was unpickled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, ConfigureRequest, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import Unknown
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from ._decisions import life
from ._decisions.place import check_place
from ._decisions.placed import Token
from ._decisions.token import Changes, Check, CreatedHere, check_keepers
from ._dynamic import kept_tokens
from ._dynamic.provider import Props, ServiceProvider, ShownError, checked, is_unknown, report_errors
from ._shared.module_utils.core.models import check_token


class TokenError(ShownError):
    """A failure of a `Token`."""

    __module__ = "builtins"  # shown as TokenError, without a path in front


_report_errors = report_errors(TokenError)
_REMEMBERED_INPUTS = ("keepers", "base_url")


class TokenProvider(ServiceProvider):
    """Check, diff, create, read, update and delete of a `Token`."""

    _created_here: CreatedHere

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's config; no token has been created in this process yet."""
        super().configure(req)
        self._created_here = set()

    @_report_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse invalid inputs before anything is done; a preview may not know them all."""
        checks: dict[str, Callable[[Any], object]] = {
            "existing_token": lambda value: secret(check_token(value)),
            "keepers": lambda value: check_keepers(value, Unknown),
            "place": lambda value: check_place(value, is_unknown),
            "max_age_days": life.check_max_age_days,
            "max_loss": life.check_max_loss,
        }
        known = [
            (name, check, news[name])
            for name, check in checks.items()
            if news.get(name) is not None and not is_unknown(news[name])
        ]
        more: list[Check] = [
            ("base_url", self.base_url, news),
            ("spool", self.spool, None),
            ("arguments", life.check_together, news),
        ]
        return CheckResult(*checked(news, [*more, *known]))

    @_report_errors
    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Compare what is stored with the inputs: nothing else may ever replace or touch a token."""
        stored, target = life.stored(olds, id_), self.target(news)
        former, base_url = olds.get("base_url") or None, news.get("base_url") or None
        changes = life.compare(stored, target, olds.get("keepers"))
        if not changes.replaces and not life.may_rotate(changes, target):
            requested = target.service
            kept_tokens.note(
                stored.hash, requested.url if requested.named or not stored.service else stored.service
            )
        return DiffResult(
            # What version 0.1.0 wrote remembers no service: only the argument shows a move.
            changes=changes != Changes() or (stored.service is None and former != base_url),
            replaces=list(changes.replaces),
            delete_before_replace=False,  # the old token serves until the new one is in place
        )

    @_report_errors
    def create(self, props: Props) -> CreateResult:
        """Take up, adopt or mint the token."""
        token = life.create(self.target(props), self._created_here)
        # An exception from here on would lose a token of the state: the engine has not seen it yet.
        return CreateResult(token.hash, _outputs(token, props))

    @_report_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """Prove the token for free; one that its service does not know is marked, and stays."""
        proven = life.refresh(life.stored(props, id_), self.target(props), pulumi.log.warn)
        return ReadResult(id_, _outputs(proven, props))

    @_report_errors
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the token, move it, or rotate it in its place."""
        former = life.stored(olds, id_)
        token = life.update(former, self.target(news), olds.get("keepers"), pulumi.log.warn)
        return UpdateResult(_outputs(token, news))

    @_report_errors
    def delete(self, id_: str, props: Props) -> None:
        """Let the token go, with a warning: it stays valid."""
        life.delete(
            props,
            id_,
            lambda: props.get("service") or self.requested(props).url,
            self._created_here,
            pulumi.log.warn,
        )


def _outputs(token: Token, props: Props) -> Props:
    """Return what the state is to hold: what it remembers, and beside it no token but this one."""
    inputs: Props = {name: props[name] for name in _REMEMBERED_INPUTS if name in props}
    found = life.outputs(token)
    if "token" in found:
        found["token"] = secret(found["token"])
    return {**inputs, **found}
