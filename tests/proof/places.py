# SPDX-License-Identifier: BSD-2-Clause
"""The places of the experiments: how a run is told of one, and what stands there, whatever the product says."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.proof import subject

_TOKEN = re.compile(rb"\b[0-9a-f]{32}\b")

Work = AbstractContextManager[Callable[[], None]]


class FilePlace:
    """Token files in a directory of their own; what cannot be written there is rescued beside it."""

    kind = "token file"

    def __init__(self, base: Path, names: tuple[str, ...] = ("token",)) -> None:
        self.base = base
        self.touched = base / "place"  # what the first system call at the place names
        self.rescue = base / "rescue"
        self.names = names

    def work(self, **options: Any) -> Work:
        """Return what runs the product with `options` for this place."""
        paths = [str(self.touched / name) for name in self.names]
        place = {"path": paths[0]} if len(paths) == 1 else {"tokens": [{"path": path} for path in paths]}
        return subject.module(self.rescue, **place, **options)

    def set(self, token: str | None) -> None:
        """Make the place as new, with `token` in each name."""
        shutil.rmtree(self.base, ignore_errors=True)
        self.touched.mkdir(parents=True)
        self.rescue.mkdir()
        for name in self.names:
            if token is not None:
                (self.touched / name).write_text(f"{token}\n")
                (self.touched / name).chmod(0o600)

    def current(self) -> list[str | None]:
        """Return what stands at each name: a whole token, None, or what else it is."""
        return [self._content(self.touched / name) for name in self.names]

    def tokens(self) -> set[str]:
        """Return all tokens that are anywhere in the files of the place, whole."""
        return {found.decode() for path in self._files() for found in _TOKEN.findall(path.read_bytes())}

    def holding(self, hashes: set[str]) -> list[Path]:
        """Return the files that hold one of these tokens."""
        found = [(path, _TOKEN.findall(path.read_bytes())) for path in self._files()]
        return [
            path for path, tokens in found if {subject.token_hash(one.decode()) for one in tokens} & hashes
        ]

    def open_to_others(self) -> list[str]:
        """Return the files that others may read or write."""
        return [path.name for path in self._files() if stat.S_IMODE(path.stat().st_mode) & 0o077]

    def leftovers(self) -> list[str]:
        """Return the names of files that only an interrupted run leaves."""
        return [path.name for path in self._files() if path.name.startswith(".")]

    def _files(self) -> Iterator[Path]:
        return (path for path in sorted(self.base.rglob("*")) if path.is_file())

    def _content(self, path: Path) -> str | None:
        if not path.exists():
            return None
        text = path.read_text()
        whole = text.endswith("\n") and _TOKEN.fullmatch(text.rstrip().encode())
        return text.rstrip() if whole else f"broken: {text!r}"
