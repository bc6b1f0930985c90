# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_token on the target, or on the controller for a place that is there; censors the token."""

from __future__ import annotations

import sys
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader

from ..module_utils.core.errors import EchoValueError, InvalidInputError
from ..module_utils.task.failure import cause_of_import, failure
from ..module_utils.task.module import check_forms
from ..module_utils.task.token_requests import is_for_controller
from ..plugin_utils.censor import CensoringAction

_WORTH_TELLING = 100  # tokens whose run takes long enough to say so


class ActionModule(CensoringAction):
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
        from ..plugin_utils.connections.run_context import RunContext, task_environment
        from ..plugin_utils.controller import OPTIONS, provision_on_controller

        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        warnings: list[str] = []
        with task_environment(environment):
            try:
                self._task.args = _decrypted(self._task.args)
                check_forms(self._task.args, OPTIONS["argument_spec"])
                _result, params = self.validate_argument_spec(**OPTIONS)
                result = provision_on_controller(
                    params,
                    RunContext(
                        task_vars,
                        self._find_lookup,
                        self._loader.path_dwim,
                        self._loader._vault,
                        self._task.check_mode,
                        params["backup"],
                    ),
                    warnings.append,
                )
            except EchoValueError as error:
                result = {"failed": True, **failure(error)}
            except AnsibleError as error:
                result = {"failed": True, "msg": str(error), "reason": InvalidInputError.reason}
            except ImportError as error:
                # The core imports requests at its first request, so this comes before any mint.
                msg = f"The Python library requests is needed for {sys.executable} on the controller."
                msg += cause_of_import("requests", error)
                result = {"failed": True, "msg": msg, "reason": InvalidInputError.reason}
        return {**result, "warnings": warnings} if warnings else result

    def _find_lookup(self, name: str) -> Any:
        return lookup_loader.get(name, loader=self._loader, templar=self._templar)


def _decrypted(value: Any) -> Any:
    """Return arguments with inline vault values as text: the checks of cores before 2.19 know no others."""
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, dict):
        return {name: _decrypted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_decrypted(one) for one in value]
    return value
