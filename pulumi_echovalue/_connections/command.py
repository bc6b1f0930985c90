# SPDX-License-Identifier: BSD-2-Clause
"""A program that stores the token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._shared.module_utils.core.client import check_timeout
from .._shared.plugin_utils.places.command import Command
from .._shared.plugin_utils.places.driver import Driver
from .opened import Resolved


def open_driver(options: Mapping[str, Any]) -> tuple[Driver, Resolved]:
    """Return the program that the options name. Raises InvalidInputError."""
    check_timeout(options["timeout"], "command.timeout")
    return Command(options["argv"], options["timeout"], options["id"] or ""), {}
