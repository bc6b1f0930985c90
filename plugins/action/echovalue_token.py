# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_token on the target, or on the controller for a place that is there; censors the token."""

from __future__ import annotations

from typing import Any

from ..module_utils.task.token_requests import is_for_controller
from ..plugin_utils.on_controller import ControllerAction

_WORTH_TELLING = 100  # tokens whose run takes long enough to say so


class ActionModule(ControllerAction):
    def secrets(self, result: dict[str, Any]) -> list[str]:
        entries = [result, *result.get("tokens", [])]
        return [entry["token"] for entry in entries if entry.get("token") is not None]

    def execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        many = self._task.args.get("tokens")
        if isinstance(many, list) and len(many) >= _WORTH_TELLING:
            host = task_vars.get("inventory_hostname", "the target")
            self._display.display(f"echovalue_token: {len(many)} tokens for {host} are under way ...")
        if not is_for_controller(self._task.args):
            return self.run_module(task_vars)
        # Here, since other tasks can do without its import.
        from ..plugin_utils.controller import OPTIONS, provision_on_controller

        warnings: list[str] = []
        result = self.on_controller(
            OPTIONS, task_vars, lambda params, run: provision_on_controller(params, run, warnings.append)
        )
        return {**result, "warnings": warnings} if warnings else result
