#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echovalue_wallet_alert
short_description: Declare the low-balance alert of an EchoValue API token
version_added: 0.2.0
description:
  - The service notifies an e-mail address, a webhook, or both, when the balance of a token drops below a threshold, once
    each time. This module makes that alert be as declared. What is left out stays as it is.
  - Reading costs 1 credit at each run, and writing a difference another one. Where the service refuses what is
    written, that may cost its credit too. A request that is tried again may cost again.
  - An empty wallet can be neither read nor set. The task then fails with C(reason=payment_required).
author:
  - EchoValue IaC contributors (@echovalue)
extends_documentation_fragment:
  - echovalue.cloud.connection
  - echovalue.cloud.token
  - echovalue.cloud.attributes
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
    details:
      - The alert is read, for 1 credit, and not written.
      - Where the token would come from a task before this one, no request is sent, and the results are null.
  diff_mode:
    description: Returns what changed.
    support: full
    details:
      - Of a webhook it shows the host, and the names of the fields that differ, never a value.
options:
  threshold:
    description: How many credits there must be, or the alert is sent. V(0) sends none.
    type: int
  email:
    description: The e-mail address to notify. An empty one clears it.
    type: str
  webhook:
    description:
      - The webhook to call. It is compared and written whole.
      - Its values are never shown, for all but O(webhook.format) may hold secrets.
      - The service documents no way to take a webhook away. O(threshold=0) or O(state=absent) silences it.
    type: dict
    suboptions:
      url:
        description: Where to send it, by V(https://).
        type: str
        required: true
      headers:
        description: Headers to send along.
        type: dict
      format:
        description: In whose format. If it is not set, the service's own is sent.
        type: str
        choices: [slack, discord, teams, telegram, pagerduty, custom]
      template:
        description:
          - What to send with O(webhook.format=custom).
          - The service fills C({{wallet}}), C({{threshold}}) and C({{token_hash}}) in its texts. Write such a text with
            C(!unsafe), for Ansible would fill it first.
        type: dict
      options:
        description: What the format needs, such as C(chat_id) for Telegram or C(routing_key) for PagerDuty.
        type: dict
  state:
    description:
      - V(present) sets what is passed, which must be one of O(threshold), O(email) and O(webhook) at least.
      - V(absent) sets the threshold to 0, and leaves e-mail address and webhook for later. Nothing else counts then.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: echovalue.cloud.echovalue_wallet_info
  - module: echovalue.cloud.echovalue_recharge_link
"""

EXAMPLES = r"""
- name: Warn operations before the wallet is empty
  echovalue.cloud.echovalue_wallet_alert:
    path: /etc/myapp/echovalue.token
    threshold: 1000
    email: ops@example.com

- name: Warn a Slack channel
  echovalue.cloud.echovalue_wallet_alert:
    path: /etc/myapp/echovalue.token
    threshold: 1000
    webhook:
      url: "{{ slack_webhook_url }}"
      format: slack

- name: Call a service of our own
  echovalue.cloud.echovalue_wallet_alert:
    path: /etc/myapp/echovalue.token
    threshold: 1000
    webhook:
      url: https://hooks.example.com/echovalue
      headers:
        Authorization: "Bearer {{ hooks_token }}"
      format: custom
      template:
        text: !unsafe "{{wallet}} credits are left, {{threshold}} are wanted"

- name: Send no more alerts
  echovalue.cloud.echovalue_wallet_alert:
    path: /etc/myapp/echovalue.token
    state: absent
"""

RETURN = r"""
threshold:
  description: The threshold that is set now, or in check mode would be; 0 is off.
  returned: success
  type: int
  sample: 1000
email:
  description: The e-mail address that is notified; null when there is none.
  returned: success
  type: str
  sample: ops@example.com
webhook_host:
  description: The host of the webhook that is called; null when there is none.
  returned: success
  type: str
  sample: hooks.slack.com
cost:
  description: Credits that this run took.
  returned: success
  type: int
  sample: 2
reason:
  description: Why the task failed.
  returned: failure
  type: str
  sample: payment_required
"""

from typing import Any
from urllib.parse import urlsplit

# Mitogen knows a Python module by these words: from ansible.module_utils.
from ..module_utils.core.alert import CHECKS, FORMATS, Declared, declare_alert
from ..module_utils.core.client import EchoValueClient
from ..module_utils.core.models import WEBHOOK_FIELDS, Alert
from ..module_utils.task.module import CONNECTION_SPEC, Module, passed_token, run
from ..module_utils.task.options import TOKEN_CONSTRAINTS, TOKEN_SPEC


def work(module: Module, client: EchoValueClient) -> None:
    params = module.params
    token = passed_token(module)
    if token is None:
        module.exit_json(
            changed=params["state"] == "present", threshold=None, email=None, webhook_host=None, cost=0
        )
    wanted = {"threshold": 0} if params["state"] == "absent" else {name: params[name] for name in DECLARED}
    declared = declare_alert(client, token, **wanted, dry_run=module.check_mode)
    module.exit_json(
        changed=declared.changed,
        threshold=declared.after.threshold,
        email=declared.after.email or None,
        webhook_host=webhook_host(declared.after),
        cost=declared.cost,
        diff=difference(declared),
    )


def webhook_host(alert: Alert) -> str | None:
    return urlsplit(alert.webhook["url"]).hostname if alert.webhook else None


def difference(declared: Declared) -> dict[str, Any]:
    """Return what --diff shows: of a webhook its host, and which fields differ."""
    before, after = (
        {"threshold": alert.threshold, "email": alert.email, "webhook": webhook_host(alert)}
        for alert in (declared.before, declared.after)
    )
    old, new = declared.before.webhook or {}, declared.after.webhook or {}
    fields = [name for name in WEBHOOK_FIELDS if old.get(name) != new.get(name)]
    if fields:
        after["webhook"] = f"{after['webhook']} (another {', '.join(fields)})"
    return {"before": before, "after": after}


DECLARED = tuple(CHECKS)


def main() -> None:
    module = Module(
        argument_spec={
            "threshold": {"type": "int"},
            "email": {"type": "str"},
            "webhook": {
                "type": "dict",
                "options": {
                    "url": {"type": "str", "required": True},
                    "headers": {"type": "dict"},
                    "format": {"type": "str", "choices": list(FORMATS)},
                    "template": {"type": "dict"},
                    "options": {"type": "dict"},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **TOKEN_SPEC,
            **CONNECTION_SPEC,
        },
        **TOKEN_CONSTRAINTS,
        required_if=[("state", "present", DECLARED, True)],
        supports_check_mode=True,
        hidden=["webhook"],  # whole, what is spelled wrong in it too
    )
    run(module, work)


if __name__ == "__main__":
    main()
