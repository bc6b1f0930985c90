# SPDX-License-Identifier: BSD-2-Clause
"""The low-balance alert that a program declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, TypedDict

import pulumi
import pulumi.dynamic

from .alert_provider import WalletAlertProvider
from .stack_config import check_config
from .token import Token, token_and_service


class _WebhookUrl(TypedDict):
    url: pulumi.Input[str]


class Webhook(_WebhookUrl, total=False):
    """The webhook of a `WalletAlert`; all of it is a secret.

    `url` is by https; `headers` are sent along; `format` is one of slack, discord, teams, telegram,
    pagerduty and custom, without it the service's own is sent; `template` is what to send with the
    format custom; `options` are what the format needs, such as `chat_id` for telegram.
    """

    headers: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    format: pulumi.Input[str]
    template: pulumi.Input[Mapping[str, Any]]
    options: pulumi.Input[Mapping[str, Any]]


class WalletAlert(pulumi.dynamic.Resource, module="echovalue", name="WalletAlert"):
    """The low-balance alert of a token: the service sends it when the balance drops below a threshold.

    Its id is the token's hash; a token has one alert. Setting it costs 1 credit for reading what is
    set, and 1 for writing a difference; a refresh costs 1; an unchanged `up` sends nothing. What the
    program leaves out stays as it is at the service; what it no longer declares is undone, but for a
    webhook, for which the service documents no way. Deleting it sets the threshold to 0, unless this run
    has set an alert of the token, or the service has something else than the state declared. Where the
    service does not know the token, a refresh marks the alert as `gone`, and the next `up` replaces it.

    Example::

        import pulumi_echovalue as echovalue

        token = echovalue.Token("app")
        echovalue.WalletAlert("low", token=token, threshold=1000, email="ops@example.com")
    """

    token: pulumi.Output[Optional[str]]  # noqa: UP045 - the oldest SDK reads no other
    """The token, always a secret; None where it is in no state."""

    threshold: pulumi.Output[Optional[int]]  # noqa: UP045
    """Send the alert when the balance drops below this many credits; 0 is off; None: not declared."""

    email: pulumi.Output[Optional[str]]  # noqa: UP045
    """The e-mail address that it is sent to; empty where none is; None where it is not declared."""

    webhook: pulumi.Output[Optional[dict[str, Any]]]  # noqa: UP045
    """The webhook that is called, a secret; None where it is not declared."""

    hash: pulumi.Output[str]
    """The token's sha256 in hex."""

    place: pulumi.Output[Optional[dict[str, Any]]]  # noqa: UP045
    """Where the token is that is in no state; None where the alert has the token itself."""

    service: pulumi.Output[str]
    """The base URL of the service where the alert is set."""

    gone: pulumi.Output[Optional[bool]]  # noqa: UP045
    """True where a refresh found that the service does not know the token (HTTP 401); else None."""

    def __init__(
        self,
        resource_name: str,
        token: Token | pulumi.Input[str],
        threshold: pulumi.Input[int] | None = None,
        email: pulumi.Input[str] | None = None,
        webhook: pulumi.Input[Webhook] | None = None,
        base_url: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the alert of a token: one of `threshold`, `email` and `webhook` at least.

        `token` is a Token, at whose own service it is set, or the text of one, with `base_url` as for
        `Token`. `threshold` counts credits, 0 is off; an empty `email` clears it. `webhook` is
        compared and written whole.

        Raises pulumi.RunError for an `import_` or `id` option and a misspelt key of the stack's config, and
        InvalidInputError for a Token with `base_url`. What is wrong with the other arguments, the engine
        says when it checks them.
        """
        if opts is not None and (opts.import_ or opts.id):
            raise pulumi.RunError(
                f"WalletAlert {resource_name!r} cannot be imported or looked up by its id. Nothing was done. "
                "Declare it: it is read first, and only a difference is written."
            )
        check_config()
        source, service = _source(token, base_url)
        super().__init__(
            WalletAlertProvider(),
            resource_name,
            {
                **source,
                "threshold": threshold,
                "email": email,
                "webhook": None if webhook is None else pulumi.Output.secret(webhook),
                "base_url": service,
                "service": None,
                "gone": None,
            },
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["token", "webhook"])
            ),
        )
        # Numbers come from the engine as floats.
        self.threshold = self.threshold.apply(lambda value: None if value is None else int(value))


def _source(
    token: Token | pulumi.Input[str], base_url: pulumi.Input[str] | None
) -> tuple[dict[str, Any], pulumi.Input[str] | None]:
    """Return the inputs that say which token it is, and its service."""
    text, service = token_and_service(token, base_url)
    if isinstance(token, Token) and token.placed_in is not None:
        # The place as the program has it, for a preview of an update knows no output of a dynamic resource.
        return {"token": None, "place": token.placed_in, "hash": token.hash}, service
    return {"token": pulumi.Output.secret(text), "place": None, "hash": None}, service
