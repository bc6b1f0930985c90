# SPDX-License-Identifier: BSD-2-Clause
"""Tokens and what is secret in a connection are found where they belong, and nowhere else that a run passes through."""

from __future__ import annotations

import pytest

from tests.stores.conftest import stores
from tests.testkit.places import PLACES
from tools.emulator.client import Emulator
from tools.proof import canaries
from tools.proof.report import Report

pytestmark = pytest.mark.slow


@stores(*(name for name in PLACES if name != "pass"))
def test_secrets_are_only_where_they_belong(emulator: Emulator, store: str) -> None:
    emulator.options(links="token")
    report = Report(store)
    canaries.play(store, canaries.LOUDEST, emulator, report)
    assert report.problems == []
