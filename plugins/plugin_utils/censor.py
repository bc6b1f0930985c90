# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the action plugins: run the module, censor its result where it holds a secret."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class CensoringAction(ActionBase):
    """Runs the module of the same name.

    A censored result is hidden on screen, in logs and in callbacks, and whole in `register`. A
    failure is never censored, since it has to be read; the modules put no secret into one.
    """

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False  # a background job's result does not pass here

    def holds_secret(self, result: dict[str, Any]) -> bool:
        """Tell whether a module's result holds a secret."""
        raise NotImplementedError

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        result: dict[str, Any] = self._execute_module(task_vars=task_vars)
        if not result.get("failed") and self.holds_secret(result):
            result["_ansible_no_log"] = True
        return result
