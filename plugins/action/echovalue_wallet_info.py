# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_wallet_info, whose result holds no secret; places of the controller are read here."""

from __future__ import annotations

from typing import Any

from ..module_utils.core.errors import EchoValueError
from ..module_utils.task.many_wallets import failed_wallet, result_of
from ..module_utils.task.options import WALLETS_SPEC
from ..module_utils.task.token_requests import is_for_controller
from ..plugin_utils.on_controller import TokenAction


class ActionModule(TokenAction):
    def run_module(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._task.args.get("tokens") is None or not is_for_controller(self._task.args):
            return super().run_module(task_vars)
        from ..plugin_utils.controller import read_token_at

        failures: dict[int, dict[str, Any]] = {}

        def read(params: dict[str, Any], run: Any) -> dict[str, Any]:
            items = []
            for number, item in enumerate(params["tokens"]):
                if not is_for_controller(item):
                    items.append({name: value for name, value in item.items() if value is not None})
                    continue
                try:
                    items.append({"name": item["name"], "token": read_token_at(item, run) or ""})
                except EchoValueError as error:
                    failures[number] = failed_wallet(item["name"], None, error)
            return {"tokens": items}

        found = self.read_here({"tokens": WALLETS_SPEC}, task_vars, read)
        if found.get("failed"):
            return found
        result = self.execute_module({**self._task.args, **found}, task_vars)
        if not failures or "wallets" not in result:
            return result
        entries = list(result["wallets"])
        for number in sorted(failures):
            entries.insert(number, failures[number])
        return {**result, **result_of(entries)}
