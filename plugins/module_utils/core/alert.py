# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The low-balance alert as declared state: read it, compare, write only a difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .client import EchoValueClient, is_https_url
from .errors import InvalidInputError
from .models import WEBHOOK_FIELDS, Alert, is_int, set_fields

FORMATS = ("slack", "discord", "teams", "telegram", "pagerduty", "custom")


@dataclass(frozen=True)
class Declared:
    """What declaring an alert did: the alert `before` and `after`, and the credits it `cost`."""

    before: Alert
    after: Alert
    cost: int

    @property
    def changed(self) -> bool:
        """Whether there was a difference."""
        return self.before != self.after


def declare_alert(
    client: EchoValueClient,
    token: str,
    *,
    threshold: int | None = None,
    email: str | None = None,
    webhook: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> Declared:
    """Make the low-balance alert of `token` be as passed; what is None stays as it is.

    `threshold` counts credits, 0 is off; an empty `email` clears it; `webhook` (see models.Alert) is
    compared and written whole. Reading costs 1 credit, and writing a difference another; `dry_run`
    writes nothing. Raises InvalidInputError before any request, and the errors of the client.
    """
    passed = {"threshold": threshold, "email": email, "webhook": webhook}
    wanted = {name: check(passed[name]) for name, check in CHECKS.items() if passed[name] is not None}
    before, cost = client.get_settings(token)
    after = replace(before, **wanted)
    if after != before and not dry_run:
        # Whole, for it is not documented whether the service keeps or clears what is left out.
        cost += client.put_settings(token, after, clear_email=bool(before.email and not after.email))
    return Declared(before, after, cost)


def check_threshold(threshold: object) -> int:
    """Return a number of credits; raise InvalidInputError for anything else."""
    if not is_int(threshold) or threshold < 0:
        raise InvalidInputError("threshold must be a whole number of credits, 0 or more.")
    return threshold


def check_email(email: object) -> str:
    """Return an e-mail address without spaces around it, or an empty text.

    Raises InvalidInputError for anything else.
    """
    if not isinstance(email, str) or (email.strip() and "@" not in email):
        raise InvalidInputError("email must be an e-mail address, or empty.")
    return email.strip()


def check_webhook(webhook: object) -> dict[str, Any]:
    """Return the fields of a webhook that are set, header values as text.

    Raises InvalidInputError for what the service would refuse, and for an unknown field.
    """
    if not isinstance(webhook, Mapping):
        raise InvalidInputError("webhook must be a mapping.")
    unknown = sorted(set(webhook) - set(WEBHOOK_FIELDS))
    if unknown:
        raise InvalidInputError(f"Unknown webhook field: {', '.join(unknown)}.")
    fields = set_fields(webhook)
    if not is_https_url(str(fields.get("url"))):
        raise InvalidInputError("webhook.url must be an https URL.")
    for name in ("headers", "template", "options"):
        if not isinstance(fields.get(name, {}), Mapping):
            raise InvalidInputError(f"webhook.{name} must be a mapping.")
    if "format" in fields and fields["format"] not in FORMATS:
        raise InvalidInputError(f"webhook.format must be one of {', '.join(FORMATS)}.")
    if "template" in fields and fields.get("format") != "custom":
        raise InvalidInputError("webhook.template is only for the format custom.")
    if "headers" in fields:
        fields["headers"] = {name: str(value) for name, value in fields["headers"].items()}
    return fields


CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "threshold": check_threshold,
    "email": check_email,
    "webhook": check_webhook,
}
