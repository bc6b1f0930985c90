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
    description: Can run in check mode and report what it would change.
    support: full
    details:
      - Nothing is minted and nothing is written. A stored or a passed token is proven all the same, which is free.
      - A token that would be new is null in the result, and so is its hash.
      - The write is rehearsed with O(sops), O(hashi_vault) and O(kubernetes). With O(aws_secretsmanager) and O(command)
        the read is the rehearsal.
  diff_mode:
    description: Returns what changed, or would change.
    support: full
    details:
      - The difference shows hashes, never a token. Before ansible-core 2.22 it shows on screen in check mode and with
        O(state=absent); elsewhere it is hidden with the censored result.
options:
  path:
    description:
      - The file on the target that keeps the token, as one line. Its directory must exist.
      - Symbolic links are followed. A file that cannot be replaced, such as a mount point of its own, is
        refused.
      - With no place at all, and no O(token), a token is minted at each run and returned, for handing it on
        behind a C(when).
    type: path
  owner: &owner
    description:
      - Name of the user that is to own the file, as for M(ansible.builtin.file).
    type: str
  group: &group
    description:
      - Name of the group that is to own the file, as for M(ansible.builtin.file).
    type: str
  mode: &mode
    description:
      - Permissions of the file, as for M(ansible.builtin.file). By default a new file is V(0600), and an
        existing one keeps its own.
      - Permissions that let all other users write are refused.
    type: raw
  vault_file: &vault_file
    description:
      - A YAML file on the controller that keeps the token, encrypted with the vault secrets of the run. A
        relative path starts from the playbook's directory; the file's directory must exist.
      - A new file, or one in plain YAML, gets an inline V(!vault) value. A wholly encrypted file stays that.
        Only O(variable) changes; all other bytes stay, comments and order included.
      - All places but O(path) are worked on by the controller, which needs C(requests) for it; nothing is sent
        to the target.
      - An existing file keeps its permissions; a new one is V(0600).
    type: path
  variable: &variable
    description:
      - The variable in O(vault_file) that holds the token; by default C(echovalue_token).
    type: str
  vault_id: &vault_id
    description:
      - Which of the vault ids of the run encrypts.
      - By default a file or a value that is encrypted keeps its own; else it is Ansible's own choice, which is
        C(DEFAULT_VAULT_ENCRYPT_IDENTITY), or the first of the run.
    type: str
  sops: &sops
    description:
      - A key of a SOPS file on the controller.
      - Needs the program C(sops) 3.11 or newer. The file's keys come from the environment, such as
        E(SOPS_AGE_KEY_FILE), which the task's C(environment) may set, or from the variables of
        C(community.sops), such as C(sops_age_keyfile).
    type: dict
    suboptions:
      file:
        description:
          - The file. A relative path starts from the playbook's directory. A new file follows the creation
            rules of C(.sops.yaml).
        type: path
      key:
        description:
          - The key that holds the token; by default C(echovalue_token). Dots lead into mappings, as
            C(stringData.token) does. SOPS's own form C(["a.b"]["c"]) is taken too.
        type: str
  hashi_vault: &hashi_vault
    description:
      - A key of a KV version 2 secret of OpenBao or HashiCorp Vault.
      - Needs the collection community.hashi_vault and C(hvac).
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
          - The key that holds the token; by default C(token). Other keys stay.
        type: str
      custom_metadata:
        description:
          - Custom metadata of the secret where it is created. One that exists keeps its own.
        type: dict
      connection:
        description:
          - Options of the lookups of community.hashi_vault, such as C(url), C(auth_method), C(token),
            C(namespace), by their names there. What it leaves out comes from where those take it, such as
            E(VAULT_ADDR). What is secret in it is never shown.
        type: dict
  kubernetes: &kubernetes
    description:
      - A key of a Secret of Kubernetes.
      - Needs the collection kubernetes.core and C(kubernetes).
    type: dict
    suboptions:
      name:
        description:
          - The name of the Secret.
        type: str
      namespace:
        description:
          - The namespace, which must exist; by default C(default).
        type: str
      key:
        description:
          - The key that holds the token; by default C(token). Other keys, labels and the type stay.
        type: str
      labels:
        description:
          - Labels of the Secret where it is created. One that exists keeps its own.
        type: dict
      annotations:
        description:
          - Annotations of the Secret where it is created. One that exists keeps its own.
        type: dict
      connection:
        description:
          - Options of the modules of kubernetes.core, such as C(kubeconfig), C(context), C(host), C(api_key),
            by their names there. What it leaves out comes from where those take it, such as
            E(K8S_AUTH_KUBECONFIG). What is secret in it is never shown.
        type: dict
  aws_secretsmanager: &aws_secretsmanager
    description:
      - A key of the JSON object in a secret of AWS Secrets Manager.
      - Needs C(boto3).
    type: dict
    suboptions:
      name:
        description:
          - The name of the secret.
        type: str
      key:
        description:
          - The key that holds the token; by default C(token). Other keys stay.
        type: str
      tags:
        description:
          - Tags of the secret where it is created. One that exists keeps its own.
        type: dict
      kms_key_id:
        description:
          - The KMS key that encrypts the secret where it is created; by default that of the account.
        type: str
      description:
        description:
          - The description of the secret where it is created.
        type: str
      connection:
        description:
          - C(region), C(profile), C(endpoint_url), C(access_key), C(secret_key) and C(session_token), as in
            amazon.aws. What it leaves out comes from where boto3 takes it. What is secret in it is never shown.
        type: dict
  command: &command
    description:
      - A program that keeps the token. C(argv) with C(get) behind it prints the token, or nothing; with
        C(store) it reads the token on standard input, as a line.
      - Any exit but 0 is a failure. There is no shell, and no token in an argument.
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
  token:
    description:
      - A token to adopt. It is proven, then stored in the place that is named; with none it is only proven and
        returned.
      - Another token that is kept there is replaced by it, and stays as a backup.
      - Excludes O(regenerate=always).
    type: str
  copies: &copies
    description:
      - Further places for the same token, each with one of these. The token is in its own place before any copy, and that
        place decides. Each copy is compared with it, and written where it differs; what that overwrites falls under
        O(backup), as in a place.
      - A copy that cannot be read, or whose login may not write it, is refused before the mint, as far as it lets that be
        found out. One that fails later fails the task at its end, and the next run repairs it.
      - With O(state=absent) the copies are removed first, and then the place.
      - The place is one of the controller then, as all copies are. Equal places are refused. Beside O(tokens) it belongs into
        the items.
    type: list
    elements: dict
    version_added: 0.2.0
    suboptions:
      vault_file: *vault_file
      variable: *variable
      vault_id: *vault_id
      sops: *sops
      hashi_vault: *hashi_vault
      kubernetes: *kubernetes
      aws_secretsmanager: *aws_secretsmanager
      command: *command
      github_secret:
        description:
          - A secret of GitHub Actions.
          - GitHub does not say what a secret holds. So a variable beside it, named after it with C(_SHA256) behind, holds the
            sha256 of the token and the time of the secret's last change. Where one of them has changed, it is written again.
          - Needs C(PyGithub) and C(PyNaCl).
        type: dict
        suboptions:
          repository:
            description:
              - The repository, as C(OWNER/NAME).
            type: str
          name:
            description:
              - The name of the secret; by default C(ECHOVALUE_TOKEN).
            type: str
          environment:
            description:
              - The environment of the repository whose secret it is; by default it is that of the repository itself.
            type: str
          connection:
            description:
              - C(token), C(api_url), C(validate_certs) and C(ca_path). What it leaves out comes from E(GH_TOKEN) or
                E(GITHUB_TOKEN), and E(GITHUB_API_URL). What is secret in it is never shown.
              - The token needs read and write access to Secrets and Variables. A job's own C(GITHUB_TOKEN) has neither.
            type: dict
      gitlab_variable:
        description:
          - A CI/CD variable of a project or a group of GitLab. One that is hidden cannot be read, and is refused.
          - Needs C(python-gitlab).
        type: dict
        suboptions:
          project:
            description:
              - The project, as its path or its id. Excludes O(copies[].gitlab_variable.group).
            type: str
          group:
            description:
              - The group, as its path or its id.
            type: str
          key:
            description:
              - The key of the variable; by default C(ECHOVALUE_TOKEN).
            type: str
          environment_scope:
            description:
              - The environments that see it; by default C(*), which is all.
            type: str
          masked:
            description:
              - Whether jobs mask it in their logs. By default a new one is masked, and an existing one keeps its own.
            type: bool
          protected:
            description:
              - Whether only protected branches and tags see it. By default a new one is not, and an existing one keeps its own.
            type: bool
          connection:
            description:
              - C(api_token) or C(api_oauth_token), C(api_url), C(validate_certs) and C(ca_path), as in community.general. What it
                leaves out comes from E(GITLAB_TOKEN), and E(CI_SERVER_URL). What is secret in it is never shown.
              - The token needs the scope C(api), and the role Maintainer of the project or Owner of the group. A job's own
                C(CI_JOB_TOKEN) is refused.
            type: dict
  spool:
    description:
      - A private directory on the controller, where a token is pending, with mode V(0600), from its mint until the place has
        it. The next run takes up what is pending there. All places but O(path) and O(vault_file) use it.
      - On a runner whose home is thrown away, name a directory that stays, and that is no artifact and no cache.
      - An absolute path, or one that starts with V(~).
    type: path
    default: ~/.echovalue/spool
  state:
    description:
      - With V(present) a token is kept.
      - With V(absent) the entry goes, and other entries stay. Where it was the only one, the key goes, and the file or the
        secret stays, but for the file of O(path) itself. The token itself stays valid, since the service cannot revoke
        it; a warning says so. No request is sent. Not with O(command).
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
  max_age:
    description:
      - Rotates a stored token that is older than this, such as V(90d). A number with V(s), V(m), V(h), V(d) or V(w) behind it.
      - The old token stays valid, so that nothing which uses it breaks. The credits in its wallet stay with it; O(max_loss)
        says how many that may be.
      - Its age is what the service says, and reading that costs 1 credit at each run, in check mode too. So it belongs into
        a nightly play. Where the wallet is empty, or its balance is not reported for free, nothing is read, the token is not
        rotated, and a warning says so.
      - It holds for each item of O(tokens). Excludes O(verify=false), O(token), O(regenerate=always), and a task without a
        place.
    type: str
    version_added: 0.2.0
  max_loss:
    description:
      - How many credits a rotation by O(max_age) may leave behind with the old token; by default as many as a new one has. A
        token with more is not rotated, and a warning says so.
    type: int
    default: 100
    version_added: 0.2.0
  backup:
    description:
      - Whether a token that is replaced or removed is kept.
      - A file is copied beside itself, with mode V(0600), as encrypted as it is. Elsewhere the old token stays in O(spool),
        unless O(hashi_vault) or O(aws_secretsmanager) is seen to keep it in an older version that no setting takes away.
    type: bool
    default: true
  tokens:
    description:
      - Many tokens in one run, O(concurrency) at a time. All other options hold for each of them.
      - A failure of one stops no other; the task fails at its end, and lists each. What was minted is kept.
      - Where the service has been away for a minute, what was not tried yet is not tried any more.
      - A place beside it gives the items their defaults, so that C(hashi_vault.connection) is said once.
      - Items with O(tokens[].path), on the target, and items of the controller exclude each other.
      - Excludes O(path) and O(token).
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - The file on the target that keeps the token.
        type: path
      owner: *owner
      group: *group
      mode: *mode
      vault_file: *vault_file
      variable: *variable
      vault_id: *vault_id
      sops: *sops
      hashi_vault: *hashi_vault
      kubernetes: *kubernetes
      aws_secretsmanager: *aws_secretsmanager
      command: *command
      token:
        description:
          - A token to adopt.
        type: str
      copies: *copies
  concurrency:
    description: How many tokens are worked on, and how many connections there are, at a time with O(tokens).
    type: int
    default: 8
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

