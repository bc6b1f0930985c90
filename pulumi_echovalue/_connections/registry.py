# SPDX-License-Identifier: BSD-2-Clause
"""Which function opens a place. A place's libraries are imported only when it is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from .._shared.module_utils.core.errors import InvalidInputError
from .opened import DriverOpener, OpenedPlace

DEFAULT_SPOOL = "~/.echovalue/spool"


def _sops() -> DriverOpener:
    from .sops import open_driver

    return open_driver


def _hashi_vault() -> DriverOpener:
    from .hashi_vault import open_driver

    return open_driver


def _kubernetes() -> DriverOpener:
    from .kubernetes import open_driver

    return open_driver


def _aws_secretsmanager() -> DriverOpener:
    from .aws_secretsmanager import open_driver

    return open_driver


def _command() -> DriverOpener:
    from .command import open_driver

    return open_driver


_DRIVERS: Mapping[str, Callable[[], DriverOpener]] = {
    "sops": _sops,
    "hashi_vault": _hashi_vault,
    "kubernetes": _kubernetes,
    "aws_secretsmanager": _aws_secretsmanager,
    "command": _command,
}
KINDS = ("path", *_DRIVERS)


def open_place(kind: str, options: Mapping[str, Any], spool: str, service: str) -> OpenedPlace:
    """Return a place that checked options name; nothing is read there, or written.

    A new token is pending in the directory `spool` until a store has it; `service` is the base URL that
    mints it. Raises StoreError and InvalidInputError.
    """
    if os.name == "nt":
        raise InvalidInputError("place is not for Windows: its locks are those of POSIX.")
    from .._shared.module_utils.files.token_file import TokenFile
    from .._shared.plugin_utils.places.spool import Spool
    from .._shared.plugin_utils.places.spooled import SpooledStore

    if kind == "path":
        path = os.path.realpath(os.path.expanduser(options["path"]))
        return OpenedPlace(TokenFile(path), f"the file {path}", {"path": path}, ("path", path))
    driver, resolved = _DRIVERS[kind]()(options)
    store = SpooledStore(driver, Spool(spool), service, _pending_advice, backup=True, dry_run=False)
    return OpenedPlace(store, driver.words, resolved, (*driver.secret, driver.key))


def _pending_advice(path: str) -> str:
    """Return how the token pending in the file at `path` gets into its place, or into another one."""
    return (
        f"The token is pending in {path} on this machine: correct the cause, then run again. That run puts "
        "it into this place and mints none. If the place itself has to change, write the line of that file "
        "into the new place with the store's own tool: the next run takes it up; then delete that file."
    )
