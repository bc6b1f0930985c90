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
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
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
from tools.checkout import ROOT
from tools.proof import subject
from tools.proof.report import Report

_CASES = {False: 300, True: 20}  # of each, in the long and in the short form
_PLAYED = {False: 15, True: 3}  # of each role
GIVEN = "feedfacefeedfacefeedfacefeedface"  # a token to adopt
KEPT = "0123456789abcdef0123456789abcdef"
MINTED = "fedcba9876543210fedcba9876543210"
LOGIN = "hvs.login-of-the-experiments"  # the secret of a connection
_SECRETS = (GIVEN, KEPT, MINTED, LOGIN)
_COLLECTION = "ansible_collections.echovalue.cloud.plugins"
_OPTIONS = import_module(f"{_COLLECTION}.module_utils.task.options")
_REGISTRY = import_module(f"{_COLLECTION}.module_utils.places.registry")
REASONS = {
    *("invalid_input", "store", "conflict", "network", "timeout", "unauthorized", "payment_required"),
    *("rate_limited", "unavailable", "unexpected_answer", "ambiguous_mint"),
}

# What stands where another thing was requested. No text leads out of the experiment's folder, or to a program.
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
_token = st.sampled_from((GIVEN, f"{GIVEN}\n", f"{GIVEN} ", f" {GIVEN}", f"{GIVEN}\0", f"'{GIVEN}'")) | (
    st.sampled_from(("short", [GIVEN], {"a": GIVEN}))
)
_url = st.sampled_from(
    f"https://api.echovalue.dev http://127.0.0.1:1/ http://example.com https://{GIVEN}@example.com "
    f"https://example.com?token={GIVEN} https://[::1 https://example.com:99999".split()
)
_FILES = "token other plain.yml vault.yml sops.yaml missing/token folder loop ."
_file = st.sampled_from(("", "a\0b", "n" * 300, *_FILES.split()))
_file_here = _file | st.sampled_from(("\ud800", "\udcff.yml"))  # which only the controller can be given
_host = {**dict.fromkeys(("url", "host", "endpoint_url"), "http://127.0.0.1:1"), "region": "eu-north-1"}
_NAMES = (
    "token auth_method timeout retries namespace kubeconfig context profile access_key secret_key "
    "validate_certs proxies tokn"
)
_connection = st.dictionaries(
    st.sampled_from((*_host, *_NAMES.split())),
    st.just(LOGIN) | _junk,
    max_size=4,
).map(lambda connection: {**connection, **{name: url for name, url in _host.items() if name in connection}})
_argv = st.lists(
    st.sampled_from(("cat", "true", "false", "no-such-program", "./no-such-program", "", "a\0b", "\ud800"))
    | st.just(GIVEN),
    max_size=3,
).filter(lambda argv: not argv or argv[0] != GIVEN)
_MEANT: dict[str, Any] = {
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
    """Return what may be given for an option: mostly what is requested, now and then anything."""
    kind = spec.get("type", "str")
    if "options" in spec:
        requested = _item() if name == "tokens" else _options(spec["options"])
        requested = st.lists(requested, max_size=3) if kind == "list" else requested
    elif "choices" in spec:
        requested = st.sampled_from(spec["choices"])
    else:
        short = name.rpartition("_")[2] if name.startswith("echovalue_") else name
        requested = _MEANT.get("base_url" if name.endswith("base_url") else short, _BY_TYPE[kind])
    return st.integers(0, 9).flatmap(lambda die: _junk if die == 0 else requested)


def _options(spec: dict[str, Any]) -> Any:
    """Return a few of the options, so that many a task is a whole one; and seldom one that there is not."""
    names = st.lists(st.sampled_from([*spec, "tokn"]), max_size=4, unique=True)
    return names.flatmap(
        lambda chosen: st.fixed_dictionaries({name: _option(name, spec.get(name, {})) for name in chosen})
    )


def _item(**further: Any) -> Any:
    """Return the options of echovalue_token for a place, mostly one, and a few of the `further` ones."""
    places = {name: place.spec for name, place in _REGISTRY.PLACES.items()}
    named = st.lists(st.sampled_from(sorted(places) * 3), min_size=1, max_size=1).flatmap(
        lambda chosen: st.fixed_dictionaries({name: _option(name, places[name]) for name in chosen})
    )
    rest = {name: spec for name, spec in {**_OPTIONS._ITEM, **further}.items() if name not in places}
    return st.builds(lambda place, options: {**place, **options}, named, _options(rest))


class Service:
    """Answers for every client of this process, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, request: Request) -> Response:
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
    ):
        cores = (
            f"{_COLLECTION}.module_utils.core.transport",
            "pulumi_echovalue._shared.module_utils.core.transport",
        )
        patches = [
            mock.patch.object(
                import_module(core).HttpTransport, "__call__", lambda _self, request: service.answer(request)
            )
            for core in cores
        ]
        for patch in patches:
            patch.start()
        try:
            yield service
        finally:
            for patch in patches:
                patch.stop()
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
    action._execute_module = lambda **_options: _module(name, task.args, check)
    try:
        return dict(action.run(task_vars={}))
    except AnsibleError as error:  # as the executor of tasks tells it
        return {"failed": True, "msg": str(error), "reason": "told by Ansible"}


def _module(name: str, options: dict[str, Any], check: bool) -> dict[str, Any]:
    extra = {"_ansible_check_mode": check, "_ansible_no_log": True, "_ansible_remote_tmp": "."}
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **extra}}).encode()
    printed, ended = io.StringIO(), False
    with (
        mock.patch.object(basic, "_ANSIBLE_ARGS", arguments),
        mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True),
        redirect_stdout(printed),
        redirect_stderr(io.StringIO()),
    ):
        try:
            import_module(f"{_COLLECTION}.modules.{name}").main()
        except SystemExit:
            ended = True
    assert ended, "the module did not end by itself"
    return dict(json.loads(printed.getvalue()))


def _spec(name: str) -> dict[str, Any]:
    """Return the argument specification that a module makes."""
    module = import_module(f"{_COLLECTION}.modules.{name}")
    with (
        mock.patch.object(module, "Module", side_effect=_MadeError) as made,
        mock.patch.object(module, "run"),
        suppress(_MadeError),
    ):
        module.main()
    return dict(made.call_args.kwargs["argument_spec"])


class _MadeError(Exception):
    """The specification is known."""


def _task(name: str) -> tuple[Any, Callable[[Service, Any], str]]:
    def check(service: Service, given_: tuple[dict[str, Any], bool]) -> str:
        result = _play(name, *given_)
        told = json.dumps(result, default=str)
        if not result.get("failed"):
            return "accepted"
        assert isinstance(result["msg"], str)
        assert result["msg"]
        assert result["reason"] in REASONS, f"no reason of the list: {told}"
        _without_secrets(told)
        assert result["reason"] != "invalid_input" or not service.asked, f"asked before it was valid: {told}"
        return str(result["reason"])

    spec = _spec(name)
    options = _options(spec)
    if name == "echovalue_token":
        options |= _item(**spec) | _item(**spec)
    elif "token" in spec:  # which they want
        options |= st.builds(lambda token, rest: {**rest, "token": token}, _token, _options(spec))
    return st.tuples(options, st.booleans()), check


def _without_secrets(told: str) -> None:
    for secret in _SECRETS:
        assert secret not in told, f"a secret is shown: {told}"
    assert "Traceback" not in told


# The Pulumi package, and the native provider

_INPUTS: dict[str, Any] = {
    "existing_token": _token | _junk,
    "keepers": st.dictionaries(_text, _text, max_size=2) | _junk,
    "base_url": _url | _junk,
}
_STATE = {"token": KEPT, "hash": token_hash(KEPT), "service": "https://api.echovalue.dev", "keepers": {}}
_CONFIG: dict[str, Any] = {
    "baseUrl": _url | _junk,
    "token": _token | _junk,
    "timeout": st.sampled_from(("1", 1.0, 0, "", "nan", 1e300)) | _junk,
    "retries": st.sampled_from(("1", 1.0, -1, "", 0.5, 1e300)) | _junk,
}
_ARGUMENTS: dict[str, Any] = {
    "token": _token | _junk,
    "baseUrl": _url | _junk,
    "amount": st.sampled_from((1.0, 3.0, 2.0, 1.5)) | _junk,
    "details": st.booleans() | _junk,
    "required": st.booleans() | _junk,
}
_ALERT: dict[str, Any] = {
    "token": _token | _junk,
    "threshold": st.integers(-1, 9) | st.floats() | _junk,
    "email": _MEANT["email"] | _junk,
    "webhook": _junk
    | st.fixed_dictionaries(
        {"url": _MEANT["url"] | _junk},
        optional={
            "headers": _MEANT["headers"] | _junk,
            "format": st.sampled_from(("slack", "custom", "irc")) | _junk,
            "template": _junk,
            "options": _junk,
        },
    ),
}
_ALERT_STATE = {**{name: _STATE[name] for name in ("token", "hash", "service")}, "threshold": 5}
_NATIVE_INPUTS = {"existingToken": _INPUTS["existing_token"], "keepers": _INPUTS["keepers"]}
_NATIVE_ALERT = {**_ALERT, "baseUrl": _url | _junk}
_URN = "urn:pulumi:dev::shop::echovalue:index:"


def _some(strategies: dict[str, Any]) -> Any:
    return st.fixed_dictionaries({}, optional=strategies) | st.builds(
        lambda token, rest: {**rest, "token": token} if "token" in strategies else rest,
        st.just(GIVEN),
        st.fixed_dictionaries({}, optional=strategies),
    )


def _refused(service: Service, text: str) -> str:
    """Judge a text of a refusal."""
    assert text
    assert "a fault of pulumi-echovalue" not in text, text
    assert not service.asked, f"asked before it was valid: {text}"
    _without_secrets(text)
    return "invalid_input"


def _dynamic(
    make: Callable[[], ResourceProvider], state: dict[str, Any]
) -> Callable[[Service, dict[str, Any]], str]:
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


def _function(function: Callable[..., Any], option: str = "required") -> Callable[[Service, Any], str]:
    """Return what asks by a function of a program, which may take an `option` of its own."""

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


def _native(call: str, make: Callable[[Struct], Any]) -> Callable[[Service, Any], str]:
    def check(service: Service, values: dict[str, Any]) -> str:
        provider = Provider(lambda text, _urn: _without_secrets(text))
        try:
            answer = getattr(provider, call)(make(_struct(values)), _Context())
        except _AbortedError as error:
            return _refused(service, str(error))
        failures = getattr(answer, "failures", [])
        if failures:
            return _refused(service, " ".join(failure.reason for failure in failures))
        return "accepted"

    return check


def _check(urn: str) -> Callable[[Service, Any], str]:
    return _native("Check", lambda news: provider_pb2.CheckRequest(urn=_URN + urn, news=news))


def _diff(urn: str, state: dict[str, Any]) -> Callable[[Service, Any], str]:
    known = {"id": state["hash"], "urn": _URN + urn, "olds": _struct(state)}
    return _native("Diff", lambda news: provider_pb2.DiffRequest(**known, news=news))


def _invoke(function: str) -> tuple[Any, Callable[[Service, Any], str]]:
    tok = f"echovalue:index:{function}"
    call = _native("Invoke", lambda args: provider_pb2.InvokeRequest(tok=tok, args=args))
    return _some(_ARGUMENTS), call


_TAKERS: dict[str, Callable[[], tuple[Any, Callable[[Service, Any], str]]]] = {
    **{
        f"module {name}": lambda name=name: _task(name)  # type: ignore[misc]
        for name in sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
    },
    "Python: Token": lambda: (_some(_INPUTS), _dynamic(TokenProvider, _STATE)),
    "Python: WalletAlert": lambda: (
        _some({**_ALERT, "base_url": _url | _junk}),
        _dynamic(WalletAlertProvider, _ALERT_STATE),
    ),
    "Python: get_wallet": lambda: (_some(_ARGUMENTS), _function(echovalue.get_wallet, "details")),
    "Python: get_forecast": lambda: (_some(_ARGUMENTS), _function(echovalue.get_forecast)),
    "Python: get_recharge_link": lambda: (
        _some(_ARGUMENTS),
        _function(echovalue.get_recharge_link, "amount"),
    ),
    "native: Check": lambda: (_some(_NATIVE_INPUTS), _check("Token::app")),
    "native: Diff": lambda: (_some(_NATIVE_INPUTS), _diff("Token::app", _STATE)),
    "native: Check of WalletAlert": lambda: (_some(_NATIVE_ALERT), _check("WalletAlert::low")),
    "native: Diff of WalletAlert": lambda: (_some(_NATIVE_ALERT), _diff("WalletAlert::low", _ALERT_STATE)),
    "native: CheckConfig": lambda: (
        _some(_CONFIG),
        _native("CheckConfig", lambda news: provider_pb2.CheckRequest(news=news)),
    ),
    "native: Configure": lambda: (
        _some(_CONFIG),
        _native("Configure", lambda args: provider_pb2.ConfigureRequest(args=args)),
    ),
    "native: getWallet": lambda: _invoke("getWallet"),
    "native: getForecast": lambda: _invoke("getForecast"),
    "native: getRechargeLink": lambda: _invoke("getRechargeLink"),
}


# The roles, many in one playbook


class _Web(BaseHTTPRequestHandler):
    """The service over HTTP: `asked` are the paths that it was asked for."""

    asked: ClassVar[list[str]] = []

    def _answer(self) -> None:
        self.asked.append(self.path)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {"x-token": self.headers.get("x-token", "")}
        answer = Service().answer(Request(self.command, self.path, 1, headers))
        self.send_response(answer.status)
        for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - named by the library

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def _variables(role: str) -> Any:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = spec["main"]["options"]
    need = {name: _option(name, options[name]) for name in options if options[name].get("required")}
    if role == "echovalue_wallet":
        named = st.fixed_dictionaries({**need, "echovalue_wallet_token": _token})
    else:
        places = {"file": "path", "ansible_vault": "vault_file", "sops": "sops_file"}
        places["command"] = "command_argv"
        many = _option("tokens", _OPTIONS.ARGUMENT_SPEC["tokens"])
        named = st.fixed_dictionaries({"echovalue_token_tokens": many}) | st.sampled_from(
            sorted(places)
        ).flatmap(
            lambda store: st.fixed_dictionaries(
                {
                    "echovalue_token_store": st.just(store),
                    f"echovalue_token_{places[store]}": _option(
                        places[store], options[f"echovalue_token_{places[store]}"]
                    ),
                }
            )
        )
    return st.builds(lambda first, rest: {**rest, **first}, named, _options(options))


def _playable(variables: dict[str, Any]) -> bool:
    """Tell whether YAML can hold them, and what is asked for stays on this machine."""
    text = json.dumps(variables)
    remote = r"hashi_vault kubernetes aws_secretsmanager https://api https://example \ud tokn retries timeout"
    return not any(word in text for word in remote.split())


def _played(role: str, cases: list[dict[str, Any]], report: Report) -> Counter[str]:
    """Play a role with each of the sets of variables, and judge all that was shown of it."""
    counted: Counter[str] = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name, _world(Path(name)):
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
            for number, case in enumerate(cases)
        ]
        screen, _nothing = runner.start(runner.playbook(*tasks)).communicate(timeout=900)
    server.shutdown()
    for told, number in re.findall(r"^fatal: .*? => (.*)$|^ *\"number\": (\d+)$", screen, re.MULTILINE):
        if told:
            result = json.loads(told)
            continue
        reason = result.get("reason", "refused by the role")
        counted[reason] += 1
        where = f"role {role} with {cases[int(number)]}"
        report.expect(
            reason in REASONS or reason == "refused by the role", f"{where}: no reason of the list: {reason}"
        )
        report.expect(result["msg"], f"{where}: no text")
        asked = [path for path in _Web.asked if path.startswith(f"/{role}/{number}/")]
        if reason == "invalid_input" and role == "echovalue_token":  # the other one has several tasks
            report.expect(not asked, f"{where}: asked before it was valid")
    counted["accepted"] = len(cases) - counted.total()
    for shown in ("Traceback", *_SECRETS):
        report.expect(shown not in screen, f"role {role}: on the screen: {_around(screen, shown)}")
    return counted


def _around(screen: str, shown: str) -> str:
    place = screen.find(shown)
    return screen[max(0, place - 500) : place + 300]


def _sampled(strategy: Any, number: int, seed: int) -> list[Any]:
    """Return that many examples, the same for each seed."""
    found: list[Any] = []

    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seeded(seed)
    @given(strategy)
    def note(value: Any) -> None:
        found.append(value)

    note()
    return found


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Bad options")
    for what, make in _TAKERS.items():
        strategy, check = make()
        counted: Counter[str] = Counter()
        try:
            _try(strategy, check, counted, _CASES[short], short)
        except Exception as error:  # noqa: BLE001 - each is a finding
            notes = " ".join(getattr(error, "__notes__", []))
            report.problems.append(f"{what}: {type(error).__name__}: {error} {notes}"[:1500])
        report.rows.append(_row(what, counted))
    for role in sorted(path.name for path in (ROOT / "roles").iterdir()):
        cases = _sampled(_variables(role).filter(_playable), _PLAYED[short], 0 if short else int(time.time()))
        report.rows.append(_row(f"role {role}", _played(role, cases, report)))
    return report


def _row(what: str, counted: Counter[str]) -> dict[str, Any]:
    reasons = ", ".join(f"{count} {name}" for name, count in counted.most_common() if name != "accepted")
    return {"what": what, "cases": counted.total(), "accepted": counted["accepted"], "refused": reasons}


def _try(
    strategy: Any, check: Callable[[Service, Any], str], counted: Counter[str], cases: int, short: bool
) -> None:
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        derandomize=short,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(value: Any) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="echovalue-proof-") as folder,
            _world(Path(folder)) as service,
        ):
            counted[check(service, value)] += 1

    one()
