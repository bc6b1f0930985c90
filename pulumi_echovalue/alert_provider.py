# SPDX-License-Identifier: BSD-2-Clause
"""The life cycle of a `WalletAlert` of a Python program: what the engine calls.

State refers to `pulumi_echovalue.alert_provider.WalletAlertProvider` by name, as to TokenProvider: so
neither name ever changes, and an instance gets attributes only in the engine's process.
"""

from __future__ import annotations

from inspect import signature

import pulumi
from pulumi.dynamic import CheckResult, ConfigureRequest, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from ._decisions import alert as alert_lifecycle
from ._decisions.alert import FIELDS, KeptAlert, TokenSource
from ._decisions.token import Changes
from ._dynamic import kept_tokens
from ._dynamic.provider import Props, ServiceProvider, ShownError, checked, is_unknown, report_errors


class AlertError(ShownError):
    """A failure of a `WalletAlert`."""

    __module__ = "builtins"  # shown as AlertError, without a path in front


_report_errors = report_errors(AlertError)
_INPUTS = ("token", "place", "hash", "base_url", *FIELDS)


class WalletAlertProvider(ServiceProvider):
    """Check, diff, create, read, update and delete of a `WalletAlert`."""

    _declared_here: alert_lifecycle.DeclaredHere

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's config; no alert has been set in this process yet."""
        super().configure(req)
        self._declared_here = set()

    @_report_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse invalid inputs before anything is done; a preview may not know them all."""
        checks = alert_lifecycle.checks(news, is_unknown)
        inputs, failures = checked(news, [*checks, ("base_url", self.base_url, news)])
        marked = {name: secret(inputs[name]) for name in ("token", "webhook") if inputs.get(name) is not None}
        return CheckResult({**inputs, **marked}, failures)

    @_report_errors
    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Compare what was declared, or what a refresh found, with the inputs."""
        former = self._stored(olds, id_)
        news = _with_kept_token(former, news)
        changes = alert_lifecycle.compare(
            former,
            self.requested(news),
            news,
            alert_lifecycle.declared(news, is_unknown),
        )
        return DiffResult(
            changes=changes != Changes(),
            replaces=list(changes.replaces),
            delete_before_replace=False,
        )

    @_report_errors
    def create(self, props: Props) -> CreateResult:
        """Set the alert."""
        settings = alert_lifecycle.declared(props, is_unknown)
        source = TokenSource.of(props)
        alert = alert_lifecycle.create(self.requested(props), source, settings, self._declared_here)
        return CreateResult(alert.hash, _outputs(alert, props))

    @_report_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """Read what is set, for 1 credit."""
        seen = alert_lifecycle.refresh(self._stored(props, id_), self.requested({}), pulumi.log.warn)
        outputs = _outputs(seen, props)
        inputs = {name: outputs[name] for name in _INPUTS if outputs.get(name) is not None}
        if "token" in inputs:
            del inputs["hash"]
        return _read(id_, outputs, inputs)

    @_report_errors
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Set the alert again."""
        settings = alert_lifecycle.declared(news, is_unknown)
        alert = alert_lifecycle.update(
            self._stored(olds, id_),
            self.requested(news),
            TokenSource.of(news),
            settings,
            self._declared_here,
            pulumi.log.warn,
        )
        return UpdateResult(_outputs(alert, news))

    @_report_errors
    def delete(self, id_: str, props: Props) -> None:
        """Set the threshold to 0, where the alert is still this one."""
        alert_lifecycle.remove(
            self._stored(props, id_), self.requested({}), self._declared_here, pulumi.log.warn
        )

    def _stored(self, state: Props, id_: str) -> KeptAlert:
        return alert_lifecycle.stored(state, id_, self.requested({}), is_unknown)


def _with_kept_token(former: KeptAlert, news: Props) -> Props:
    """Return the inputs, with what a preview does not know of a token that an update keeps."""
    service = kept_tokens.service_of(former.hash)
    unknown = [name for name in ("token", "hash") if is_unknown(news.get(name))]
    if service is None or not unknown:
        return news
    known: Props = {name: {"token": former.source.text, "hash": former.hash}[name] for name in unknown}
    if is_unknown(news.get("base_url")):
        known["base_url"] = service
    return {**news, **known}


def _read(id_: str, outputs: Props, inputs: Props) -> ReadResult:
    """Return what a refresh read, as inputs too: what a preview compares, and what ignoreChanges keeps."""
    if "inputs" in signature(ReadResult).parameters:
        return ReadResult(id_, outputs, inputs)
    return ReadResult(id_, outputs)  # of an older SDK


def _outputs(alert: KeptAlert, inputs: Props) -> Props:
    """Return what the state is to hold; the argument base_url, so that a refresh can return the inputs."""
    outputs = {**dict.fromkeys(FIELDS), **alert.settings}
    if outputs["webhook"] is not None:
        outputs["webhook"] = secret(outputs["webhook"])
    mark = {"gone": True} if alert.gone else {}
    where = alert.source.where
    if "token" in where:
        where["token"] = secret(where["token"])
    return {
        **outputs,
        **where,
        "hash": alert.hash,
        "service": alert.service,
        **({"base_url": inputs["base_url"]} if inputs.get("base_url") else {}),
        **mark,
    }
