# SPDX-License-Identifier: BSD-2-Clause
"""The native provider: its config, the life of a `Token` as the engine's protocol has it, and the functions.

What is decided of a token is in test_lifecycle.py and test_placed.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2, status_pb2
from pulumi.runtime.rpc import wrap_rpc_secret as secret

import pulumi_resource_echovalue
from pulumi_echovalue._decisions.service import CONFIG_KEYS
from pulumi_echovalue._shared.module_utils.core.version import VERSION
from pulumi_echovalue.plugin import __main__ as command_line
from pulumi_echovalue.plugin import provider as plugin
from pulumi_echovalue.plugin import token
from pulumi_echovalue.plugin.properties import UNKNOWN, plain, struct
from tests.pulumi.asking import ADOPTED, ADOPTED_HASH, NONE, SOME, UNHEARD_OF, Engine, asking, failure
from tools.checkout import ROOT
from tools.emulator.client import Emulator

pytestmark = pytest.mark.essential


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[Engine]:
    """A provider whose service is the emulator, which the environment says."""
    with asking() as engine:
        yield engine


OTHER = "0123456789abcdef0123456789abcdef"
KEPT = {
    "token": secret(ADOPTED),
    "hash": ADOPTED_HASH,
    "service": "https://own.example",
    "keepers": {"a": "1"},
}


def test_a_life(engine: Engine, emulator: Emulator) -> None:
    inputs = {"keepers": {"a": "1"}}
    assert not engine.check(inputs).failures
    previewed = engine.create(inputs, preview=True)
    assert (previewed.id, dict(previewed.properties)["token"]) == ("", secret(UNKNOWN))
    assert emulator.stats()["total"] == 0
    created = engine.create(inputs)
    token = plain(created.properties)["token"]
    assert dict(created.properties)["token"] == secret(token)
    assert created.id == hashlib.sha256(token.encode()).hexdigest()
    values = {**inputs, "token": token, "hash": created.id, "service": emulator.url}
    assert plain(created.properties) == values
    assert emulator.stats()["requests"] == {"POST /token": 1}
    emulator.reset_stats()
    assert engine.diff(created.properties, inputs).changes == NONE
    # While the program names the very token, other keepers are an update, which asks nothing.
    inputs = {"keepers": {"a": "2"}, "existingToken": secret(token)}
    for preview in (True, False):
        updated = engine.update(created.properties, inputs, preview=preview).properties
        assert plain(updated) == {**values, "keepers": {"a": "2"}}
        assert dict(updated)["token"] == secret(token)
    assert emulator.stats()["total"] == 0
    engine.restart()
    engine.delete(created.id, updated)
    ((text, urn),) = engine.warnings
    assert ("cannot revoke a token" in text, urn) == (True, engine.urn)


@pytest.mark.parametrize(
    ("state", "inputs", "replaces", "updates"),
    [
        ({}, {}, [], []),
        ({}, {"keepers": {"a": "2"}}, ["keepers"], []),
        ({}, {"keepers": {"a": UNKNOWN}, "existingToken": secret(UNKNOWN)}, ["existingToken", "keepers"], []),
        ({}, {"keepers": {"a": "2"}, "existingToken": ADOPTED}, [], ["keepers"]),
        ({}, {"existingToken": OTHER}, ["existingToken"], []),
        ({"service": "https://before.example"}, {}, [], ["service"]),
        ({"gone": True}, {}, ["gone"], []),
    ],
)
def test_a_difference(
    engine: Engine,
    emulator: Emulator,
    state: dict[str, Any],
    inputs: dict[str, Any],
    replaces: list[str],
    updates: list[str],
) -> None:
    engine.configure(baseUrl="https://own.example")
    difference = engine.diff(struct({**KEPT, **state}), {"keepers": {"a": "1"}, **inputs})
    assert list(difference.replaces) == replaces
    assert list(difference.diffs) == [*replaces, *updates]
    assert sorted(difference.detailedDiff) == sorted(difference.diffs)
    assert difference.changes == (SOME if difference.diffs else NONE)
    assert not difference.deleteBeforeReplace
    assert all(one.inputDiff == (name in inputs) for name, one in difference.detailedDiff.items())
    assert emulator.stats()["total"] == 0


def test_what_it_is(engine: Engine) -> None:
    assert engine.stub.GetPluginInfo(Empty()).version == VERSION
    schema = json.loads(engine.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert schema == plugin.schema()
    assert (schema["name"], schema["version"]) == ("echovalue", VERSION)
    assert list(schema["provider"]["inputProperties"]) == list(CONFIG_KEYS)
    engine.stub.Cancel(Empty())


def test_a_preview_of_what_is_not_known_yet(engine: Engine) -> None:
    inputs = {"existingToken": secret(UNKNOWN), "keepers": {"a": UNKNOWN}}
    checked = engine.check(inputs)
    assert not checked.failures
    assert plain(checked.inputs) == plain(struct(inputs))
    # A function that gets the token in a preview would ask a service that has not proven it yet.
    for existing in (UNKNOWN, ADOPTED):
        previewed = engine.create({**inputs, "existingToken": secret(existing)}, preview=True).properties
        assert dict(previewed)["token"] == secret(UNKNOWN)
        assert plain(previewed)["hash"] == UNKNOWN


def test_inputs_get_their_one_form_and_stay_secrets(engine: Engine) -> None:
    checked = engine.check(
        {"existingToken": f"{ADOPTED}\n", "keepers": {"a": secret(2026.0), "b": secret("b")}}
    )
    assert not checked.failures
    assert dict(checked.inputs)["existingToken"] == secret(ADOPTED)
    assert dict(checked.inputs)["keepers"] == {"a": secret("2026"), "b": secret("b")}
    reasons = [
        one.reason for one in engine.check({"existingToken": "short", "keepers": {"a": [1.0]}}).failures
    ]
    assert reasons[0].startswith("existingToken: That is not a token")
    assert reasons[1].startswith(
        "keepers: keepers must map strings to strings; no string is the value of: a."
    )


def test_a_child_of_a_component_and_another_type(engine: Engine) -> None:
    child = engine.urn.replace("::echovalue:index", "::my:component:App$echovalue:index")
    assert not engine.check({}, child).failures
    assert "There is no resource echovalue:index:Other" in failure(
        engine.check, {}, engine.urn.replace(":Token", ":Other")
    )


@pytest.mark.parametrize(
    ("config", "reported"),
    [
        ({"baseUrl": "http://example.com"}, "baseUrl: base_url is refused: plain http"),
        ({"token": secret("short")}, "token: That is not a token"),
        ({"timeout": "soon"}, "timeout: timeout must be a number"),
        ({"retries": 1.5}, "retries: retries must be a whole number"),
    ],
)
def test_a_config_that_makes_no_sense(engine: Engine, config: dict[str, Any], reported: str) -> None:
    checked = engine.stub.CheckConfig(provider_pb2.CheckRequest(news=struct(config)))
    (found,) = checked.failures
    assert found.reason.startswith(reported)
    assert found.property == ""


def test_the_config(engine: Engine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"baseUrl": emulator.url, "token": ADOPTED, "timeout": "0.3", "retries": 0.0}
    checked = engine.stub.CheckConfig(provider_pb2.CheckRequest(news=struct(config)))
    assert dict(checked.inputs)["token"] == secret(ADOPTED)
    emulator.reset_stats()
    monkeypatch.setenv("ECHOVALUE_BASE_URL", "https://elsewhere.example")
    engine.configure(**config)
    emulator.fault("POST /token", "hang")
    assert "no whole answer within 0.3 s" in failure(engine.create, {})
    emulator.fault("POST /token", "status", status=503)
    assert "HTTP 503" in failure(engine.create, {})  # asked once: retries is 0


def test_a_refresh(engine: Engine, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=0)
    state = struct(
        {"token": secret(ADOPTED), "hash": ADOPTED_HASH, "service": emulator.url, "keepers": {"a": "1"}}
    )
    inputs = {"keepers": {"a": "1"}}
    found = engine.read(ADOPTED_HASH, state, inputs)
    assert (found.id, found.properties, found.inputs) == (ADOPTED_HASH, state, struct(inputs))
    emulator.forget(ADOPTED_HASH)
    marked = engine.read(ADOPTED_HASH, state, inputs)
    assert (marked.id, marked.inputs) == (ADOPTED_HASH, struct(inputs))
    assert plain(marked.properties) == {**plain(state), "gone": True}
    assert f"does not know the token with hash {ADOPTED_HASH}" in engine.warnings[0][0]
    assert ADOPTED not in engine.warnings[0][0]


def test_an_import(engine: Engine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.register(ADOPTED)
    assert "there it is missing" in failure(engine.read, ADOPTED_HASH)
    engine.configure(token=secret(ADOPTED))
    assert "there it has another hash" in failure(engine.read, "0" * 64)
    found = engine.read(ADOPTED_HASH)
    assert dict(found.properties)["token"] == secret(ADOPTED)
    assert (found.id, plain(found.properties)["service"]) == (ADOPTED_HASH, emulator.url)
    assert engine.diff(found.properties, {}).changes == NONE
    monkeypatch.setenv("ECHOVALUE_TOKEN", ADOPTED)
    engine.configure()
    assert engine.read(ADOPTED_HASH).id == ADOPTED_HASH
    emulator.forget(ADOPTED_HASH)
    assert "does not know the token that was passed" in failure(engine.read, ADOPTED_HASH)
    assert emulator.stats()["mints"] == 0


def test_an_import_by_its_place(engine: Engine, emulator: Emulator, tmp_path: Path) -> None:
    emulator.register(ADOPTED, wallet=7)
    place = {"path": str(tmp_path / "token")}
    Path(place["path"]).write_text(f"{ADOPTED}\n")
    found = engine.read(json.dumps(place))
    assert (found.id, plain(found.inputs)) == (ADOPTED_HASH, {"place": place})
    assert "token" not in plain(found.properties)
    assert "is no JSON" in failure(engine.read, "{path")
    assert engine.invoke("getWallet", details=False, place=place)["wallet"] == 7
    assert "does not go with place" in failure(engine.invoke, "getWallet", token=ADOPTED, place=place)
    refused = engine.check({"place": place, "maxAgeDays": -1, "maxLoss": 0.5}).failures
    assert [one.reason.split(":")[0] for one in refused] == ["maxAgeDays", "maxLoss"]


def test_a_get_by_a_part_of_the_state(engine: Engine, emulator: Emulator, other: Emulator) -> None:
    """As by `Token.get` in TypeScript: what is missing is read, and an unknown token is an error."""
    emulator.register(ADOPTED)
    found = engine.read(ADOPTED_HASH, struct({"token": secret(ADOPTED)}))
    assert (plain(found.properties)["hash"], plain(found.properties)["service"]) == (
        ADOPTED_HASH,
        emulator.url,
    )
    assert dict(found.properties)["token"] == secret(ADOPTED)
    partial = {"token": secret(ADOPTED), "service": other.url}
    assert "does not know the token" in failure(engine.read, ADOPTED_HASH, struct(partial))
    other.register(ADOPTED)
    assert plain(engine.read(ADOPTED_HASH, struct(partial)).properties)["service"] == other.url


def test_a_state_that_was_edited_by_hand(engine: Engine, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    state = struct({"token": secret(OTHER), "hash": ADOPTED_HASH, "service": emulator.url})
    refused = "the id of a token is its hash. Nothing was changed"
    for call in (engine.read, engine.delete):
        assert refused in failure(call, ADOPTED_HASH, state)
    for call in (engine.diff, engine.update):
        assert refused in failure(call, state, {})
    # The token itself can be in the config, as for an import.
    without = struct({"hash": ADOPTED_HASH, "service": emulator.url})
    engine.delete(ADOPTED_HASH, without)
    assert emulator.stats()["total"] == 0
    engine.configure(token=secret(ADOPTED))
    assert dict(engine.read(ADOPTED_HASH, without).properties)["token"] == secret(ADOPTED)


def test_an_update_at_another_service(engine: Engine, emulator: Emulator) -> None:
    marked = struct({**KEPT, "gone": True})
    assert "is marked as gone: it is of https://own.example" in failure(engine.update, marked, {})
    engine.configure(baseUrl=emulator.url)
    assert plain(engine.update(marked, {}, preview=True).properties)["service"] == emulator.url
    assert emulator.stats()["total"] == 0
    moved = plain(engine.update(marked, {}).properties)
    assert (moved["service"], moved["gone"]) == (emulator.url, True)
    assert "the next up replaces it" in engine.warnings[-1][0]
    assert "of https://own.example" in failure(engine.update, struct(KEPT), {})


def test_a_failure_after_the_mint_keeps_the_token(
    engine: Engine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(ADOPTED)

    monkeypatch.setattr(token, "_created", broken)
    with pytest.raises(grpc.RpcError) as caught:
        engine.create({"keepers": {"a": "1"}})
    metadata = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed)
    minted = plain(failed.properties)["token"]
    assert plain(failed.properties)["keepers"] == {"a": "1"}
    assert dict(failed.properties)["token"] == secret(minted)
    assert failed.id == hashlib.sha256(minted.encode()).hexdigest()
    assert list(failed.reasons) == [caught.value.details()]
    assert "RuntimeError in Create: a fault of pulumi-echovalue" in failed.reasons[0]
    assert ADOPTED not in failed.reasons[0]
    assert emulator.stats()["mints"] == 1
    # The next up updates it without asking for a difference.
    monkeypatch.undo()
    monkeypatch.setenv("ECHOVALUE_BASE_URL", emulator.url)
    assert plain(engine.update(failed.properties, {}).properties)["token"] == minted


def test_the_wallet(engine: Engine, emulator: Emulator) -> None:
    emulator.register(ADOPTED, wallet=42)
    wallet = engine.invoke("getWallet", token=secret(ADOPTED))
    assert (wallet["wallet"], wallet["hash"], wallet["cost"]) == (41, ADOPTED_HASH, 1)
    assert wallet["created"]
    wallet = engine.invoke("getWallet", token=ADOPTED, details=False)
    assert wallet == {"wallet": 41, "hash": ADOPTED_HASH, "cost": 0}
    emulator.set_wallet(ADOPTED_HASH, 0)
    assert engine.invoke("getWallet", token=ADOPTED)["wallet"] == 0


def test_a_forecast(engine: Engine, emulator: Emulator) -> None:
    token = "token-without-a-past-0123456789abcdef"
    emulator.register(token, wallet=42)
    engine.invoke("getWallet", token=token)
    found = engine.invoke("getForecast", token=secret(token))
    assert (found["spent"], found["entries"]) == (1, 2)
    assert "daysLeft" not in found  # of a minute nothing can be said
    assert engine.invoke("getForecast", token=UNHEARD_OF, required=False) == {}
    assert emulator.stats()["credits_spent"] == 1


def test_a_link(engine: Engine, emulator: Emulator) -> None:
    emulator.register(ADOPTED)
    request = provider_pb2.InvokeRequest(
        tok="echovalue:index:getRechargeLink", args=struct({"token": ADOPTED, "amount": 3.0})
    )
    answer = dict(getattr(engine.stub.Invoke(request), "return"))
    assert answer["url"] == secret(answer["url"]["value"])
    assert "3million" in answer["url"]["value"]
    for amount in (2.0, 1.5, "1"):
        assert "amount must be 1 or 3" in failure(
            engine.invoke, "getRechargeLink", token=ADOPTED, amount=amount
        )


def test_a_token_is_asked_about_at_the_service_passed(engine: Engine, emulator: Emulator) -> None:
    engine.configure(baseUrl="https://elsewhere.example")
    emulator.register(ADOPTED, wallet=42)
    assert engine.invoke("getWallet", token=ADOPTED, details=False, baseUrl=emulator.url)["wallet"] == 42


def test_what_cannot_be_asked(engine: Engine, emulator: Emulator) -> None:
    assert "There is no function echovalue:index:getOther" in failure(engine.invoke, "getOther")
    assert "That is not a token" in failure(engine.invoke, "getWallet", required=False)
    for function in ("getWallet", "getRechargeLink"):
        text = failure(engine.invoke, function, token=UNHEARD_OF)
        assert f"{emulator.url} was requested. The address comes from the program" in text
        text = failure(engine.invoke, function, token=UNHEARD_OF, baseUrl=emulator.url)
        assert f"{emulator.url} was requested, the service that is passed with the token" in text
        assert "`pulumi refresh` marks it as gone" in text
    assert engine.invoke("getWallet", token=UNHEARD_OF, required=False) == {
        "hash": hashlib.sha256(UNHEARD_OF.encode()).hexdigest()
    }
    assert engine.invoke("getRechargeLink", token=UNHEARD_OF, required=False) == {}
    assert len(engine.warnings) == 2
    assert all(
        "The program goes on without" in text and UNHEARD_OF not in text for text, _urn in engine.warnings
    )


def test_a_preview_costs_no_credit(engine: Engine, emulator: Emulator) -> None:
    if "preview" not in provider_pb2.InvokeRequest.DESCRIPTOR.fields_by_name:
        return  # before 3.210 the SDK does not report a preview, as the documentation says
    emulator.register(ADOPTED, wallet=42)
    assert engine.invoke("getWallet", preview=True, token=ADOPTED)["wallet"] == 42
    assert emulator.stats()["requests"] == {"GET /recharge": 1}


def test_many_at_once_over_few_connections(engine: Engine, emulator: Emulator) -> None:
    emulator.options(latency=0.02)
    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(lambda _: engine.create({}).id, range(64)))
    assert len(set(made)) == emulator.stats()["mints"] == 64
    assert emulator.stats()["connections"] <= 8


def test_a_broken_environment_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pulumi.py").write_text("raise ImportError('cannot import name')")
    program = "import pulumi_resource_echovalue as program; program.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "127.0.0.1:1"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "pulumi-resource-echovalue cannot start (ImportError: cannot import name). "
        f"Reinstall pulumi-echovalue in {sys.prefix}.\n"
    )


@pytest.mark.parametrize("flags", [[], ["--logtostderr", "-v=8"], ["--tracing", "http://127.0.0.1:1"]])
def test_the_flags_of_the_engine_come_before_its_address(
    monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    """As with pulumi --logflow and --tracing."""
    served: list[str] = []
    monkeypatch.setattr(plugin, "serve", served.append)
    monkeypatch.setattr(sys, "argv", ["pulumi-resource-echovalue", *flags, "127.0.0.1:4711"])
    pulumi_resource_echovalue.main()
    assert served == ["127.0.0.1:4711"]


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plugin", "schema"])
    assert command_line.main() == 0
    assert json.loads(capsys.readouterr().out) == plugin.schema()
    monkeypatch.setattr(sys, "argv", ["plugin", "install"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"pulumi is not on PATH\. Nothing was installed"):
        command_line.main()
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f'#!/bin/sh\necho "$@" && /bin/ls "$7" >{tmp_path}/listed && exit 3\n')
    pulumi.chmod(0o755)
    assert command_line.main() == 3
    assert (tmp_path / "listed").read_text() == "pulumi-resource-echovalue\n"


@pytest.mark.parametrize("kind", ["folder", "zip", "working directory"])
def test_the_plugin_finds_the_package_wherever_it_was_put(tmp_path: Path, kind: str) -> None:
    """As by `pip install --target`, or as a zip of the distribution on PYTHONPATH."""
    target = tmp_path / "with space"
    wheel(target)
    bin_, plugins, elsewhere = (tmp_path / name for name in ("bin", "plugins", "elsewhere"))
    for folder in (bin_, plugins, elsewhere):
        folder.mkdir()
    if kind == "zip":
        archive = shutil.make_archive(str(tmp_path / "package"), "zip", target)
        shutil.rmtree(target)
        target = Path(archive)
    (bin_ / "pulumi").write_text(f'#!/bin/sh\n/bin/cp "$7"/* {plugins}\n')
    (bin_ / "pulumi").chmod(0o755)
    environment = {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    python = clean_python(tmp_path)
    subprocess.run(
        [python, "-m", "pulumi_echovalue.plugin", "install"],
        env=environment if kind == "working directory" else {**environment, "PYTHONPATH": str(target)},
        cwd=target if kind == "working directory" else elsewhere,
        check=True,
    )
    (program,) = plugins.iterdir()
    for hiding in ("secrets", "requests", "pulumi_resource_echovalue"):  # of the user's project
        elsewhere.joinpath(f"{hiding}.py").write_text(f"raise SystemExit('{hiding} of the project')")
    done = subprocess.run(
        [program], env=environment, cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("The Pulumi engine starts this program")


def wheel(target: Path) -> None:
    """Lay the package out as its wheel does."""
    mapped = r'^"(pulumi_echovalue[\w.]*)" = "(.+)"$'  # of setuptools, in pyproject
    for package, folder in re.findall(mapped, (ROOT / "pyproject.toml").read_text(), re.MULTILINE):
        shutil.copytree(ROOT / folder, target.joinpath(*package.split(".")), dirs_exist_ok=True)
    shutil.copy2(ROOT / "pulumi_resource_echovalue.py", target)


def clean_python(folder: Path) -> Path:
    """Return the Python of an environment that has only the dependencies."""
    venv.create(folder / "venv", symlinks=True)
    (packages,) = (folder / "venv" / "lib").glob("python3.*/site-packages")
    (packages / "dependencies.pth").write_text(f"{Path(pulumi.__file__).parents[1]}\n")
    return folder / "venv" / "bin" / "python"
