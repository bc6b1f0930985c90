# SPDX-License-Identifier: BSD-2-Clause
"""System calls that fail when a test says so, and what a person then does as the error says."""

from __future__ import annotations

import errno
import os
import re
import shutil
from typing import Any, Callable

import pytest


def refuse(
    patch: pytest.MonkeyPatch,
    call: str,
    error: int = errno.EIO,
    when: Callable[..., bool] = lambda *_: True,
    module: Any = os,
) -> None:
    """Let the system answer `error` to a call of `module` whose arguments `when` is true of."""
    real = getattr(module, call)

    def refused(*arguments: object, **options: object) -> object:
        if when(*arguments):
            raise OSError(error, "")
        return real(*arguments, **options)

    patch.setattr(module, call, refused)


def fill_disk(patch: pytest.MonkeyPatch, start: bytes) -> None:
    """Let there be no room for a content that begins so."""
    refuse(patch, "pwrite", errno.ENOSPC, lambda _descriptor, content, _offset: content.startswith(start))


def follow_advice(error: Exception) -> None:
    """Move the token that was rescued from a full disk to where the error says."""
    advice = re.search(r"It is kept in (\S+): make room, move it to (\S+), then run again\.", str(error))
    assert advice
    shutil.move(*advice.groups())
