# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that take a token."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  token:
    description:
      - The token.
      - With neither O(token) nor a place, the environment variable E(ECHOVALUE_TOKEN) of the target is used.
    type: str
  path:
    description:
      - The file on the target that keeps the token.
      - All other places are read by the controller, as M(echovalue.cloud.echovalue_token) reads them, and nothing is
        changed there. Their token goes to the target, as O(token) does; a connection does not.
    type: path
  vault_file:
    description:
      - The YAML file on the controller that keeps the token, encrypted by Ansible Vault.
    type: path
    version_added: 0.2.0
  variable:
    description:
      - The variable in O(vault_file) that holds the token; by default C(echovalue_token).
    type: str
    version_added: 0.2.0
  vault_id:
    description:
      - Taken as M(echovalue.cloud.echovalue_token) takes it; for reading it has no use.
    type: str
    version_added: 0.2.0
  sops:
    description:
      - The key of a SOPS file on the controller that holds the token.
    type: dict
    version_added: 0.2.0
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
    version_added: 0.2.0
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
    version_added: 0.2.0
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
    version_added: 0.2.0
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
    version_added: 0.2.0
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
"""
