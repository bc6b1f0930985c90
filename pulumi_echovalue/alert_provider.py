# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `WalletAlert` of a Python program, as the engine asks for it.

State refers to `pulumi_echovalue.alert_provider.WalletAlertProvider` by name, as to TokenProvider: so
neither name ever changes, and an instance gets attributes in the engine's process alone.
"""

from __future__ import annotations

import pulumi
from pulumi.dynamic import CheckResult, ConfigureRequest, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import Unknown
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from ._decisions import alert as alert_lifecycle
from ._decisions.alert import FIELDS, KeptAlert
from ._decisions.token import Changes
from ._dynamic.provider import Props, ServiceProvider, ShownError, checked, report_errors
from ._shared.module_utils.core.models import check_token


class AlertError(ShownError):
    """A failure of a `WalletAlert`."""

    __module__ = "builtins"  # shown as AlertError, without a path in front


_report_errors = report_errors(AlertError)


class WalletAlertProvider(ServiceProvider):
    """Check, diff, create, read, update and delete of a `WalletAlert`."""

    _declared_here: alert_lifecycle.DeclaredHere

    def configure(self, req: ConfigureRequest) -> None:
        """Take the base URL of the stack's config; no alert has been set in this process yet."""
        super().configure(req)
        self._declared_here = set()

    @_report_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse inputs that cannot be meant, before anything is done; a preview may not know them all."""
        checks = alert_lifecycle.checks(news, _is_unknown)
        inputs, failures = checked(news, [*checks, ("base_url", self.base_url, news)])
        marked = {name: secret(inputs[name]) for name in ("token", "webhook") if inputs.get(name) is not None}
        return CheckResult({**inputs, **marked}, failures)

    @_report_errors
    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Compare what was declared, or what a refresh found, with the inputs."""
        changes = alert_lifecycle.compare(
            _alert(olds),
            self.meant(news),
            news.get("token"),
            alert_lifecycle.declared(news, _is_unknown),
        )
        return DiffResult(
            changes=changes != Changes(),
            replaces=list(changes.replaces),
            delete_before_replace=False,
        )

    @_report_errors
    def create(self, props: Props) -> CreateResult:
        """Set the alert."""
        settings = alert_lifecycle.declared(props, _is_unknown)
        token = check_token(props["token"])
        alert = alert_lifecycle.create(self.meant(props), token, settings, self._declared_here)
        return CreateResult(alert.hash, _outputs(alert))

    @_report_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """Read what is set, for 1 credit."""
        seen = alert_lifecycle.refresh(_alert(props), self.meant({}), pulumi.log.warn)
        return ReadResult(id_, _outputs(seen))

    @_report_errors
    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Set the alert again."""
        settings = alert_lifecycle.declared(news, _is_unknown)
        alert = alert_lifecycle.update(
            _alert(olds), self.meant(news), settings, self._declared_here, pulumi.log.warn
        )
        return UpdateResult(_outputs(alert))

    @_report_errors
    def delete(self, _id: str, props: Props) -> None:
        """Set the threshold to 0, where the alert is still this one."""
        alert_lifecycle.remove(_alert(props), self.meant({}), self._declared_here, pulumi.log.warn)


def _is_unknown(value: object) -> bool:
    return isinstance(value, Unknown)


def _alert(outputs: Props) -> KeptAlert:
    settings = alert_lifecycle.declared(outputs, _is_unknown)
    return KeptAlert(outputs["token"], outputs["service"], settings, bool(outputs.get("gone")))


def _outputs(alert: KeptAlert) -> Props:
    outputs = {**dict.fromkeys(FIELDS), **alert.settings}
    if outputs["webhook"] is not None:
        outputs["webhook"] = secret(outputs["webhook"])
    mark = {"gone": True} if alert.gone else {}
    return {
        **outputs,
        "token": secret(alert.token),
        "hash": alert.hash,
        "service": alert.service,
        **mark,
    }
