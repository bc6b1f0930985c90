#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echovalue_token
short_description: Provision an EchoValue API token once, and keep it
version_added: 0.1.0
description:
  - Finds the token where it is kept, proves it with a free request, and mints one only where none is kept.
  - A new token is on disk before anything else happens, so that it is not lost when a later step fails.
  - A token cannot be listed, renamed or revoked at the service. Whoever loses one loses the credits in its wallet.
author:
  - EchoValue IaC contributors (@echovalue)
extends_documentation_fragment:
  - echovalue.cloud.connection
  - echovalue.cloud.attributes
attributes:
  check_mode:
    description: Can run in check mode and tell what it would change.
    support: full
    details:
      - Nothing is minted and nothing is written. A stored or a given token is proven all the same, which is free.
      - A token that would be new is null in the result, and so is its hash.
  diff_mode:
    description: Returns what changed, or would change.
    support: full
    details:
      - The difference shows hashes, never a token. On screen it shows in check mode and with O(state=absent);
        elsewhere it is hidden with the censored result.
options:
  path:
    description:
      - The file on the target that keeps the token, as one line. Its directory must exist.
      - Symbolic links are followed.
      - With neither O(path) nor O(token), a token is minted at each run and returned, for handing it to a
        secret manager behind a C(when).
    type: path
  token:
    description:
      - A token to adopt. It is proven, then stored at O(path); without O(path) it is only proven and returned.
      - Another token that O(path) holds is replaced by it, and kept as a backup.
      - Excludes O(regenerate=always).
    type: str
  state:
    description:
      - With V(present) a token is kept.
      - With V(absent) the file goes. The token itself stays valid, since the service cannot revoke it; a warning
        says so. No request is sent.
    type: str
    choices: [present, absent]
    default: present
  verify:
    description:
      - Whether a stored token is proven with the free request.
      - With V(false) no request is sent when a token is stored.
    type: bool
    default: true
  regenerate:
    description:
      - When a stored token gives way to a new one.
      - With V(never) a stored token that the service does not know fails the task, and stays.
      - With V(if_invalid) it is replaced; only the answer 401 counts, never an empty wallet or a service that
        is down.
      - With V(always) it is replaced at each run, which rotates it. Credits stay with the old token.
    type: str
    choices: [never, if_invalid, always]
    default: never
  backup:
    description: Whether a token that is replaced or removed is kept in a file beside O(path), with mode V(0600).
    type: bool
    default: true
  owner:
    description: Name of the user that is to own the file, as for M(ansible.builtin.file).
    type: str
  group:
    description: Name of the group that is to own the file, as for M(ansible.builtin.file).
    type: str
  mode:
    description: Permissions of the file, as for M(ansible.builtin.file).
    type: raw
    default: "0600"
seealso:
  - module: echovalue.cloud.echovalue_wallet_info
  - module: echovalue.cloud.echovalue_recharge_link
"""

EXAMPLES = r"""
- name: Provision a token
  echovalue.cloud.echovalue_token:
    path: /etc/myapp/echovalue.token
    owner: myapp
  register: echovalue

- name: Use it
  ansible.builtin.uri:
    url: https://api.echovalue.dev/token/logs
    headers:
      x-token: "{{ echovalue.token }}"
  no_log: true

- name: Adopt a token that was minted by hand
  echovalue.cloud.echovalue_token:
    path: /etc/myapp/echovalue.token
    token: "{{ vault_echovalue_token }}"

- name: Rotate it
  echovalue.cloud.echovalue_token:
    path: /etc/myapp/echovalue.token
    regenerate: always

- name: Mint one for a secret manager that holds none yet
  echovalue.cloud.echovalue_token:
  register: minted
  when: stored_token is not defined

- name: Forget the token, and keep no backup
  echovalue.cloud.echovalue_token:
    path: /etc/myapp/echovalue.token
    state: absent
    backup: false
"""

RETURN = r"""
token:
  description: The token; null with O(state=absent), and in check mode where it would be new.
  returned: success
  type: str
  sample: 0123456789abcdef0123456789abcdef
