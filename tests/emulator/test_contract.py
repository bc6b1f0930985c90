# SPDX-License-Identifier: BSD-2-Clause
"""The server holds to its own document, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tools.emulator.client import Emulator
from tools.emulator.openapi import DOCUMENT

RICH = {"x-token": "the-token-of-the-contract"}
POOR = {"x-token": "the-token-without-credits"}

schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.generation.update(with_security_parameters=False, allow_extra_parameters=False)
bounded = settings(max_examples=25, derandomize=True, database=None, deadline=None)


@pytest.fixture(scope="module")
def url():
    """The base URL of an emulator that knows both tokens."""
    with Emulator() as emulator:
        emulator.register(RICH["x-token"], wallet=1_000_000)
        emulator.register(POOR["x-token"], wallet=0)
        yield emulator.url


@schema.parametrize()
@bounded
def test_with_credits(case, url):
    case.call_and_validate(url, headers=RICH)


@schema.parametrize()
@bounded
def test_without_credits(case, url):
    # That the wallet is empty is reported before anything about the data.
    data_checks = [positive_data_acceptance, negative_data_rejection]
    case.call_and_validate(url, headers=POOR, excluded_checks=data_checks)


@schema.parametrize()
@bounded
def test_without_a_token(case, url):
    case.call_and_validate(url)
