# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_token on the target, or for `vault_file` on the controller; censors the token."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any

from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import EchoValueError
from ansible_collections.echovalue.cloud.plugins.module_utils.core.signals import signals_held
from ansible_collections.echovalue.cloud.plugins.module_utils.module import CONNECTION_SPEC, make_client
from ansible_collections.echovalue.cloud.plugins.module_utils.token_task import (
    ARGUMENT_SPEC,
    CONSTRAINTS,
    items,
    perform,
    perform_many,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.censor import CensoringAction
from ansible_collections.echovalue.cloud.plugins.plugin_utils.vault_file import VaultFile, VaultVariable

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
        warnings: list[str] = []
        try:
            result = self._on_controller(warnings)
        except EchoValueError as error:
            return {"failed": True, "msg": str(error)}
        except ImportError:
            # The core imports requests at its first request, so this comes before any mint.
            return {
                "failed": True,
                "msg": f"vault_file needs the Python library requests for {sys.executable}.",
            }
        return {**result, "warnings": warnings} if warnings else result

    def _on_controller(self, warnings: list[str]) -> dict[str, Any]:
        """Provision the variables of a vaulted file."""
        _result, params = self.validate_argument_spec({**ARGUMENT_SPEC, **CONNECTION_SPEC}, **CONSTRAINTS)
        check_mode = self._task.check_mode
        many = params["tokens"] is not None
        wanted = items(params) if many else [params]
        file = VaultFile(
            self._loader.path_dwim(params["vault_file"]),
            [item["variable"] for item in wanted],
            self._loader._vault,
            vault_id=params["vault_id"],
            backup=params["backup"],
            dry_run=check_mode,
        )
        client = make_client(params)
        doing: dict[str, Any] = {"check_mode": check_mode, "warn": warnings.append}
        # Held until the file is written: tokens minted together are in memory alone before that.
        with signals_held() if many else nullcontext(), file.lock():
            before = file.read() or {}
            tokens = dict(before)
            places = [
                (item, VaultVariable(file, item["variable"], tokens, at_once=not many)) for item in wanted
            ]
            if not many:
                return perform(params, client, places[0][1], **doing)
            try:
                result = perform_many(params, client, places, **doing)
            finally:
                if tokens != before:  # once for all, and whatever happened to the others
                    file.write(tokens)
        return {**result, "changed": result["changed"] or file.recovered, "backup_file": file.backup_file}
