# SPDX-License-Identifier: BSD-2-Clause
"""Bad options for everything that takes some: refused with a reason, before any request, and without a token.

Modules, their action plugins and both Pulumi providers run in this process, over a service that
counts what it is asked; roles are played, many in one playbook. Nothing but this machine is reached.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from http.server import ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock
from urllib.parse import urlsplit

import grpc
import pulumi
import yaml
from ansible.errors import AnsibleError
from ansible.module_utils import basic
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar
from google.protobuf.struct_pb2 import Struct
from hypothesis import strategies as st
from pulumi.dynamic import ResourceProvider
from pulumi.runtime import test as run_to_its_end
from pulumi.runtime.proto import provider_pb2

import pulumi_echovalue as echovalue
from plugins.module_utils.core.messages import Request, Response
from plugins.module_utils.core.models import token_hash
from pulumi_echovalue._shared.module_utils.core.errors import InvalidInputError
from pulumi_echovalue.alert_provider import WalletAlertProvider
from pulumi_echovalue.plugin.provider import Provider
from pulumi_echovalue.provider import TokenProvider
from tests.testkit.playbook import Ansible
from tests.testkit.web_server import Handler, running
from tools.checkout import ROOT
from tools.proof import cases, stacks, subject
from tools.proof.report import Report

_CASES = {False: 300, True: 20}  # of each, in the long and in the short form
_PLAYED = {False: 15, True: 3}  # of each role
ADOPTED = "feedfacefeedfacefeedfacefeedface"  # a token to adopt
KEPT = "0123456789abcdef0123456789abcdef"
MINTED = "fedcba9876543210fedcba9876543210"
LOGIN = "hvs.login-of-the-experiments"  # the secret of a connection
_SECRETS = (ADOPTED, KEPT, MINTED, LOGIN)
_COLLECTION = "ansible_collections.echovalue.cloud.plugins"
_OPTIONS = import_module(f"{_COLLECTION}.module_utils.task.options")
_REGISTRY = import_module(f"{_COLLECTION}.module_utils.places.registry")
REASONS = {
    *("invalid_input", "store", "conflict", "network", "timeout", "unauthorized", "payment_required"),
    *("rate_limited", "unavailable", "unexpected_answer", "ambiguous_mint"),
}

# What comes where another thing was requested. No text leads out of the experiment's folder, or to a program.
_text = st.text(max_size=8).filter(lambda text: not set(text) & set("/~${"))
_scalar = (
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.integers()
    | st.floats()
    | _text
    | st.sampled_from(("", "0", "-1", "1e309", "nan", "inf", "yes", "\0", "a\0b", "9" * 5000))
)
_junk = st.recursive(
    _scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=4,
)
_token = st.sampled_from(
    (ADOPTED, f"{ADOPTED}\n", f"{ADOPTED} ", f" {ADOPTED}", f"{ADOPTED}\0", f"'{ADOPTED}'")
) | (st.sampled_from(("short", [ADOPTED], {"a": ADOPTED})))
_url = st.sampled_from(
    f"https://api.echovalue.dev http://127.0.0.1:1/ http://example.com https://{ADOPTED}@example.com "
    f"https://example.com?token={ADOPTED} https://[::1 https://example.com:99999".split()
)
_FILES = "token other plain.yml vault.yml sops.yaml missing/token folder loop ."
_file = st.sampled_from(("", "a\0b", "n" * 300, *_FILES.split()))
_file_here = _file | st.sampled_from(("\ud800", "\udcff.yml"))  # which only the controller can get
_host = {**dict.fromkeys(("url", "host", "endpoint_url"), "http://127.0.0.1:1"), "region": "eu-north-1"}
_NAMES = (
    "token auth_method timeout retries namespace kubeconfig context profile access_key secret_key "
    "validate_certs proxies tokn"
)
_connection = st.dictionaries(
    st.sampled_from((*_host, *_NAMES.split())), st.just(LOGIN) | _junk, max_size=4
).map(lambda connection: {**connection, **{name: url for name, url in _host.items() if name in connection}})
_argv = st.lists(
    st.sampled_from(("cat", "true", "false", "no-such-program", "./no-such-program", "", "a\0b", "\ud800"))
    | st.just(ADOPTED),
    max_size=3,
).filter(lambda argv: not argv or argv[0] != ADOPTED)
_REQUESTED: dict[str, Any] = {
    "base_url": _url,
    "token": _token,
    "argv": _argv,
    "connection": _connection,
    "vault_file": _file_here,
    "file": _file_here,
    "mode": st.sampled_from(("0600", 384, "u=rw,g=r", "rw", "9999", 0o600)),
    "owner": st.sampled_from(("root", "nobody", "no-such-user", "0")),
    "group": st.sampled_from(("root", "nogroup", "no-such-group", "0")),
    "key": st.sampled_from(("token", "a.b", "a..b", '["a.b"]', "[", "", "sops", "a\0b")),
    "url": st.sampled_from(("https://hooks.example.com/x", "http://example.com", "", "https://[")),
    "headers": st.dictionaries(_text, _junk, max_size=2),
    "email": st.sampled_from(("a@example.com", "nobody", "")),
}
_BY_TYPE: dict[str, Any] = {
    "bool": st.booleans(),
    "int": st.integers(-2, 200),
    "float": st.floats() | st.integers(-1, 60),
    "path": _file,
    "raw": _scalar,
    "dict": st.dictionaries(_text, _junk, max_size=2),
    "list": st.lists(_junk, max_size=3),
    "str": _text,
}


def _option(name: str, spec: dict[str, Any]) -> Any:
    """Return what may be passed for an option: mostly what is requested, now and then anything."""
    kind = spec.get("type", "str")
    if "options" in spec:
        requested = _item() if name == "tokens" else _options(spec["options"])
        requested = st.lists(requested, max_size=3) if kind == "list" else requested
    elif "choices" in spec:
        requested = st.sampled_from(spec["choices"])
    else:
        short = name.rpartition("_")[2] if name.startswith("echovalue_") else name
        requested = _REQUESTED.get("base_url" if name.endswith("base_url") else short, _BY_TYPE[kind])
    return st.integers(0, 9).flatmap(lambda die: _junk if die == 0 else requested)


def _options(spec: dict[str, Any]) -> Any:
    """Return a few of the options, so that many a task is a whole one; and seldom one that there is not."""
    names = st.lists(st.sampled_from([*spec, "tokn"]), max_size=4, unique=True)
    return names.flatmap(
        lambda chosen: st.fixed_dictionaries({name: _option(name, spec.get(name, {})) for name in chosen})
    )


def _item(**further: Any) -> Any:
    """Return the options of echovalue_token for a place, and a few of the `further` ones."""
    places = {name: place.spec for name, place in _REGISTRY.PLACES.items()}
    named = st.sampled_from(sorted(places)).flatmap(
        lambda name: st.fixed_dictionaries({name: _option(name, places[name])})
    )
    rest = {name: spec for name, spec in {**_OPTIONS._ITEM, **further}.items() if name not in places}
    return st.builds(lambda place, options: {**place, **options}, named, _options(rest))


class Service:
    """Answers for every client of this process, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: Request) -> Response:
        """Return what the service would."""
        self.asked += 1
        token = request.headers.get("x-token", "")
        path = urlsplit(request.url).path
        if request.method == "POST":
            return Response(200, {}, MINTED.encode())
        if path.endswith("/token"):
            return Response(200, {}, json.dumps({"wallet": 7, "hash": token_hash(token)}).encode())
        if path.endswith("/recharge"):
            return Response(200, {"x-balance": "7"}, b"https://buy.stripe.com/p?client_reference_id=x")
        if path.endswith("/token/logs"):
            return Response(200, {}, b'{"logs": []}')
        return Response(200, {}, b"OK" if request.method == "PUT" else b"{}")


