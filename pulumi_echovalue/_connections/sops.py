# SPDX-License-Identifier: BSD-2-Clause
"""SOPS files: the program, with the environment that its keys come from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._shared.module_utils.files.atomic_file import AtomicFile
from .._shared.plugin_utils.places.driver import Driver
from .._shared.plugin_utils.places.sops import SopsKey
from .._shared.plugin_utils.places.sops_formats import names_of
from .._shared.plugin_utils.places.sops_program import MAX_SIZE, Sops
from .opened import Resolved


def open_driver(options: Mapping[str, Any]) -> tuple[Driver, Resolved]:
    """Return the key that the options name. Raises StoreError and InvalidInputError."""
    path = os.path.expanduser(options["file"])
    names = names_of(options["key"], path)
    file = AtomicFile(path, MAX_SIZE, suffix=".tmp")
    program = Sops(shutil.which("sops") or "", os.environ, str(Path(path).parent))
    return SopsKey(program, file, path, path, names), {"path": file.path}
