# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""The bases of the action plugins that work with places of the controller."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader

from ..module_utils.core.errors import EchoValueError, InvalidInputError
from ..module_utils.task.failure import cause_of_import, failure
from ..module_utils.task.module import check_forms
from ..module_utils.task.options import TOKEN_CONSTRAINTS, TOKEN_SPEC
from ..module_utils.task.token_requests import is_for_controller
from .censor import CensoringAction


class ControllerAction(CensoringAction):
    """An action that does its work on the controller, with what the task may take from the run."""

    def on_controller(
        self,
        options: dict[str, Any],
        task_vars: dict[str, Any],
        work: Callable[[dict[str, Any], Any], dict[str, Any]],
    ) -> dict[str, Any]:
        """Return what `work` returns for the task's validated options and a RunContext; or why it failed.

        `options` are those that ActionBase.validate_argument_spec takes.
        """
        # Here, since other tasks can do without its import.
        from .connections.run_context import RunContext, task_environment

        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        with task_environment(environment):
            try:
                self._task.args = _decrypted(self._task.args)
                check_forms(self._task.args, options["argument_spec"])
                _result, params = self.validate_argument_spec(**options)
                run = RunContext(
                    task_vars,
                    self._find_lookup,
                    self._loader.path_dwim,
                    self._loader._vault,
                    self._task.check_mode,
                    params.get("backup", False),
                )
                return work(params, run)
            except EchoValueError as error:
                return {"failed": True, **failure(error)}
            except AnsibleError as error:
                return {"failed": True, "msg": str(error), "reason": InvalidInputError.reason}
            except ImportError as error:
                # The core imports requests at its first request, so this comes before any mint.
                msg = f"The Python library requests is needed for {sys.executable} on the controller."
                msg += cause_of_import("requests", error)
                return {"failed": True, "msg": msg, "reason": InvalidInputError.reason}

    def _find_lookup(self, name: str) -> Any:
        return lookup_loader.get(name, loader=self._loader, templar=self._templar)


class TokenAction(ControllerAction):
    """Runs a module that takes a token: one in a place of the controller is read here, and passed as `token`.

    Nothing of a connection goes to the target.
    """

    def run_module(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if not is_for_controller(self._task.args):
            return super().run_module(task_vars)
        from .controller import read_token_at

        found = self.read_here(
            TOKEN_SPEC,
            task_vars,
            lambda params, run: {"token": read_token_at(params, run) or ""},
            **TOKEN_CONSTRAINTS,
        )
        if found.get("failed"):
            return found
        arguments = {name: value for name, value in self._task.args.items() if name not in TOKEN_SPEC}
        return self.execute_module({**arguments, **found}, task_vars)

    def read_here(
        self,
        spec: dict[str, Any],
        task_vars: dict[str, Any],
        read: Callable[[dict[str, Any], Any], dict[str, Any]],
        **constraints: Any,
    ) -> dict[str, Any]:
        """As `on_controller`, for the options of `spec` only: the module validates the others."""
        others = {name: {"type": "raw"} for name in self._task.args if name not in spec}
        return self.on_controller({"argument_spec": {**spec, **others}, **constraints}, task_vars, read)


def _decrypted(value: Any) -> Any:
    """Return arguments with inline vault values as text: the checks of cores before 2.19 know no others."""
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, dict):
        return {name: _decrypted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_decrypted(one) for one in value]
    return value
