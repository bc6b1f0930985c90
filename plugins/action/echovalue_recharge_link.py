# SPDX-License-Identifier: GPL-3.0-or-later
"""Censors the result of echovalue_recharge_link where the link carries the raw token."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.on_controller import TokenAction


class ActionModule(TokenAction):
    def secrets(self, result: dict[str, Any]) -> list[str]:
        return [result["url"]] if result.get("contains_token") else []
