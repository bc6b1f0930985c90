# SPDX-License-Identifier: BSD-2-Clause
"""What a type checker has to know of the package; it is checked, not run."""

from typing import assert_type

import pulumi

import pulumi_echovalue as echovalue

release: pulumi.Output[str] = pulumi.Config().require_secret("release")
token = echovalue.Token("app", existing_token=release, keepers={"a": "1", "b": release}, base_url=None)
wallet = echovalue.get_wallet(token, details=False)

assert_type(token.token, pulumi.Output[str])
assert_type(token.hash, pulumi.Output[str])
assert_type(token.service, pulumi.Output[str])
assert_type(wallet, pulumi.Output[echovalue.Wallet])
assert_type(wallet.apply(lambda found: found.wallet), pulumi.Output[int | None])
assert_type(echovalue.get_wallet(token.token, required=False), pulumi.Output[echovalue.Wallet])
assert_type(echovalue.get_recharge_link("some-token", 3), pulumi.Output[str])
assert_type(echovalue.get_recharge_link(token, required=False), pulumi.Output[str | None])
assert_type(echovalue.__version__, str)
alert = echovalue.WalletAlert("low", token, 5, webhook={"url": release, "options": {"chat_id": 5}})
assert_type(alert.threshold, pulumi.Output[int | None])

# A check that finds nothing wrong here would complain of the comments.
echovalue.Token("app", keepers=["1"])  # type: ignore[arg-type]
echovalue.Token("app", existing_token=1)  # type: ignore[arg-type]
echovalue.Token("app", existing_tokens="1")  # type: ignore[call-arg]
echovalue.WalletAlert("low", token, webhook={"format": "slack"})  # type: ignore[arg-type]
echovalue.get_wallet(1)  # type: ignore[arg-type]
echovalue.get_recharge_link("some-token", "3")  # type: ignore[call-overload]
