# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What a place on the controller may take from the run of Ansible, and the task's `environment`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible.parsing.vault import VaultLib

from ...module_utils.core.errors import EchoValueError
from ...module_utils.files.directory_lock import DirectoryLock


@dataclass(frozen=True)
class RunContext:
    """What a place may take from the run, and what places of one task share."""

    variables: Mapping[str, Any] = field(repr=False)  # of the task
    find_lookup: Callable[[str], Any]  # a new plugin, by its name
    find_path: Callable[[str], str]  # a relative path starts at the playbook
    vault: VaultLib
    check_mode: bool
    backup: bool
    _shared: dict[str, Any] = field(default_factory=dict, repr=False)
    _directories: dict[str, DirectoryLock] = field(default_factory=dict, repr=False)
    _files: dict[str, Any] = field(default_factory=dict, repr=False)
    _guard: Any = field(default_factory=threading.RLock, repr=False)  # what is shared may share more

    def share(
        self, make: Callable[[RunContext, Mapping[str, Any]], Any], connection: Mapping[str, Any]
    ) -> Any:
        """Return what `make` makes of a connection, or raise its error; places with an equal one share it."""
        key = f"{make.__module__} {make.__name__} {sorted(connection.items())!r}"
        with self._guard:
            if key not in self._shared:
                try:
                    self._shared[key] = make(self, connection)
                except EchoValueError as error:  # one login that fails is enough: more may lock it out
                    self._shared[key] = error
            if isinstance(self._shared[key], EchoValueError):
                raise self._shared[key]
            return self._shared[key]

    def guard(self, path: str) -> Any:
        """Return the lock of a file for the threads of this task."""
        with self._guard:
            return self._files.setdefault(os.path.realpath(path), threading.RLock())

    def directory(self, path: str) -> DirectoryLock:
        """Return the directory of a file; files in it share its lock."""
        where = os.path.dirname(os.path.realpath(path))
        with self._guard:
            return self._directories.setdefault(where, DirectoryLock(where))


@contextmanager
def task_environment(variables: Mapping[str, Any]) -> Iterator[None]:
    """Let the task's `environment` count here, as it does for a module on a target."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
