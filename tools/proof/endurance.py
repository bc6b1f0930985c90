# SPDX-License-Identifier: BSD-2-Clause
"""Thousands of converges against a service that fails a fifth of its answers, in one process."""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import psutil

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import EchoValueError
from plugins.module_utils.core.provision import provision
from plugins.module_utils.files.token_file import TokenFile
from tests.testkit.service_faults import emulated
from tools.emulator.client import Emulator
from tools.proof.report import Report

_FAULTS = (
    *("429", "500", "503", "a login page with 200", "an empty 200"),
    *("closed instead of an answer", "reset within the answer"),
)
_GROWTH = 4 * 1024 * 1024  # bytes that the memory may grow by, after the first quarter


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("A service that fails a fifth of its answers")
    converges, places = (300, 20) if short else (2000, 50)
    chance = random.Random(14)
    outcomes: Counter[str] = Counter()
    kept: dict[Path, str] = {}
    doubts = 0
    process = psutil.Process()
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name, Emulator() as emulator:
        client = EchoValueClient(emulator.url, retries=2, sleep=lambda _seconds: None)
        for number in range(converges):
            path = Path(name, f"token-{number % places}")
            emulator.clear_faults()
            for _request_and_retries in range(3):
                if chance.random() >= 0.2:
                    break
                emulator.fault("*", **emulated(chance.choice(_FAULTS)))
            try:
                outcome = provision(client, TokenFile(str(path)))
            except EchoValueError as error:
                outcomes[error.reason] += 1
                doubts += error.reason == "ambiguous_mint"
            else:
                outcomes[outcome.status] += 1
                was = kept.setdefault(path, str(outcome.token))
                report.expect(was == outcome.token, f"{path.name}: another token than before")
            if number == converges // 4:
                memory, files = process.memory_info().rss, len(os.listdir("/proc/self/fd"))
        client.close()
        grown = process.memory_info().rss - memory
        opened = len(os.listdir("/proc/self/fd")) - files
        mints = emulator.stats()["mints"]
        for path, token in kept.items():
            report.expect(path.read_text() == f"{token}\n", f"{path.name}: the token is not there")
    report.expect(len(kept) == places, f"{places - len(kept)} places have no token")
    report.expect(mints <= places + doubts, f"{mints} mints for {places} places and {doubts} doubts")
    report.expect(grown < _GROWTH, f"the memory grew by {grown} bytes")
    report.expect(opened <= 0, f"{opened} more files are open")
    report.row(
        converges=converges,
        places=places,
        mints=mints,
        mints_in_doubt=doubts,
        memory_grown=f"{grown // 1024} KiB",
        files_opened_and_not_closed=max(opened, 0),
        outcomes=", ".join(f"{count} {name}" for name, count in outcomes.most_common()),
    )
    return report
