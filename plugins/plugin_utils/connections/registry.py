# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Which function opens a place of the controller. A place's libraries are imported only when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ..places.driver import Driver
from .run_context import RunContext

CopyOpener = Callable[[Mapping[str, Any], RunContext], Any]  # a Driver, or a GithubSecret
Opener = Callable[[Mapping[str, Any], RunContext], Driver]


def _sops() -> Opener:
    from .sops import open_place

    return open_place


def _hashi_vault() -> Opener:
    from .hashi_vault import open_place

    return open_place


def _kubernetes() -> Opener:
    from .kubernetes import open_place

    return open_place


def _aws_secretsmanager() -> Opener:
    from .aws_secretsmanager import open_place

    return open_place


def _command() -> Opener:
    from .command import open_place

    return open_place


OPENERS: Mapping[str, Callable[[], Opener]] = {
    "sops": _sops,
    "hashi_vault": _hashi_vault,
    "kubernetes": _kubernetes,
    "aws_secretsmanager": _aws_secretsmanager,
    "command": _command,
}


def _github_secret() -> CopyOpener:
    from .github_secret import open_copy

    return open_copy


def _gitlab_variable() -> CopyOpener:
    from .gitlab_variable import open_copy

    return open_copy


# Of what holds copies only.
COPY_OPENERS: Mapping[str, Callable[[], CopyOpener]] = {
    "github_secret": _github_secret,
    "gitlab_variable": _gitlab_variable,
}
