# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_token on the target, or for `vault_file` on the controller; censors the token."""

from __future__ import annotations

import sys
from typing import Any

from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import EchoValueError
from ansible_collections.echovalue.cloud.plugins.module_utils.module import CONNECTION_SPEC, make_client
from ansible_collections.echovalue.cloud.plugins.module_utils.token_task import (
    ARGUMENT_SPEC,
    CONSTRAINTS,
    perform,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.censor import CensoringAction
from ansible_collections.echovalue.cloud.plugins.plugin_utils.vault_file import VaultFile


class ActionModule(CensoringAction):
    def secrets(self, result: dict[str, Any]) -> list[str]:
        token = result.get("token")
        return [] if token is None else [token]

    def execute(self, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if self._task.args.get("vault_file") is None:
            result: dict[str, Any] = self.run_module(task_vars)
            return result
        _result, params = self.validate_argument_spec({**ARGUMENT_SPEC, **CONNECTION_SPEC}, **CONSTRAINTS)
        warnings: list[str] = []
        try:
            store = VaultFile(
                self._loader.path_dwim(params["vault_file"]),
                variable=params["variable"],
                vault=self._loader._vault,
                vault_id=params["vault_id"],
                backup=params["backup"],
                dry_run=self._task.check_mode,
            )
            result = perform(
                params, make_client(params), store, check_mode=self._task.check_mode, warn=warnings.append
            )
        except EchoValueError as error:
            return {"failed": True, "msg": str(error)}
        except ImportError:
            # The core imports requests at its first request, so this comes before any mint.
            return {
                "failed": True,
                "msg": f"vault_file needs the Python library requests for {sys.executable}.",
            }
        return {**result, "warnings": warnings} if warnings else result