_Check = Callable[[Service, Any], str]


def _only_this_machine(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", b"127.0.0.1", b"localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "no other machine is reached")
        return resolve(host, *arguments, **options)

    return getaddrinfo


@contextmanager
def _world(folder: Path) -> Iterator[Service]:
    """Let all that runs here meet one service, and a folder with a file for each kind of place."""
    service = Service()
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "plain.yml").write_text("other: 1\n")
    (folder / "vault.yml").write_text(subject.VAULT.encrypt(f"echovalue_token: {KEPT}\n").decode())
    (folder / "sops.yaml").write_text("echovalue_token: in clear\n")
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ECHOVALUE", "AWS", "VAULT", "K8S"))
        },
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "HOME": str(folder),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    before = os.getcwd()
    os.chdir(folder)
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(socket, "getaddrinfo", _only_this_machine(socket.getaddrinfo)),
        mock.patch("time.sleep"),
        mock.patch.object(subject.transport.HttpTransport, "__call__", service),
        mock.patch.object(stacks.transport.HttpTransport, "__call__", service),
    ):
        try:
            yield service
        finally:
            os.chdir(before)


# The modules, by their action plugins


def _play(name: str, options: dict[str, Any], check: bool) -> dict[str, Any]:
    """Run a task as the controller does, the module in this process."""
    loader = DataLoader()
    loader._vault = subject.VAULT
    task = Task.load({"name": "x", "action": f"echovalue.cloud.{name}"})
    task.args, task.check_mode = options, check
    action = action_loader.get(
        f"echovalue.cloud.{name}",
        task=task,
        connection=connection_loader.get("local", PlayContext(), None),
        play_context=PlayContext(),
        loader=loader,
        templar=Templar(loader=loader),
        shared_loader_obj=None,
    )
    action._execute_module = lambda module_args, **_options: _module(name, module_args, check)
    try:
        return dict(action.run(task_vars={}))
    except AnsibleError as error:  # as the executor of tasks reports it
        return {"failed": True, "msg": str(error), "reason": "reported by Ansible"}


