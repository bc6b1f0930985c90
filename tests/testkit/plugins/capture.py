# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes down all that any callback receives, as JSON and log callbacks do."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: capture
type: aggregate
short_description: Write down all that any callback receives
description:
  - One JSON line for each event, into the file that CAPTURE_FILE names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "capture"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, *arguments: Any, **_options: Any) -> None:
        results = [
            getattr(argument, "result", None) or getattr(argument, "_result", None) for argument in arguments
        ]
        with open(os.environ["CAPTURE_FILE"], "a") as file:
            file.write(json.dumps(results, default=str) + "\n")


for _name in [name for name in dir(CallbackBase) if name.startswith("v2_") and name != "v2_on_any"]:
    setattr(CallbackModule, _name, CallbackModule._write)
