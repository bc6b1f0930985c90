# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes down all that any callback is told, as JSON and log callbacks do."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: capture
type: aggregate
short_description: Write down all that any callback is told
description:
  - One JSON line for each event, into the file that CAPTURE_FILE names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "capture"
    CALLBACK_NEEDS_ENABLED = True

    def v2_on_any(self, *args: Any, **kwargs: Any) -> None:
        results = [vars(argument) for argument in args if hasattr(argument, "_result")]
        with open(os.environ["CAPTURE_FILE"], "a") as file:
            file.write(json.dumps(results, default=lambda value: str(vars(value)) if hasattr(value, "_attributes") else repr(value)) + "\n")
