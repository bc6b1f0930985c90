# SPDX-License-Identifier: BSD-2-Clause
"""Stands in for Python's own syslog: what a module sends to the system log is written into a file.

Loaded at each start, since a module that is built in cannot be shadowed by a file of its name.
"""

from __future__ import annotations

import os
import sys

sys.modules["syslog"] = sys.modules[__name__]
LOG_USER = LOG_INFO = 0


def openlog(*_arguments: object) -> None:
    pass


def syslog(*arguments: object) -> None:
    with open(os.environ["SYSLOG_FILE"], "a") as file:
        file.write(f"{arguments[-1]}\n")


def __getattr__(name: str) -> int:
    return 0  # the facilities
