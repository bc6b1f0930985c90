# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that writes down variables as JSON; `copy` would take the better part of a second of each play."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Writes the variables `names` to the file `dest` of the controller."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        found = {name: (task_vars or {}).get(name, {}) for name in self._task.args["names"]}
        # What a playbook sees: ansible-core 2.19 keeps warnings and errors as objects of its own.
        seen = getattr(self._templar, "resolve_variable_expression", None)
        saved = {name: seen(name) if seen and value else value for name, value in found.items()}
        descriptor = os.open(self._task.args["dest"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            json.dump(saved, file)
        return {"changed": True}
