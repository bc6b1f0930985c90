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
  returned: success
  type: str
  sample: 3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9
cost:
  description: Credits that this reading took.
  returned: success
  type: int
  sample: 1
"""

from ..module_utils.core.client import EchoValueClient
from ..module_utils.task.module import CONNECTION_SPEC, TOKEN_SPEC, Module, given_token, run


def work(module: Module, client: EchoValueClient) -> None:
    token = given_token(module)
    if token is None:
        module.exit_json(changed=False, wallet=None, created=None, hash=None, cost=0)
    wallet = client.get_wallet(token, details=module.params["details"])
    module.exit_json(
        changed=False,
        wallet=wallet.wallet,
        created=wallet.created,
        hash=wallet.hash,
        cost=wallet.cost,
    )


def main() -> None:
    module = Module(
        argument_spec={
            "details": {"type": "bool", "default": True},
            **TOKEN_SPEC,
            **CONNECTION_SPEC,
        },
        mutually_exclusive=[("token", "path")],
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
