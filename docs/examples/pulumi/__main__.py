# SPDX-License-Identifier: BSD-2-Clause
"""One token, its wallet, and a link to recharge it."""

import pulumi

import pulumi_echovalue as echovalue

token = echovalue.Token("app")
wallet = echovalue.get_wallet(token, details=False)  # the free reading

pulumi.export("token", token.token)  # secret
pulumi.export("hash", token.hash)
pulumi.export("credits", pulumi.Output.unsecret(wallet.wallet))  # a balance is no secret
pulumi.export("recharge", echovalue.get_recharge_link(token))  # secret
