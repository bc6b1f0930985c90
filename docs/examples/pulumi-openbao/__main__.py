# SPDX-License-Identifier: BSD-2-Clause
"""Mint a token once, and register it in a KV version 2 store, where the rest of the rollout finds it."""

import pulumi
from kv_entry import KvEntry

import pulumi_echovalue as echovalue

token = echovalue.Token("app")
entry = KvEntry("app", mount="secret", path="myapp", key="echovalue_token", value=token.token)

pulumi.export("hash", token.hash)
pulumi.export("entry", entry.id)