- name: Rotate it when it is older than 90 days, unless paid credits would stay with it
  echovalue.cloud.echovalue_token:
    path: /etc/myapp/echovalue.token
    max_age: 90d

- name: Provision a token in the vaulted variables of a group
  echovalue.cloud.echovalue_token:
    vault_file: group_vars/app/vault.yml
    variable: app_echovalue_token

- name: Provision one for each application in one go
  echovalue.cloud.echovalue_token:
    owner: root
    tokens:
      - path: /etc/billing/echovalue.token
        owner: billing
      - path: /etc/search/echovalue.token
        owner: search

- name: Keep it in OpenBao or HashiCorp Vault
  echovalue.cloud.echovalue_token:
    hashi_vault:
      path: apps/shop/echovalue
      connection:
        url: https://vault.example.com:8200
        auth_method: approle
        role_id: "{{ shop_role_id }}"
        secret_id: "{{ shop_secret_id }}"

- name: Keep it in OpenBao, and give the pipelines a copy
  echovalue.cloud.echovalue_token:
    hashi_vault:
      path: apps/shop/echovalue
    copies:
      - github_secret:
          repository: acme/shop
          environment: production
      - gitlab_variable:
          project: acme/shop
          protected: true

- name: Keep one for each team in a Secret of its namespace
  echovalue.cloud.echovalue_token:
    kubernetes:
      name: echovalue
      connection:
        context: production
    tokens:
      - kubernetes:
          namespace: billing
      - kubernetes:
          namespace: search

