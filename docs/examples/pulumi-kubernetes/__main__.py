# SPDX-License-Identifier: BSD-2-Clause
"""Mint a token once into a Secret, which deployment.yaml reads by secretKeyRef; KUBECONFIG has the login."""

import pulumi

import pulumi_echovalue as echovalue

token = echovalue.Token(
    "app",
    keepers={"release": "2026-11"},  # another value rotates the token in its Secret
    place={"kubernetes": {"name": "shop-echovalue", "namespace": "default"}},
)

# A pod reads its environment once: its template carries the hash, so that a rotation rolls it out.
pulumi.export("hash", token.hash)
pulumi.export("stored_at", token.stored_at)
