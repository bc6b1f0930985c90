#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echovalue_wallet_info
short_description: Read the wallet of an EchoValue API token
version_added: 0.1.0
description:
  - Reports how many credits a token has, for 1 credit with its date of creation, or for free without.
  - An empty wallet is an answer. A token that the service does not know fails the task.
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
      - It changes nothing, so it does the same in check mode, at the same cost.
  diff_mode:
    description: Returns what changed.
    support: none
    details:
      - It changes nothing.
options:
  details:
    description:
      - With V(true) the whole wallet is read, for 1 credit.
      - With V(false) the free request reports only the balance.
    type: bool
    default: true
  forecast:
    description:
      - Whether the service's log is read too, which is free, and RV(forecast) is returned.
    type: bool
    default: false
    version_added: 0.2.0
seealso:
  - module: echovalue.cloud.echovalue_token
  - module: echovalue.cloud.echovalue_recharge_link
"""

EXAMPLES = r"""
- name: Read the balance for free
  echovalue.cloud.echovalue_wallet_info:
    path: /etc/myapp/echovalue.token
    details: false
  register: wallet

- name: Warn a week before the wallet is empty, at the pace of the last days
  echovalue.cloud.echovalue_wallet_info:
    path: /etc/myapp/echovalue.token
    details: false
    forecast: true
  register: wallet
  failed_when: (wallet.forecast.days_left | default(7, true)) < 7

- name: Stop before the wallet is empty
  ansible.builtin.assert:
    that: wallet.wallet >= 20
    fail_msg: "{{ wallet.wallet }} credits are left."
"""

RETURN = r"""
wallet:
  description:
    - Credits in the wallet; 0 when it is empty.
    - Null where O(details=false) and an older deployment of the service does not report it.
  returned: success
  type: int
  sample: 99
created:
  description: When the token was minted, as the service wrote it; null with O(details=false) or an empty wallet.
  returned: success
  type: str
  sample: "2023-08-09T15:40:09.77Z"
hash:
  description: The token's sha256 in hex.
  returned: success, and where the service does not know the token
  type: str
  sample: 3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9
cost:
  description: Credits that this reading took.
  returned: success
  type: int
  sample: 1
forecast:
  description:
    - What the token spends, by the newest 100 entries of the service's log, which keeps them for 7 days.
    - Null in check mode, where a task before would provide the token.
  returned: success, with O(forecast=true)
  type: dict
  contains:
    spent:
      description: Credits that the entries cost together. A recharge is no spending.
      type: int
    hours:
      description: Hours between the oldest and the newest entry.
      type: float
    per_day:
      description: Credits that are spent in a day; null where the entries cover less than an hour.
      type: float
    days_left:
      description: Days until the wallet is empty at that pace; null also where nothing was spent.
      type: float
    entries:
      description: How many entries were counted.
      type: int
  sample:
    spent: 84
    hours: 42.0
    per_day: 48.0
    days_left: 19.5
    entries: 100
  version_added: 0.2.0
"""

from dataclasses import asdict
from typing import Any

from ..module_utils.core.client import EchoValueClient
from ..module_utils.core.errors import UnauthorizedError
from ..module_utils.core.forecast import read_forecast
from ..module_utils.core.models import token_hash
from ..module_utils.task.failure import failure
from ..module_utils.task.module import CONNECTION_SPEC, Module, given_token, run
from ..module_utils.task.options import TOKEN_CONSTRAINTS, TOKEN_SPEC


def work(module: Module, client: EchoValueClient) -> None:
    token = given_token(module)
    found: dict[str, Any] = {"wallet": None, "created": None, "hash": None, "cost": 0}
    pace = None
    if token is not None:
        try:
            wallet = client.get_wallet(token, details=module.params["details"])
            if module.params["forecast"]:
                pace = asdict(read_forecast(client, token, wallet.wallet))
        except UnauthorizedError as error:
            module.fail_json(hash=token_hash(token), **failure(error))
        found = asdict(wallet)
    module.exit_json(changed=False, **found, **({"forecast": pace} if module.params["forecast"] else {}))


def main() -> None:
    module = Module(
        argument_spec={
            "details": {"type": "bool", "default": True},
            "forecast": {"type": "bool", "default": False},
            **TOKEN_SPEC,
            **CONNECTION_SPEC,
        },
        **TOKEN_CONSTRAINTS,
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