- name: Keep it in the manifest of a Secret that Flux decrypts
  echovalue.cloud.echovalue_token:
    sops:
      file: clusters/production/echovalue.yaml
      key: stringData.token

- name: Go on where the service does not know the stored token, and fail for all other reasons
  block:
    - name: Provision it
      echovalue.cloud.echovalue_token:
        path: /etc/myapp/echovalue.token
      register: provisioned
  rescue:
    - name: Fail unless the token is unknown
      ansible.builtin.fail:
        msg: "{{ provisioned.msg }}"
      when: provisioned.reason != 'unauthorized'

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
  description: Credits in the wallet, where the free request reported it, else null.
  returned: success
  type: int
  sample: 100
created:
  description:
    - When the service says that the token was created; null where that was not read, as for a new token.
  returned: with O(max_age)
  type: str
  sample: "2026-08-09T15:40:09.77Z"
rotation_due:
  description:
    - Whether the token in the place is older than O(max_age). V(true) where O(max_loss) held the rotation back, V(false) for
      one that is new; null where its age is not known.
  returned: with O(max_age)
  type: bool
  sample: false
copies:
  description:
    - One entry for each of O(copies), in the order passed. C(status) is one of V(written), V(kept), V(removed), V(absent),
      V(failed); C(reason) and C(msg) are null unless it failed.
    - With O(tokens) each entry has such a list if any item has copies. Where a copy failed, so did the task, with the reason
      V(store), and its result has all but the token.
  returned: with O(copies)
  type: list
  elements: dict
  sample:
    - place: secret ECHOVALUE_TOKEN of acme/shop at https://api.github.com
      store: github_secret
      status: kept
      reason: null
      msg: null
