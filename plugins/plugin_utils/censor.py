# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""The base of the action plugins: run the module, keep the secrets of its result from the screen."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.core.errors import InvalidInputError
from ..module_utils.task.failure import failure
from ..module_utils.task.module import check_texts

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # before ansible-core 2.22
    register_secrets = None


class CensoringAction(ActionBase):
    """Runs the module of the same name.

    From ansible-core 2.22 on only the secret values are masked. Before, the whole result is hidden on
    screen, in logs and in callbacks. `register` has it whole. A failure is never censored, since it has
    to be read; the modules put no secret into one.
    """

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False  # a background job's result does not pass here

    def secrets(self, result: dict[str, Any]) -> list[str]:
        """Return the secret values that a module's result holds; most hold none."""
        return []

    def execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do the work and return its result."""
        return self.run_module(task_vars)

    def run_module(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module on the target and return its result."""
        return self.execute_module(self._task.args, task_vars)

    def execute_module(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module with these arguments and return its result."""
        try:
            check_texts(arguments, encode=str.encode)  # as ansible-core sends them; it would stumble
        except InvalidInputError as error:
            return {"failed": True, **failure(error)}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        result = self.execute(task_vars or {})
        secrets = [] if result.get("failed") else self.secrets(result)
        if not secrets:
            return result
        if register_secrets is not None:
            register_secrets(secrets)
            return result
        result["_ansible_no_log"] = True
        if "ansible_loop_var" in (task_vars or {}):
            # Cores before 2.19 hide the summary of a loop only where an item's task says so.
            self._task.no_log = True
        return result
