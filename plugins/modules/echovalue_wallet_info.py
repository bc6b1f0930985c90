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
  tokens:
    description:
      - Many wallets in one run, side by side. All other options hold for each of them.
      - A failure of one stops no other; the task fails at its end, and RV(wallets) has an entry for each.
      - Excludes O(token) and all places.
    type: list
    elements: dict
    version_added: 0.2.0
    suboptions:
      name:
        description:
          - What the entry in RV(wallets) is called.
        type: str
        required: true
      token:
        description:
          - The token.
        type: str
      path:
        description:
          - The file on the target that keeps the token.
        type: path
      vault_file:
        description:
          - The YAML file on the controller that keeps the token, encrypted by Ansible Vault.
        type: path
      variable:
        description:
          - The variable in O(tokens[].vault_file) that holds the token; by default C(echovalue_token).
        type: str
      vault_id:
        description:
          - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
        type: str
      sops:
        description:
          - The key of a SOPS file on the controller that holds the token.
        type: dict
        suboptions:
          file:
            description:
              - The file. A relative path starts from the playbook's directory.
            type: path
          key:
            description:
              - The key that holds the token; by default C(echovalue_token).
            type: str
      hashi_vault:
        description:
          - The key of a KV version 2 secret of OpenBao or HashiCorp Vault that holds the token.
        type: dict
        suboptions:
          path:
            description:
              - The path of the secret under its mount.
            type: str
          mount:
            description:
              - Where the secrets engine is mounted; by default C(secret).
            type: str
          key:
            description:
              - The key that holds the token; by default C(token).
            type: str
          custom_metadata:
            description:
              - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
            type: dict
          connection:
            description:
              - Options of the lookups of community.hashi_vault. What is secret in it is never shown.
            type: dict
      kubernetes:
        description:
          - The key of a Secret of Kubernetes that holds the token.
        type: dict
        suboptions:
          name:
            description:
              - The name of the Secret.
            type: str
          namespace:
            description:
              - The namespace; by default C(default).
            type: str
          key:
            description:
              - The key that holds the token; by default C(token).
            type: str
          labels:
            description:
              - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
            type: dict
          annotations:
            description:
              - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
            type: dict
          connection:
            description:
              - Options of the modules of kubernetes.core. What is secret in it is never shown.
            type: dict
      aws_secretsmanager:
        description:
          - The key of the JSON object in a secret of AWS Secrets Manager that holds the token.
        type: dict
        suboptions:
          name:
            description:
              - The name of the secret, or its ARN.
            type: str
          key:
            description:
              - The key that holds the token; by default C(token).
            type: str
          tags:
            description:
              - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
            type: dict
          kms_key_id:
            description:
              - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
            type: str
          description:
            description:
              - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
            type: str
          connection:
            description:
              - C(region), C(profile), C(endpoint_url), C(access_key), C(secret_key) and C(session_token), as in
                amazon.aws. What is secret in it is never shown.
            type: dict
      command:
        description:
          - The program that keeps the token; C(argv) with C(get) behind it prints it.
        type: dict
        suboptions:
          argv:
            description:
              - The program and its arguments.
            type: list
            elements: str
          timeout:
            description:
              - Seconds that the program may take, a day at most; by default 30.
            type: float
          id:
            description:
              - What distinguishes this place from another one with the same C(argv).
            type: str
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

- name: Read the balances of all teams
  echovalue.cloud.echovalue_wallet_info:
    details: false
    tokens:
      - name: billing
        path: /etc/billing/echovalue.token
      - name: shop
        hashi_vault:
          path: apps/shop
  register: teams

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
wallets:
  description: With O(tokens), instead of the above, an entry for each, in their order.
  returned: with O(tokens), on failure too
  type: list
  elements: dict
  contains:
    name:
      description: Its O(tokens[].name).
      type: str
    hash:
      description: The token's sha256 in hex; null where it could not be read.
      type: str
    wallet:
      description: As RV(wallet).
      type: int
    created:
      description: As RV(created).
      type: str
    cost:
      description: As RV(cost).
      type: int
    forecast:
      description: As RV(forecast); null without O(forecast=true).
      type: dict
    failed:
      description: Whether it could not be read.
      type: bool
    reason:
      description: Why, as V(store), V(unauthorized) or V(network); null where it was read.
      type: str
    msg:
      description: What happened, and what to do; null where it was read.
      type: str
  sample:
    - name: billing
      hash: 3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9
      wallet: 99
      created:
      cost: 0
      forecast:
      failed: false
      reason:
      msg:
  version_added: 0.2.0
"""

from typing import Any

# Mitogen knows a Python module by these words: from ansible.module_utils.
from ..module_utils.core.client import EchoValueClient
from ..module_utils.core.errors import EchoValueError, UnauthorizedError
from ..module_utils.core.models import token_hash
from ..module_utils.places.registry import PLACES
from ..module_utils.task.failure import failure
from ..module_utils.task.many_wallets import NOTHING, read_wallet, read_wallets, result_of
from ..module_utils.task.module import CONNECTION_SPEC, Module, passed_token, run, token_of
from ..module_utils.task.options import TOKEN_CONSTRAINTS, TOKEN_SPEC, WALLETS_SPEC


def work(module: Module, client: EchoValueClient) -> None:
    requested = {name: module.params[name] for name in ("details", "forecast")}
    if module.params["tokens"] is not None:
        tokens = [(item["name"], _token_of(module, item)) for item in module.params["tokens"]]
        result = result_of(read_wallets(tokens, client, **requested))
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)
    token = passed_token(module)
    found = dict(NOTHING)
    if token is not None:
        try:
            found = read_wallet(client, token, **requested)
        except UnauthorizedError as error:
            module.fail_json(hash=token_hash(token), **failure(error))
    if not module.params["forecast"]:
        del found["forecast"]
    module.exit_json(changed=False, **found)


def _token_of(module: Module, item: dict[str, Any]) -> str | EchoValueError | None:
    """Return the token of an item, or why it is not known."""
    try:
        return token_of(module, item, "Each item of tokens must name its token or its place.")
    except EchoValueError as error:
        return error


def main() -> None:
    module = Module(
        argument_spec={
            "details": {"type": "bool", "default": True},
            "forecast": {"type": "bool", "default": False},
            "tokens": WALLETS_SPEC,
            **TOKEN_SPEC,
            **CONNECTION_SPEC,
        },
        mutually_exclusive=[
            *TOKEN_CONSTRAINTS["mutually_exclusive"],
            *(("tokens", n) for n in ("token", *PLACES)),
        ],
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
