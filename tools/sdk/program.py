# SPDX-License-Identifier: BSD-2-Clause
"""A program with the generated Python SDK: its types are checked, and tests/pulumi runs it."""

import pulumi
import pulumi_echovalue_native as echovalue

token = echovalue.Token("app", keepers={"release": "2026-11"})
wallet = echovalue.get_wallet_output(token=token.token, base_url=token.service, details=False)
link = echovalue.get_recharge_link_output(token=token.token, base_url=token.service)
pulumi.export("token", token.token)
pulumi.export("credits", pulumi.Output.unsecret(wallet.wallet))
pulumi.export("recharge", link.url)
