# SPDX-License-Identifier: BSD-2-Clause
"""Tokens and what is secret in a connection are found where they belong, and nowhere else that a run passes through."""

from __future__ import annotations

import pytest

from tests.stores.conftest import Controller, MakePlace, stores
from tests.testkit.places import PLACES
from tests.testkit.playbook import token
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


def test_a_failure_shows_no_secret_of_the_connection(ansible: Controller, make_place: MakePlace) -> None:
    place = make_place("hashi_vault")
    secret = "of-the-login-0123456789"
    wrong = [
        {"token": secret},
        {"auth_method": "approle", "role_id": secret, "secret_id": secret},
        {"auth_method": "userpass", "username": "me", "password": secret, "token_validate": secret},
        {"proxies": f"http://me:{secret}@127.0.0.1:1"},
    ]
    tasks = [
        token(
            f"case{number}",
            ignore_errors=True,
            hashi_vault=place.named("", connection={"url": place.connection["url"], **connection}),
        )
        for number, connection in enumerate(wrong)
    ]
    run = ansible.play(*tasks, options=("-vvv",))
    assert all(run[f"case{number}"]["failed"] for number in range(len(wrong)))
    assert not run.finds(secret)
