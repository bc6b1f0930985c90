# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""A program that stores the token: where it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...module_utils.core.client import check_timeout
from ..places.command import Command
from .run_context import RunContext


def open_place(options: Mapping[str, Any], run: RunContext) -> Command:
    """Return the program that the options name; a relative path to it starts at the playbook."""
    program, *arguments = options["argv"]
    if os.sep in program:
        program = run.find_path(program)
    check_timeout(options["timeout"], "command.timeout")
    return Command([program, *arguments], options["timeout"], options["id"] or "")