def _module(name: str, options: dict[str, Any], check: bool) -> dict[str, Any]:
    extra = {"_ansible_check_mode": check, "_ansible_no_log": True, "_ansible_remote_tmp": "."}
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **extra}}).encode()
    printed = io.StringIO()
    with (
        mock.patch.object(basic, "_ANSIBLE_ARGS", arguments),
        mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True),
        redirect_stdout(printed),
        redirect_stderr(io.StringIO()),
    ):
        try:
            import_module(f"{_COLLECTION}.modules.{name}").main()
        except SystemExit:
            return dict(json.loads(printed.getvalue()))
    raise AssertionError("the module did not end by itself")


def _spec(name: str) -> dict[str, Any]:
    """Return the argument specification that a module makes."""
    module = import_module(f"{_COLLECTION}.modules.{name}")
    with mock.patch.object(module, "Module") as made, mock.patch.object(module, "run"):
        module.main()
    return dict(made.call_args.kwargs["argument_spec"])


def _task(name: str) -> tuple[Any, _Check]:
    def check(service: Service, case: tuple[dict[str, Any], bool]) -> str:
        result = _play(name, *case)
        reported = json.dumps(result, default=str)
        if not result.get("failed"):
            return "accepted"
        assert isinstance(result["msg"], str)
        assert result["msg"]
        assert result["reason"] in REASONS, f"no reason of the list: {reported}"
        _without_secrets(reported)
        assert result["reason"] != "invalid_input" or not service.asked, (
            f"asked before it was valid: {reported}"
        )
        return str(result["reason"])

    spec = _spec(name)
    options = _options(spec)
    if name == "echovalue_token":
        options |= _item(**spec) | _item(**spec)
    elif "token" in spec:  # which they want
        options |= st.builds(lambda token, rest: {**rest, "token": token}, _token, _options(spec))
    return st.tuples(options, st.booleans()), check


