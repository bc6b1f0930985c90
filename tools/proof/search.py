# SPDX-License-Identifier: BSD-2-Clause
"""The search of the canaries, and its row; tests use it without what the other experiments import."""

from __future__ import annotations

from collections.abc import Collection

from tests.testkit.hunt import hunt
from tools.emulator.client import Emulator
from tools.proof.report import Report


def known(emulator: Emulator) -> set[str]:
    """Return the hashes of all tokens that the service knows."""
    return {token["hash"] for token in emulator.tokens()}


def search(
    who: str,
    row: tuple[str, str, str],
    secrets: set[str],
    where: dict[str, bytes],
    report: Report,
    hashes: Collection[str] = (),
) -> None:
    """Search for secrets, and for tokens by their hashes; the arguments of all processes must be there too."""
    processes = [content for name, content in where.items() if name.endswith("processes")]
    report.expect(any(b"execve(" in one for one in processes), f"{who}: no process was seen")
    found = hunt(secrets, where, hashes=hashes)
    report.problems += [f"{who}: {one}" for one in found]
    half, what, how = row
    report.row(
        half=half,
        what=what,
        how=how,
        secrets=len(secrets) + len(hashes),
        bytes_searched=sum(map(len, where.values())),
        found=len(found),
    )
