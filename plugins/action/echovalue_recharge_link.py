# SPDX-License-Identifier: GPL-3.0-or-later
"""Censors the result of echovalue_recharge_link where the link carries the raw token."""

from __future__ import annotations

from typing import Any

from ansible_collections.echovalue.cloud.plugins.plugin_utils.censor import CensoringAction


class ActionModule(CensoringAction):
    def holds_secret(self, result: dict[str, Any]) -> bool:
        return bool(result.get("contains_token"))
