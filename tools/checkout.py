# SPDX-License-Identifier: BSD-2-Clause
"""Where Ansible finds this checkout as the collection echovalue.cloud."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".build" / "collections"


def collections_path() -> str:
    """Return a value for ANSIBLE_COLLECTIONS_PATH, under which this checkout is linked."""
    link = COLLECTIONS / "ansible_collections" / "echovalue" / "cloud"
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(ROOT, target_is_directory=True)
    return str(COLLECTIONS)