store:
  description:
    - The kind of place, one of V(file), V(ansible_vault), V(sops), V(hashi_vault), V(kubernetes),
      V(aws_secretsmanager), V(command); null where the token is only handed on.
  returned: success
  type: str
  sample: hashi_vault
place:
  description: The place in words, else null.
  returned: success
  type: str
  sample: key token of secret/apps/shop at https://vault.example.com:8200
path:
  description: The file that keeps the token as it was passed, of O(path), O(vault_file) or O(sops); else null.
  returned: success
  type: str
  sample: /etc/myapp/echovalue.token
variable:
  description: The variable in O(vault_file) that holds the token, else null.
  returned: success
  type: str
  sample: echovalue_token
tokens:
  description:
    - With O(tokens), instead of the above, one entry with the same fields for each, in the order passed.
    - All entries have the same keys, C(failed), C(msg) and C(reason) among them. If one fails, so does the task, and
      then no entry holds its token.
  returned: with O(tokens)
  type: list
  elements: dict
  sample:
    - changed: false
      token: 0123456789abcdef0123456789abcdef
      hash: 3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9
      status: kept
      balance: 100
      path: /etc/billing/echovalue.token
      store: file
      place: the file /etc/billing/echovalue.token
      variable: null
      backup_file: null
      failed: false
      msg: null
      reason: null
reason:
  description:
    - Why it failed, one of V(invalid_input), V(store) (the place cannot be read or written), V(conflict) (another writer
      changed it at the same time), V(network), V(timeout), V(unauthorized) (the service answered 401),
      V(payment_required), V(rate_limited), V(unavailable), V(unexpected_answer), V(ambiguous_mint) (a token may have
      been minted and lost).
  returned: failure
  type: str
  sample: unavailable
