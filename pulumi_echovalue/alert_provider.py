# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `WalletAlert` of a Python program, as the engine asks for it.

State refers to `pulumi_echovalue.alert_provider.WalletAlertProvider` by name, as to TokenProvider: so
neither name ever changes, and an instance gets attributes in the engine's process alone.
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

from . import alert_lifecycle
from ._core.errors import InvalidInputError
from ._core.models import check_token
from .alert_lifecycle import FIELDS, KeptAlert
from .connection import CONFIG_KEY, CONFIG_NAMESPACE, Service, find_service
from .dynamic import ShownError, told_plainly
from .lifecycle import Changes
from .secrecy import secret

Props = dict[str, Any]


class AlertError(ShownError):
    """A failure of a `WalletAlert`."""

    __module__ = "builtins"  # shown as AlertError, without a path in front


_told_plainly = told_plainly(AlertError)


class WalletAlertProvider(ResourceProvider):
    """Check, diff, create, read, update and delete of a `WalletAlert`."""

    _configured_base_url: str | None = None

    def configure(self, req: ConfigureRequest) -> None:
        """Take the base URL of the stack's config."""
        self._configured_base_url = req.config.get(f"{CONFIG_NAMESPACE}:{CONFIG_KEY}")

    @_told_plainly
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse inputs that cannot be meant, before anything is done; a preview may not know them all."""
        inputs, failures = dict(news), []
        for name, check, value in (
            ("token", check_token, news.get("token")),
            *((name, check, news[name]) for name, check in FIELDS.items() if news.get(name) is not None),
            ("base_url", lambda _url: self._meant(news), news.get("base_url")),
            ("settings", alert_lifecycle.check_declared, news),
        ):
            if name != "settings" and not alert_lifecycle.is_known(value, _is_unknown):
                continue
            try:
                check(value)
            except InvalidInputError as error:
                # Of no property by name: the engine would print its value in clear beside the reason.
                failures.append(CheckFailure("", f"{name}: {error}"))
        for name in ("token", "webhook"):
            if inputs.get(name) is not None:
                inputs[name] = secret(inputs[name])
        return CheckResult(inputs, failures)

    @_told_plainly
    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Compare what was declared, or what a refresh found, with the inputs."""
        unknown = isinstance(news.get("base_url"), Unknown)
        changes = alert_lifecycle.compare(
            _alert(olds),
            Service("", named=True) if unknown else self._meant(news),
            news.get("token"),
            alert_lifecycle.declared(news, _is_unknown),
        )
        return DiffResult(
            changes=changes != Changes(),
            replaces=list(changes.replaces),
            delete_before_replace=False,
        )

    @_told_plainly
    def create(self, props: Props) -> CreateResult:
        """Set the alert."""
        settings = alert_lifecycle.declared(props, _is_unknown)
        alert = alert_lifecycle.create(self._meant(props), check_token(props["token"]), settings)
        return CreateResult(alert.hash, _outputs(alert))

    @_told_plainly
    def read(self, id_: str, props: Props) -> ReadResult:
        """Read what is set, for 1 credit."""
        seen = alert_lifecycle.refresh(_alert(props), self._meant({}), pulumi.log.warn)
        return ReadResult(id_, _outputs(seen)) if seen else ReadResult("", {})

    @_told_plainly
    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Set the alert anew."""
        settings = alert_lifecycle.declared(news, _is_unknown)
        alert = alert_lifecycle.update(_alert(olds), self._meant(news), settings, pulumi.log.warn)
        return UpdateResult(_outputs(alert))

    @_told_plainly
    def delete(self, _id: str, props: Props) -> None:
        """Set the threshold to 0."""
        alert_lifecycle.remove(_alert(props), self._meant({}), pulumi.log.warn)

    def _meant(self, props: Props) -> Service:
        return find_service(props.get("base_url"), self._configured_base_url)


def _is_unknown(value: object) -> bool:
    return isinstance(value, Unknown)


def _alert(outputs: Props) -> KeptAlert:
    return KeptAlert(outputs["token"], outputs["service"], alert_lifecycle.declared(outputs, _is_unknown))


def _outputs(alert: KeptAlert) -> Props:
    outputs = {**dict.fromkeys(FIELDS), **alert.settings}
    if outputs["webhook"] is not None:
        outputs["webhook"] = secret(outputs["webhook"])
    return {**outputs, "token": secret(alert.token), "hash": alert.hash, "service": alert.service}
