# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_logs_info, whose result holds no secret."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.censor import CensoringAction


class ActionModule(CensoringAction):
    def secrets(self, result: dict[str, Any]) -> list[str]:
        return []
