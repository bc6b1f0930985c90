# SPDX-License-Identifier: BSD-2-Clause
"""Mint a token once into OpenBao, where the rest of the rollout finds it; it is in no state.

VAULT_ADDR and VAULT_TOKEN (or ~/.vault-token) say where and who.
"""

import pulumi

import pulumi_echovalue as echovalue

token = echovalue.Token("app", place={"hashi_vault": {"path": "apps/shop"}})
wallet = echovalue.get_wallet(token, details=False)  # reads the token where it is

pulumi.export("hash", token.hash)
pulumi.export("stored_at", token.stored_at)
pulumi.export("credits", wallet.wallet)