backup_file:
  description: The file with the token that was replaced or removed; null where none was, or where an older version of
    the secret has it.
  returned: success
  type: str
  sample: /etc/myapp/echovalue.token.4711.2026-11-24@10:00:00.1a2b3c4d~
"""

import copy
import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.client import EchoValueClient
from ..module_utils.core.errors import InvalidInputError, StoreError
from ..module_utils.files.directory_lock import DirectoryLock
from ..module_utils.files.token_file import TokenFile
from ..module_utils.task.many_tokens import perform_many
from ..module_utils.task.module import CONNECTION_SPEC, Module, exit_with_secrets, run
from ..module_utils.task.options import ARGUMENT_SPEC, CONSTRAINTS
from ..module_utils.task.results import Place, perform
from ..module_utils.task.token_requests import TokenRequest, is_for_controller, token_requests


def attribute_setter(module: Module, options: Mapping[str, Any]) -> Callable[[str], bool]:
    """Return a function that gives a file the owner, group and mode that the options ask for."""

    def fail(msg: str, **_details: Any) -> NoReturn:
        raise StoreError(f"Its owner, group or mode cannot be set: {msg}.")

    files: Any = copy.copy(module)
    files.fail_json = fail  # its own would end the process, and with it what other threads are at

    def set_attributes(path: str) -> bool:
        arguments = files.load_file_common_arguments(dict(options, path=path))
        return bool(files.set_fs_attributes_if_different(arguments, False))

    return set_attributes


def check_mode_of(path: str, mode: Any) -> None:
    """Raise InvalidInputError where permissions, read as Ansible does, would let all other users write."""
    try:
        found = os.stat(path)
    except OSError:
        found = os.stat_result((stat.S_IFREG | 0o600, *[0] * 9))  # as a new file is made
    try:
        permissions = mode if isinstance(mode, int) else int(mode, 8)
    except ValueError:
        try:
            permissions = AnsibleModule._symbolic_mode_to_octal(found, mode)
        except ValueError:
            return  # no permissions at all: Ansible says so when it sets them
    except TypeError:
        return
    if permissions & stat.S_IWOTH:
        raise InvalidInputError(f"mode {mode} would let every user of the target write to {path}.")


def place_of(module: Module, request: TokenRequest, directories: dict[str, DirectoryLock]) -> Place | None:
    """Return the requested file; files of one directory share its lock and its syncs."""
    if request.place is None:
        return None
    path = request.options["path"]
    check_mode_of(path, request.options["mode"])
    where = os.path.dirname(os.path.realpath(path))
    file = TokenFile(
        path,
        attribute_setter(module, request.options),
        backup=request.backup,
        dry_run=module.check_mode,
        directory=directories.setdefault(where, DirectoryLock(where)),
    )
    if module.check_mode and not os.path.isdir(where):
        module.warn(f"The directory of {path} does not exist: without it nothing will be minted.")
    return Place(file, "file", f"the file {path}", path=path, apply_attributes=file.apply_attributes)


def work(module: Module, client: EchoValueClient) -> None:
    params = module.params
    doing = {"check_mode": module.check_mode, "warn": module.warn}
    directories: dict[str, DirectoryLock] = {}
    requests = token_requests(params)
    if params["tokens"] is None:
        result = perform(requests[0], client, place_of(module, requests[0], directories), **doing)
        exit_with_secrets(module, [result["token"]], **result)
    files = {os.path.realpath(one.options["path"]) for one in requests}
    if len(files) < len(requests):
        raise InvalidInputError("Two items of tokens name the same file.")
    pairs = [(one, place_of(module, one, directories)) for one in requests]
    with ExitStack() as locks:
        for path in sorted(directories):  # in one order, so that two runs cannot wait for each other
            locks.enter_context(directories[path].lock())
        result = perform_many(pairs, client, params["concurrency"], **doing)
    if result.get("failed"):
        module.fail_json(**result)
    exit_with_secrets(module, [entry["token"] for entry in result["tokens"]], **result)


def main() -> None:
    module = Module(
        argument_spec={**ARGUMENT_SPEC, **CONNECTION_SPEC},
        supports_check_mode=True,
        **CONSTRAINTS,
    )
    if is_for_controller(module.params):
        module.fail_json("This place is worked on by the controller, in the action plugin of this module.")
    run(module, work)


if __name__ == "__main__":
    main()
