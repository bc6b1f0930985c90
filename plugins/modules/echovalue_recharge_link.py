#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echovalue_recharge_link
short_description: Make a payment link that recharges the wallet of an EchoValue API token
version_added: 0.1.0
description:
  - Makes a link that a person opens to buy credits for a token. Making it is free, and nothing is bought by it.
  - The result is censored when the link carries the raw token; else it is shown, since a person has to open it.
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
      - It changes nothing, so it does the same in check mode.
  diff_mode:
    description: Returns what changed.
    support: none
    details:
      - It changes nothing.
options:
  amount:
    description: How many million operations the link is for.
    type: int
    choices: [1, 3]
    default: 1
seealso:
  - module: echovalue.cloud.echovalue_token
  - module: echovalue.cloud.echovalue_wallet_info
"""

EXAMPLES = r"""
- name: Make a link for three million operations
  echovalue.cloud.echovalue_recharge_link:
    path: /etc/myapp/echovalue.token
    amount: 3
  register: recharge

- name: Show it to whoever pays
  ansible.builtin.debug:
    var: recharge.url
  when: not recharge.contains_token
"""

RETURN = r"""
url:
  description: The payment link, exactly as the service sent it.
  returned: success
  type: str
  sample: https://buy.stripe.com/aBcDeF?client_reference_id=3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9
amount:
  description: Million operations that it is for.
  returned: success
  type: int
  sample: 3
balance:
  description: Credits in the wallet now; null where an older deployment of the service does not report them.
  returned: success
  type: int
  sample: 99
contains_token:
  description: Whether the link carries the raw token, which makes it a secret.
  returned: success
  type: bool
  sample: false
"""

# Mitogen knows a Python module by these words: from ansible.module_utils.
from ..module_utils.core.client import AMOUNTS, EchoValueClient
from ..module_utils.task.module import (
    CONNECTION_SPEC,
    Module,
    exit_with_secrets,
    passed_token,
    run,
)
from ..module_utils.task.options import TOKEN_CONSTRAINTS, TOKEN_SPEC


def work(module: Module, client: EchoValueClient) -> None:
    token = passed_token(module)
    amount = module.params["amount"]
    if token is None:
        module.exit_json(changed=False, url=None, amount=amount, balance=None, contains_token=False)
    link = client.get_recharge_link(token, amount)
    exit_with_secrets(
        module,
        [token],
        changed=False,
        url=link.url,
        amount=link.amount,
        balance=link.balance,
        contains_token=link.contains_token,
    )


def main() -> None:
    module = Module(
        argument_spec={
            "amount": {"type": "int", "choices": list(AMOUNTS), "default": 1},
            **TOKEN_SPEC,
            **CONNECTION_SPEC,
        },
        **TOKEN_CONSTRAINTS,
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
