# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_token on the target, or for `vault_file` on the controller; censors the token."""

from __future__ import annotations

import sys
from typing import Any

from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import EchoValueError
from ansible_collections.echovalue.cloud.plugins.plugin_utils.censor import CensoringAction

_WORTH_TELLING = 100  # tokens whose run takes long enough to say so


class ActionModule(CensoringAction):
    def secrets(self, result: dict[str, Any]) -> list[str]:
        entries = [result, *result.get("tokens", [])]
        return [entry["token"] for entry in entries if entry.get("token") is not None]

    def execute(self, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        many = self._task.args.get("tokens")
        if isinstance(many, list) and len(many) >= _WORTH_TELLING:
            host = (task_vars or {}).get("inventory_hostname", "the target")
            self._display.display(f"echovalue_token: {len(many)} tokens for {host} are under way ...")
        if self._task.args.get("vault_file") is None:
            return self.run_module(task_vars)
        # Here, since most tasks can do without its import.
        from ansible_collections.echovalue.cloud.plugins.plugin_utils import vault_task

        _result, params = self.validate_argument_spec(**vault_task.OPTIONS)
        warnings: list[str] = []
        try:
            result = vault_task.provision_vaulted(
                params,
                self._loader.path_dwim(params["vault_file"]),
                self._loader._vault,
                check_mode=self._task.check_mode,
                warn=warnings.append,
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
