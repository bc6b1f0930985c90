# SPDX-License-Identifier: BSD-2-Clause
"""The program of stack-0.1.0.json: it never changes."""

import pulumi

import pulumi_echovalue as echovalue

minted = echovalue.Token("minted", keepers={"release": "2026-11"})
adopted = echovalue.Token("adopted", existing_token=minted.token)
pulumi.export("token", minted.token)
pulumi.export("hash", minted.hash)
pulumi.export("adopted", adopted.token)