def _without_secrets(reported: str) -> None:
    for secret in _SECRETS:
        assert secret not in reported, f"a secret is shown: {reported}"
    assert "Traceback" not in reported


# The Pulumi package, and the native provider

_base_url = _url | _junk
_INPUTS: dict[str, Any] = {
    "existing_token": _token | _junk,
    "keepers": st.dictionaries(_text, _text, max_size=2) | _junk,
}
_STATE = {"token": KEPT, "hash": token_hash(KEPT), "service": "https://api.echovalue.dev", "keepers": {}}
_CONFIG: dict[str, Any] = {
    "baseUrl": _base_url,
    "token": _token | _junk,
    "timeout": st.sampled_from(("1", 1.0, 0, "", "nan", 1e300)) | _junk,
    "retries": st.sampled_from(("1", 1.0, -1, "", 0.5, 1e300)) | _junk,
}
_ARGUMENTS: dict[str, Any] = {
    "token": _token | _junk,
    "baseUrl": _base_url,
    "amount": st.sampled_from((1.0, 3.0, 2.0, 1.5)) | _junk,
    "details": st.booleans() | _junk,
    "required": st.booleans() | _junk,
}
_ALERT: dict[str, Any] = {
    "token": _token | _junk,
    "threshold": st.integers(-1, 9) | st.floats() | _junk,
    "email": _REQUESTED["email"] | _junk,
    "webhook": _junk
    | st.fixed_dictionaries(
        {"url": _REQUESTED["url"] | _junk},
        optional={
            "headers": _REQUESTED["headers"] | _junk,
            "format": st.sampled_from(("slack", "custom", "irc")) | _junk,
            "template": _junk,
            "options": _junk,
        },
    ),
}
_ALERT_STATE = {**{name: _STATE[name] for name in ("token", "hash", "service")}, "threshold": 5}
_FUNCTIONS = {
    "get_wallet": "details",
    "get_forecast": "required",
    "get_recharge_link": "amount",
}  # and an option


def _some(strategies: dict[str, Any]) -> Any:
    return st.fixed_dictionaries({}, optional=strategies) | st.builds(
        lambda token, rest: {**rest, "token": token} if "token" in strategies else rest,
        st.just(ADOPTED),
        st.fixed_dictionaries({}, optional=strategies),
    )


def _refused(service: Service, text: str) -> str:
    """Judge a text of a refusal."""
    assert text
    assert "a fault of pulumi-echovalue" not in text, text
    assert not service.asked, f"asked before it was valid: {text}"
    _without_secrets(text)
    return "invalid_input"


def _dynamic(make: Callable[[], ResourceProvider], state: dict[str, Any]) -> _Check:
    """Return what calls check and diff of a dynamic provider."""

    def check(service: Service, inputs: dict[str, Any]) -> str:
        provider = make()
        try:
            failures = provider.check({}, inputs).failures
            if failures:
                return _refused(service, " ".join(failure.reason for failure in failures))
            provider.diff(state["hash"], dict(state), inputs)
        except Exception as error:
            if type(error).__name__ not in ("TokenError", "AlertError"):
                raise
            return _refused(service, str(error))
        assert not service.asked
        return "accepted"

    return check


