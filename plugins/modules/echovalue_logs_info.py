#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echovalue_logs_info
short_description: Read the service's own log of the calls of an EchoValue API token
version_added: 0.2.0
description:
  - Returns the newest calls that were made with a token, for free. The service keeps them for 7 days.
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
      - Where the token would come from a task before this one, no request is sent, and the results are null.
  diff_mode:
    description: Returns what changed.
    support: none
    details:
      - It changes nothing.
options:
  n:
    description: How many calls at most, from V(1) to V(100).
    type: int
    default: 5
  type:
    description:
      - Only calls of this category, such as V(kv), V(token), V(settings), V(webhook), V(webhook-delivery),
        V(url-to-metadata), V(myip), V(service) for recharges, or V(manage).
      - The service takes one that it does not know, and has no calls of it.
    type: str
seealso:
  - module: echovalue.cloud.echovalue_wallet_info
"""

EXAMPLES = r"""
- name: Read what the last hundred calls were
  echovalue.cloud.echovalue_logs_info:
    path: /etc/myapp/echovalue.token
    n: 100
  register: log

- name: Say which of them failed
  ansible.builtin.debug:
    msg: "{{ log.logs | selectattr('error', 'defined') | map(attribute='path') }}"
"""

RETURN = r"""
logs:
  description:
    - The calls, the newest first, as the service sent them. A field may be missing where an older deployment has none.
    - Should one hold the token, that is masked.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: What distinguishes the entry.
      type: str
    method:
      description: The HTTP method.
      type: str
    path:
      description: The path, with its query.
      type: str
    endpoint:
      description: The category.
      type: str
    status_code:
      description: The HTTP status of the answer.
      type: int
    response_time_ms:
      description: How many milliseconds the answer took.
      type: int
    error:
      description: What went wrong; missing on success.
      type: str
    timestamp:
      description: When it was, as ISO 8601.
      type: str
    expiration:
      description: When the entry goes, as ISO 8601.
      type: str
    cost:
      description: Credits that it took.
      type: int
    balance:
      description: Credits that were left.
      type: int
  sample:
    - id: jd9kImh8U4In3odfNeKf
      method: GET
      path: /kv/default/mykey
      endpoint: kv
      status_code: 200
      response_time_ms: 13
      timestamp: "2023-12-07T12:14:16.12Z"
      expiration: "2023-12-14T12:14:16.12Z"
      cost: 1
      balance: 97
spent:
  description: Credits that the calls in RV(logs) took together.
  returned: success
  type: int
  sample: 1
reason:
  description: Why the task failed.
  returned: failure
  type: str
  sample: unauthorized
"""

import json

# Mitogen knows a Python module by these words: from ansible.module_utils.
from ..module_utils.core.client import EchoValueClient
from ..module_utils.core.models import is_int
from ..module_utils.task.module import CONNECTION_SPEC, Module, passed_token, run
from ..module_utils.task.options import TOKEN_CONSTRAINTS, TOKEN_SPEC


def work(module: Module, client: EchoValueClient) -> None:
    token = passed_token(module)
    if token is None:
        module.exit_json(changed=False, logs=None, spent=None)
    logs = client.get_logs(token, module.params["n"], module.params["type"])
    logs = json.loads(json.dumps(logs).replace(json.dumps(token)[1:-1], "********"))
    costs = [entry["cost"] for entry in logs if is_int(entry.get("cost"))]
    module.exit_json(changed=False, logs=logs, spent=sum(costs))


def main() -> None:
    module = Module(
        argument_spec={
            "n": {"type": "int", "default": 5},
            "type": {"type": "str"},
            **TOKEN_SPEC,
            **CONNECTION_SPEC,
        },
        **TOKEN_CONSTRAINTS,
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
