# SPDX-License-Identifier: BSD-2-Clause
"""What a stack does with a token in a place, as the engine has it done, for a process that strace can kill.

That is the decision of both providers: from here on only the engine is between it and the state.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi_echovalue._connections import hashi_vault, registry  # noqa: F401 - imported once, for all runs
from pulumi_echovalue._decisions import placed
from pulumi_echovalue._decisions.hints import explain
from pulumi_echovalue._decisions.place import check_place, opened
from pulumi_echovalue._decisions.placed import Placed, Target
from pulumi_echovalue._decisions.service import Service
from pulumi_echovalue._shared.module_utils.core import signals, transport  # noqa: F401
from pulumi_echovalue._shared.module_utils.core.errors import EchoValueError
from pulumi_echovalue._shared.module_utils.files import token_file  # noqa: F401
from pulumi_echovalue._shared.plugin_utils.places import spooled  # noqa: F401

BEFORE, AFTER = {"release": "before"}, {"release": "after"}


@contextmanager
def stack(
    rescue: Path, place: dict[str, Any], spool: str, base_url: str, rotates: str | None = None
) -> Iterator[Callable[[], None]]:
    """Yield what creates a token in a place; or rotates the one with the hash `rotates`, which a state remembers."""
    service = Service(base_url, named=False, retries=0)
    target = Target(service, check_place(place), keepers=AFTER, spool=spool)

    def work() -> None:
        tempfile.tempdir = str(rescue)
        result: dict[str, Any]
        try:
            result = {"hash": _run(target, rotates).hash}
        except EchoValueError as error:
            result = {"failed": True, "reason": error.reason, "msg": explain(error, "Create")}
        print(json.dumps(result))
        sys.exit(bool(result.get("failed")))

    yield work


def _run(target: Target, rotates: str | None) -> Any:
    assert target.place is not None
    if rotates is None:
        return placed.create(target)
    found = opened(target.place, target.spool, target.service.url)
    former = Placed(rotates, target.service.url, target.place, found.words, found.resolved)
    return placed.update(former, target, BEFORE, lambda _warning: None)
