# SPDX-License-Identifier: BSD-2-Clause
"""Programs as their own unit tests see them: `set_mocks` instead of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import test as run_to_its_end

import pulumi_echovalue as echovalue
from pulumi_echovalue._decisions.place import opened as place_of
from pulumi_echovalue._decisions.service import client_of
from pulumi_echovalue._shared.module_utils.core.errors import InvalidInputError
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential
asyncio.set_event_loop(asyncio.new_event_loop())  # for set_mocks: Python 3.14 makes none by itself


class Mocks(pulumi.runtime.Mocks):
    """An engine that keeps what it is asked for."""

    def __init__(self) -> None:
        self.seen: list[pulumi.runtime.MockResourceArgs] = []
        self.outputs: dict[str, Any] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.seen.append(args)
        return "the-hash", {**args.inputs, "token": ADOPTED, "hash": "the-hash", **self.outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        return {}


@pytest.fixture
def mocks() -> Iterator[Mocks]:
    """Stand in for the engine."""
    made = Mocks()
    pulumi.runtime.set_mocks(made, project="shop")
    yield made
    pulumi.runtime.set_all_config({})


def value(make: Callable[[], pulumi.Output[Any]]) -> tuple[Any, bool, bool]:
    """Return the value of an output, whether it is known, whether it is a secret."""
    found: list[Any] = []

    @run_to_its_end
    async def run() -> None:
        output = make()
        found.extend([await output.future(), await output.is_known(), await output.is_secret()])

    run()
    return tuple(found)  # type: ignore[return-value]


def test_a_token_is_secret_and_its_hash_is_not(mocks: Mocks) -> None:
    assert value(lambda: echovalue.Token("app", keepers={"a": "1"}).token) == (ADOPTED, True, True)
    (args,) = mocks.seen
    assert args.typ == "pulumi-python:dynamic/echovalue:Token"
    assert args.inputs["keepers"] == {"a": "1"}
    assert value(lambda: echovalue.Token("other").hash) == ("the-hash", True, False)


def test_the_options_of_a_program_are_kept(mocks: Mocks) -> None:
    options = pulumi.ResourceOptions(additional_secret_outputs=["hash"], protect=True)
    assert value(lambda: echovalue.Token("app", opts=options).token)[2]
    assert options.additional_secret_outputs == ["hash"]


def test_the_functions_in_an_update(mocks: Mocks, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=42)
    wallet, known, secret = value(lambda: echovalue.get_wallet(ADOPTED))
    assert isinstance(wallet, echovalue.Wallet)
    assert (wallet.wallet, wallet.cost, known, secret) == (41, 1, True, False)
    wallet, _, secret = value(lambda: echovalue.get_wallet(pulumi.Output.secret(ADOPTED), details=False))
    assert (wallet.wallet, wallet.created, wallet.cost, secret) == (41, None, 0, True)
    link, known, secret = value(lambda: echovalue.get_recharge_link(ADOPTED, amount=3))
    assert link.startswith("https://buy.stripe.com/emulator3million?")
    assert (known, secret) == (True, True)


@pytest.mark.parametrize("passed", [None, {"value": ADOPTED}, {"place": {"path": "/nowhere"}}])
def test_what_is_no_token_is_refused(mocks: Mocks, emulator: Emulator, passed: Any) -> None:
    for function in (echovalue.get_wallet, echovalue.get_forecast, echovalue.get_recharge_link):
        with pytest.raises(pulumi.RunError, match="No request was sent"):
            value(lambda: function(passed))  # noqa: B023
    assert emulator.stats()["requests"] == {}


def test_a_line_feed_is_no_part_of_a_token(mocks: Mocks, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=42)
    wallet = value(lambda: echovalue.get_wallet(f"{ADOPTED}\n"))[0]
    assert (wallet.hash, wallet.cost) == (ADOPTED_HASH, 1)
    emulator.fault("GET /token", "status", status=403)
    assert value(lambda: echovalue.get_wallet(f"{ADOPTED}\n", required=False))[0].hash == ADOPTED_HASH


def test_an_empty_wallet_is_an_answer(mocks: Mocks, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=0)
    for details in (True, False):
        assert value(lambda: echovalue.get_wallet(ADOPTED, details))[0].wallet == 0  # noqa: B023


def test_the_functions_in_a_preview(emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    pulumi.runtime.set_mocks(Mocks(), project="shop", preview=True)
    assert value(lambda: echovalue.get_wallet(ADOPTED))[1:] == (False, False)
    assert value(lambda: echovalue.get_recharge_link(ADOPTED))[1:] == (False, True)
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize("amount", [0, 2, -1, 1.0, True, "1", None])
def test_an_amount_is_refused_when_called(emulator: Emulator, amount: Any) -> None:
    with pytest.raises(InvalidInputError, match="amount must be 1 or 3"):
        echovalue.get_recharge_link(ADOPTED, amount)


def test_what_the_service_refuses_ends_the_program(mocks: Mocks, emulator: Emulator) -> None:
    emulator.fault("GET /recharge", "status", status=401, body=ADOPTED)
    with pytest.raises(pulumi.RunError, match="HTTP 401") as caught:
        value(lambda: echovalue.get_recharge_link(ADOPTED))
    assert ADOPTED not in str(caught.value)


def test_a_token_is_asked_about_at_its_own_service(mocks: Mocks, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=42)
    mocks.outputs = {"service": emulator.url}
    pulumi.runtime.set_config("echovalue:baseUrl", "https://elsewhere.example")
    wallet, _, secret = value(lambda: echovalue.get_wallet(echovalue.Token("app"), details=False))
    assert (wallet.wallet, secret) == (42, True)
    assert value(lambda: echovalue.get_recharge_link(echovalue.Token("app")))[0].startswith("https://buy")
    # A stack of version 0.1.0 does not know its service: what the program gave counts.
    mocks.outputs = {}
    wallet, *_ = value(
        lambda: echovalue.get_wallet(echovalue.Token("app", base_url=emulator.url), details=False)
    )
    assert wallet.wallet == 42
    with pytest.raises(InvalidInputError, match="at its own service"):
        value(lambda: echovalue.get_wallet(echovalue.Token("app"), base_url=emulator.url))


def test_a_forecast(mocks: Mocks, emulator: Emulator) -> None:
    token = "token-of-a-program-0123456789abcdef"
    hash_ = emulator.register(token, wallet=42)
    value(lambda: echovalue.get_wallet(token))
    found, *_ = value(lambda: echovalue.get_forecast(token))
    assert (found.spent, found.days_left) == (1, None)
    emulator.forget(hash_)
    assert value(lambda: echovalue.get_forecast(token, required=False))[0] is None
    with pytest.raises(pulumi.RunError, match="HTTP 401"):
        value(lambda: echovalue.get_forecast(token))


def test_what_is_not_required_lets_the_program_go_on(
    mocks: Mocks, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault("GET /recharge", "status", status=401, body=ADOPTED, times=2)
    wallet, *_ = value(lambda: echovalue.get_wallet(ADOPTED, details=False, required=False))
    assert wallet == echovalue.Wallet(None, None, ADOPTED_HASH, None)
    assert value(lambda: echovalue.get_recharge_link(ADOPTED, required=False)) == (None, True, True)
    assert caplog.text.count("The program goes on without what it requested about a token") == 2
    assert f"{emulator.url} was requested. The address comes from the program" in caplog.text
    assert ADOPTED not in caplog.text
    with pytest.raises(
        pulumi.RunError, match="That is not a token"
    ):  # is a mistake whatever the service says
        value(lambda: echovalue.get_wallet("short", required=False))


def test_the_base_url_of_the_functions(mocks: Mocks, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=42)
    # The stack's config counts more than the environment, which names the emulator.
    pulumi.runtime.set_config("echovalue:baseUrl", "ftp://nowhere")
    with pytest.raises(pulumi.RunError, match="base_url is refused"):
        value(lambda: echovalue.get_wallet(ADOPTED, details=False))
    passed = pulumi.Output.from_input(emulator.url)
    wallet, *_ = value(lambda: echovalue.get_wallet(ADOPTED, details=False, base_url=passed))
    assert wallet.wallet == 42


def test_many_questions_go_over_few_connections(mocks: Mocks, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=42)
    emulator.options(latency=0.05)

    def many() -> pulumi.Output[Any]:
        return pulumi.Output.all(*(echovalue.get_wallet(ADOPTED, details=False) for _ in range(40)))

    assert len(value(many)[0]) == 40
    assert emulator.stats()["total"] == 40
    assert emulator.stats()["connections"] <= 8


def test_a_token_in_a_place(mocks: Mocks, emulator: Emulator, tmp_path: Path) -> None:
    emulator.register(ADOPTED, wallet=42)
    file = tmp_path / "token"
    file.write_text(f"{ADOPTED}\n")
    place: echovalue.Place = {"path": str(file)}
    found = place_of({"path": str(file)}, "/spool", emulator.url)
    mocks.outputs = {"service": emulator.url, "stored_at": found.words, "resolved": dict(found.resolved)}

    def declared(**arguments: Any) -> echovalue.Token:
        return echovalue.Token("app", place=place, **arguments)

    assert value(lambda: echovalue.get_wallet(declared(), details=False))[0].wallet == 42
    for refused, why in (
        (lambda: declared().token, r"is in its place \(path\)"),
        (lambda: echovalue.Token("app", place=pulumi.Output.from_input(place)), "known at once"),  # type: ignore
        (lambda: declared(existing_token=ADOPTED), "existing_token does not go with place"),
        (lambda: declared(opts=pulumi.ResourceOptions(id=ADOPTED_HASH)), "keeps no list of tokens"),
    ):
        with pytest.raises(pulumi.RunError, match=why):
            value(refused)
    with pytest.raises(InvalidInputError, match="read at its own service"):
        value(lambda: echovalue.get_wallet(declared(), base_url=emulator.url))


def test_threads_share_one_client() -> None:
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(client_of, ["https://threads.example"] * 200))
    assert len(made) == 1


@pytest.mark.parametrize("kind", [echovalue.Token, echovalue.WalletAlert])
def test_outputs_are_declared_by_types_that_each_sdk_reads(kind: type[pulumi.Resource]) -> None:
    """The oldest reads Optional, and refuses a dict for what is `dict | None`."""
    assert [name for name, declared in kind.__annotations__.items() if "|" in declared] == []
