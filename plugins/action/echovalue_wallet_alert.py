# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_wallet_alert, whose result holds no secret; its arguments do."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.on_controller import TokenAction


class ActionModule(TokenAction):
    def run_module(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        no_log, self._task.no_log = self._task.no_log, True  # nothing for the target's system log
        try:
            return super().run_module(task_vars)
        finally:
            self._task.no_log = no_log
