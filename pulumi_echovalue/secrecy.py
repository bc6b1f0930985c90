# SPDX-License-Identifier: BSD-2-Clause
"""The engine's own mark of a secret, which no option of a resource takes away."""

from __future__ import annotations

from typing import Any

from pulumi.runtime import rpc


def secret(value: Any) -> dict[str, Any]:
    """Return a value marked as a secret."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def is_secret(value: dict[str, Any]) -> bool:
    """Return whether a value has the mark."""
    return value.get(rpc._special_sig_key) == rpc._special_secret_sig