hash:
  description: The token's sha256 in hex, by which it can be named in public; null where RV(token) is.
  returned: success
  type: str
  sample: 3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9
status:
  description:
    - What was done, or in check mode would be, one of V(minted), V(kept), V(adopted), V(replaced), V(removed), V(absent).
  returned: success
  type: str
  sample: kept
balance:
  description: Credits in the wallet, where the free request told it, else null.
  returned: success
  type: int
  sample: 100
path:
  description: The file that keeps the token, as it was given; null without one.
  returned: success
  type: str
  sample: /etc/myapp/echovalue.token
backup_file:
  description: The file that keeps the token that was replaced or removed, else null.
  returned: success
  type: str
  sample: /etc/myapp/echovalue.token.4711.2026-11-24@10:00:00~
"""

import os
from contextlib import contextmanager

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.echovalue.cloud.plugins.module_utils.core.client import EchoValueClient
from ansible_collections.echovalue.cloud.plugins.module_utils.core.models import token_hash
from ansible_collections.echovalue.cloud.plugins.module_utils.core.provision import (
    REGENERATE,
    Outcome,
    provision,
    remove,
)
from ansible_collections.echovalue.cloud.plugins.module_utils.module import (
    CONNECTION_SPEC,
    exit_with_secret,
    run,
)
from ansible_collections.echovalue.cloud.plugins.module_utils.token_file import TokenFile


class Nowhere:
    """A `Store` without a place: a token is only handed on."""

    keeps = False
    recovered = False
    backup_file = None

    @contextmanager
    def lock(self):
        yield

    def read(self):
        return None

    def check_writable(self):
        pass

    def write(self, token):
        pass

    def remove(self):
        pass

    def settle_attributes(self):
        return False


def token_file(module):
    """Return the store that the module's options name."""
    params = module.params
    if params["path"] is None:
        return Nowhere()

    def set_attributes(path):
        arguments = module.load_file_common_arguments(dict(params, path=path))
        return module.set_fs_attributes_if_different(arguments, False)

    return TokenFile(params["path"], set_attributes, backup=params["backup"], dry_run=module.check_mode)


def diff(outcome: Outcome, path: str | None) -> dict[str, str]:
    """Return the difference in hashes: a new token's is not known before it is minted."""

    def line(token):
        return "" if token is None else f"sha256 {token_hash(token)}\n"

    after = line(outcome.token)
    if outcome.token is None and outcome.status in ("minted", "replaced"):
        after = "a new token\n"
    header = path or "token"
    return {
        "before_header": header,
        "before": line(outcome.previous),
        "after_header": header,
        "after": after,
    }


def work(module: AnsibleModule, client: EchoValueClient) -> None:
    params = module.params
    path = params["path"]
    store = token_file(module)
    if params["state"] == "absent":
        outcome = remove(store, dry_run=module.check_mode)
        changed = outcome.changed
        if outcome.changed:
            module.warn(
                "EchoValue cannot revoke a token: the one that was removed here stays valid, and "
                "its credits can be spent by whoever has it."
            )
    else:
        outcome = provision(
            client,
            store,
            token=params["token"],
            verify=params["verify"],
            regenerate=params["regenerate"],
            dry_run=module.check_mode,
        )
        attributes_changed = store.settle_attributes()
        changed = outcome.changed or attributes_changed or store.recovered
        if module.check_mode and path and not os.path.isdir(os.path.dirname(os.path.realpath(path))):
            module.warn(f"The directory of {path} does not exist: without it nothing will be minted.")
    exit_with_secret(
        module,
        outcome.token,
        changed=changed,
        token=outcome.token,
        hash=outcome.hash,
        status=outcome.status,
        balance=outcome.balance,
        path=path,
        backup_file=store.backup_file,
        diff=diff(outcome, path),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path"},
            "token": {"type": "str", "no_log": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "verify": {"type": "bool", "default": True},
            "regenerate": {"type": "str", "choices": list(REGENERATE), "default": "never"},
            "backup": {"type": "bool", "default": True},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "raw", "default": "0600"},
            **CONNECTION_SPEC,
        },
        required_if=[("state", "absent", ("path",))],
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