class _Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return "id", {**args.inputs, **_STATE}

    def call(self, _args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        return {}


def _function(function: Callable[..., Any], option: str) -> _Check:
    """Return what asks by a function of a program, which takes an `option` of its own."""

    def check(service: Service, arguments: dict[str, Any]) -> str:
        pulumi.runtime.set_mocks(_Mocks(), project="shop")
        options = {
            name: arguments[key]
            for name, key in (("base_url", "baseUrl"), ("required", "required"), (option, option))
            if key in arguments
        }

        @run_to_its_end
        async def ask() -> None:
            await function(arguments.get("token"), **options).future()

        log = io.StringIO()
        try:
            with redirect_stderr(log):
                ask()
        except (pulumi.RunError, InvalidInputError) as error:
            return _refused(service, f"{error} {log.getvalue()}")
        return "accepted"

    return check


class _AbortedError(Exception):
    """The provider ended a call."""


class _Context:
    def abort(self, _code: grpc.StatusCode, text: str) -> None:
        raise _AbortedError(text)


def _struct(values: Any) -> Struct:
    """Return values as the engine sends them; what it cannot send goes."""
    found = Struct()
    for name, value in values.items():
        try:
            found.update({name: value})
        except (ValueError, TypeError):  # a lone surrogate, or a number beyond floats
            found.update({name: "?"})
    return found


def _native(call: str, request: Any, field: str, **known: Any) -> _Check:
    """Return what makes a call of the native provider, whose request has the values as a field."""

    def check(service: Service, values: dict[str, Any]) -> str:
        provider = Provider(lambda text, _urn: _without_secrets(text))
        try:
            answer = getattr(provider, call)(request(**known, **{field: _struct(values)}), _Context())
        except _AbortedError as error:
            return _refused(service, str(error))
        failures = getattr(answer, "failures", [])
        if failures:
            return _refused(service, " ".join(failure.reason for failure in failures))
        return "accepted"

    return check


def _takers() -> Iterator[tuple[str, Any, _Check]]:
    """Yield all that takes options, with what is passed to it, and what checks a case."""
    for name in sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py")):
        yield f"module {name}", *_task(name)
    yield "Python: Token", _some({**_INPUTS, "base_url": _base_url}), _dynamic(TokenProvider, _STATE)
    alert = {**_ALERT, "base_url": _base_url}
    yield "Python: WalletAlert", _some(alert), _dynamic(WalletAlertProvider, _ALERT_STATE)
    for function, option in _FUNCTIONS.items():
        yield f"Python: {function}", _some(_ARGUMENTS), _function(getattr(echovalue, function), option)
    inputs = {"existingToken": _INPUTS["existing_token"], "keepers": _INPUTS["keepers"]}
    for what, name, takes, state in (
        ("", "Token::app", inputs, _STATE),
        (" of WalletAlert", "WalletAlert::low", {**_ALERT, "baseUrl": _base_url}, _ALERT_STATE),
    ):
        known = {"id": state["hash"], "urn": f"urn:pulumi:dev::shop::echovalue:index:{name}"}
        check = _native("Check", provider_pb2.CheckRequest, "news", urn=known["urn"])
        yield f"native: Check{what}", _some(takes), check
        diff = _native("Diff", provider_pb2.DiffRequest, "news", **known, olds=_struct(state))
        yield f"native: Diff{what}", _some(takes), diff
    yield "native: CheckConfig", _some(_CONFIG), _native("CheckConfig", provider_pb2.CheckRequest, "news")
    yield "native: Configure", _some(_CONFIG), _native("Configure", provider_pb2.ConfigureRequest, "args")
    for function in _FUNCTIONS:
        name = re.sub("_(.)", lambda found: found[1].upper(), function)
        call = _native("Invoke", provider_pb2.InvokeRequest, "args", tok=f"echovalue:index:{name}")
        yield f"native: {name}", _some(_ARGUMENTS), call


# The roles, many in one playbook


class _Web(Handler):
    """The service over HTTP: `asked` are the paths that it was asked for."""

    asked: ClassVar[list[str]] = []

    def answer(self, _body: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        self.asked.append(self.path)
        headers = {"x-token": self.headers.get("x-token", "")}
        answer = Service()(Request(self.command, self.path, 1, headers))
        return answer.status, answer.headers.items(), answer.body


_PLACES = {"file": "path", "ansible_vault": "vault_file", "sops": "sops_file", "command": "command_argv"}


def _variables(role: str) -> Any:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = spec["main"]["options"]
    need = {name: _option(name, options[name]) for name in options if options[name].get("required")}
    if role == "echovalue_wallet":
        named = st.fixed_dictionaries({**need, "echovalue_wallet_token": _token})
    else:
        many = _option("tokens", _OPTIONS.ARGUMENT_SPEC["tokens"])
        kinds = [st.fixed_dictionaries({"echovalue_token_tokens": many})]
        for store, place in _PLACES.items():
            variable = f"echovalue_token_{place}"
            each = {"echovalue_token_store": st.just(store), variable: _option(place, options[variable])}
            kinds.append(st.fixed_dictionaries(each))
        named = st.one_of(kinds)
    return st.builds(lambda first, rest: {**rest, **first}, named, _options(options))


def _playable(variables: dict[str, Any]) -> bool:
    """Return whether YAML can hold them, and what is asked for stays on this machine."""
    text = json.dumps(variables)
    remote = r"hashi_vault kubernetes aws_secretsmanager https://api https://example \ud tokn retries timeout"
    return not any(word in text for word in remote.split())


def _played(role: str, played: list[dict[str, Any]], report: Report) -> Counter[str]:
    """Play a role with each of the sets of variables, and judge all that was shown of it."""
    counted: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name,
        _world(Path(name)),
        running(ThreadingHTTPServer(("127.0.0.1", 0), _Web)) as server,
    ):
        url = f"http://127.0.0.1:{server.server_port}"
        runner = Ansible(Path(name), url)
        named = {f"{role}_retries": 0}
        tasks = [
            {
                "block": [
                    {
                        "ansible.builtin.include_role": {"name": f"echovalue.cloud.{role}"},
                        "vars": {**named, f"{role}_base_url": f"{url}/{role}/{number}", **case},
                    }
                ],
                "rescue": [{"ansible.builtin.debug": {"var": "number"}, "vars": {"number": number}}],
            }
            for number, case in enumerate(played)
        ]
        screen, _nothing = runner.start(runner.playbook(*tasks)).communicate(timeout=900)
    for reported, number in re.findall(r"^fatal: .*? => (.*)$|^ *\"number\": (\d+)$", screen, re.MULTILINE):
        if reported:
            result = json.loads(reported)
            continue
        reason = result.get("reason", "refused by the role")
        counted[reason] += 1
        where = f"role {role} with {played[int(number)]}"
        report.expect(
            reason in REASONS or reason == "refused by the role", f"{where}: no reason of the list: {reason}"
        )
        report.expect(result["msg"], f"{where}: no text")
        asked = [path for path in _Web.asked if path.startswith(f"/{role}/{number}/")]
        if reason == "invalid_input" and role == "echovalue_token":  # the other one has several tasks
            report.expect(not asked, f"{where}: asked before it was valid")
    counted["accepted"] = len(played) - counted.total()
    for shown in ("Traceback", *_SECRETS):
        report.expect(shown not in screen, f"role {role}: on the screen: {_around(screen, shown)}")
    return counted


def _around(screen: str, shown: str) -> str:
    place = screen.find(shown)
    return screen[max(0, place - 500) : place + 300]


def _counting(check: _Check, counted: Counter[str]) -> Callable[[Any], None]:
    """Return what checks a case in a world of its own, and counts the outcome."""

    def one(value: Any) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="echovalue-proof-") as folder,
            _world(Path(folder)) as service,
        ):
            counted[check(service, value)] += 1

    return one


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Bad options")
    for what, strategy, check in _takers():
        counted: Counter[str] = Counter()
        problem = cases.play(_counting(check, counted), strategy, _CASES[short], short=short)
        report.expect(not problem, f"{what}: {problem}")
        _note(what, counted, report)
    for role in sorted(path.name for path in (ROOT / "roles").iterdir()):
        variables = cases.sample(_variables(role).filter(_playable), _PLAYED[short], short=short)
        _note(f"role {role}", _played(role, variables, report), report)
    return report


def _note(what: str, counted: Counter[str], report: Report) -> None:
    refused = ", ".join(f"{count} {name}" for name, count in counted.most_common() if name != "accepted")
    report.row(what=what, cases=counted.total(), accepted=counted["accepted"], refused=refused)
