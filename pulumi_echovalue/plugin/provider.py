# SPDX-License-Identifier: BSD-2-Clause
"""What the engine asks the native provider, over gRPC: the life cycle of a `Token`, and the functions.

It stands on the protocol itself, for the SDK's own wrapping of it appends tracebacks to all errors
and cannot keep a resource whose creation failed half-way.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, status_pb2
from pulumi.runtime.proto.provider_pb2_grpc import (
    ResourceProviderServicer,
    add_ResourceProviderServicer_to_server,
)

from .. import lifecycle
from .._core.client import EchoValueClient
from .._core.errors import EchoValueError, InvalidInputError
from .._core.models import check_token, token_hash
from .._core.version import VERSION
from ..connection import Service, find_service
from ..hints import HINTS, KEPT_TOKEN_HINTS, tell
from ..lifecycle import Kept
from .properties import UNKNOWN, plain, secret, struct

PACKAGE = "echovalue"
TOKEN_TYPE = f"{PACKAGE}:index:Token"
_ENVIRONMENT = {
    "baseUrl": "ECHOVALUE_BASE_URL",
    "token": "ECHOVALUE_TOKEN",
    "timeout": "ECHOVALUE_TIMEOUT",
    "retries": "ECHOVALUE_RETRIES",
}
# As many calls of the engine are answered at a time; the client sends 8 requests at a time.
_WORKERS = 32
_LONGEST_MESSAGE = 400 * 1024 * 1024  # bytes, as the engine and the SDK have it
_GRACE = 120.0  # seconds in which a call under way may end, so that a minted token is recorded

Warn = Callable[[str, str], None]
Method = TypeVar("Method", bound=Callable[..., Any])


def schema() -> dict[str, Any]:
    """Return the schema of the package."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath("schema.json").read_text("utf-8"))
    found["version"] = VERSION
    # What the stack's config can say, a provider in a program can say.
    found["provider"]["inputProperties"] = found["config"]["variables"]
    return found


def _told_plainly(method: Method) -> Method:
    """Let `method` fail with a text for people alone."""

    @functools.wraps(method)
    def call(self: Provider, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except _CreatedInPartError as error:
            context.abort_with_status(error)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - the one boundary
            hints = KEPT_TOKEN_HINTS if method.__name__ == "Invoke" else HINTS
            context.abort(grpc.StatusCode.UNKNOWN, tell(error, method.__name__, hints))

    return call  # type: ignore[return-value]


class _CreatedInPartError(Exception):
    """A failure after the mint, as a status of gRPC by which the engine keeps what there is."""

    def __init__(self, kept: Kept, keepers: Struct, text: str) -> None:
        super().__init__()
        failed = provider_pb2.ErrorResourceInitFailed(
            id=kept.hash, properties=_with_keepers(_state(kept), keepers), reasons=[text]
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        detail = AnyMessage()
        detail.Pack(failed)
        status.details.append(detail)
        self.code = grpc.StatusCode.UNKNOWN
        self.details = text
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


class Provider(ResourceProviderServicer):
    """The provider; `warn` is told a text and the URN that it is about, and shows it to a person."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._config: dict[str, Any] = {}
        self._service = Service("", named=False)

    # The provider itself

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        """Return the version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> provider_pb2.GetSchemaResponse:  # noqa: N802
        """Return the schema."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema()))

    @_told_plainly
    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse what cannot be meant; the result is stored, so the environment is no part of it."""
        inputs = Struct()
        inputs.CopyFrom(request.news)
        given = {name: value for name, value in plain(inputs).items() if value != UNKNOWN}
        failures = _failures(
            given,
            {
                "baseUrl": lambda value: find_service(value, None),
                "token": check_token,
                "timeout": lambda value: _settings({"timeout": value}),
                "retries": lambda value: _settings({"retries": value}),
            },
        )
        if "token" in given:
            inputs["token"] = secret(given["token"])
        return provider_pb2.CheckResponse(inputs=inputs, failures=failures)

    @_told_plainly
    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802
        """Take the config, and from the environment what it leaves out."""
        given = plain(request.args)
        self._config = {
            name: os.environ.get(variable) if given.get(name) in (None, "") else given[name]
            for name, variable in _ENVIRONMENT.items()
        }
        self._service = replace(find_service(given.get("baseUrl"), None), **_settings(self._config))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Empty:  # noqa: N802
        """Let what is under way end: the engine waits for it, and records a token that was minted."""
        return Empty()

    # A Token

    @_told_plainly
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse inputs that cannot be meant; a preview may not know them all."""
        _check_type(request.urn)
        inputs = Struct()
        inputs.CopyFrom(request.news)
        given = {name: value for name, value in plain(inputs).items() if value not in (None, UNKNOWN)}
        failures = _failures(given, {"existingToken": check_token, "keepers": lifecycle.check_keepers})
        if "existingToken" in given and not failures:
            inputs["existingToken"] = secret(check_token(given["existingToken"]))
        return provider_pb2.CheckResponse(inputs=inputs, failures=failures)

    @_told_plainly
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """Compare what is kept with the inputs: nothing else may ever replace or touch a token."""
        olds, news = plain(request.olds), plain(request.news)
        changes = lifecycle.compare(
            _kept(olds),
            self._service,
            news.get("existingToken"),
            (olds.get("keepers"), news.get("keepers")),
        )
        replaces = [{"existing_token": "existingToken"}.get(name, name) for name in changes.replaces]
        names = [*replaces, *changes.updates]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if names else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=replaces,
            diffs=names,
            deleteBeforeReplace=False,  # the old token serves until the new one is in place
            detailedDiff={name: _difference(name, olds, news, name in replaces) for name in names},
            hasDetailedDiff=True,
        )

    @_told_plainly
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802
        """Adopt the token that was given, proven first; or mint one."""
        if request.preview:
            unknown = {"token": secret(UNKNOWN), "hash": UNKNOWN, "service": self._service.url}
            return provider_pb2.CreateResponse(properties=_with_keepers(unknown, request.properties))
        keepers = _with_keepers({}, request.properties)
        kept = lifecycle.create(self._service, plain(request.properties).get("existingToken"))
        # The engine has not seen the token yet: what fails from here on gives it all the same.
        try:
            return _created(kept, keepers)
        except Exception as error:  # noqa: BLE001 - whatever it is
            text = tell(error, "Create")
        raise _CreatedInPartError(kept, keepers, text)

    @_told_plainly
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: N802
        """Prove the token for free on refresh; take it from the config on import."""
        state = plain(request.properties)
        if not state.get("token"):
            return self._imported(request.id)
        kept = _kept(state)
        proven = lifecycle.refresh(kept, self._service)
        if proven is None:
            self._warn(lifecycle.gone(kept, self._service), request.urn)
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_with_keepers(_state(proven), request.properties),
            inputs=request.inputs,
        )

    @_told_plainly
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: N802
        """Keep the token, proven first where another service is named."""
        kept = _kept(plain(request.olds))
        moved = kept if request.preview else lifecycle.move(kept, self._service)
        return provider_pb2.UpdateResponse(properties=_with_keepers(_state(moved), request.news))

    @_told_plainly
    def Delete(self, request: Any, context: Any) -> Empty:  # noqa: N802
        """Let the token go, with a warning: it stays valid."""
        state = plain(request.properties)
        url = state.get("service") or self._service.url
        self._warn(lifecycle.farewell(request.id, state.get("token"), lambda: url), request.urn)
        return Empty()

    def _imported(self, id_: str) -> provider_pb2.ReadResponse:
        """Return the token of the config, proven, if it is the one that an import names by its hash."""
        token = self._config["token"]
        # An empty id would not mean here that there is none.
        if not token or token_hash(check_token(token)) != id_:
            raise InvalidInputError(
                "EchoValue keeps no list of tokens, so one is imported by its hash, with the token itself "
                "from the config: " + ("there it has another hash." if token else "there it is missing."),
                "Nothing was imported. Set it by `pulumi config set --secret echovalue:token`, or by "
                "ECHOVALUE_TOKEN, and give its sha256 in hex as the id.",
            )
        kept = lifecycle.create(self._service, token)
        # Without inputs the engine would say that nothing can be imported.
        return provider_pb2.ReadResponse(id=id_, properties=struct(_state(kept)), inputs=Struct())

    # The functions

    @_told_plainly
    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:  # noqa: N802
        """Ask the service about a token."""
        arguments = plain(request.args)
        question = _QUESTIONS.get(request.tok)
        if question is None:
            raise InvalidInputError(f"There is no function {request.tok}.")
        if getattr(request, "preview", False):  # older SDKs do not pass it on
            arguments["details"] = False  # so that a preview never costs a credit
        token = check_token(arguments.get("token"))
        url = arguments.get("baseUrl")
        client = self._service.client(url and find_service(url, None).url)
        try:
            answer = question(client, token, arguments)
        except InvalidInputError:
            raise
        except EchoValueError as error:
            if arguments.get("required", True):
                raise
            text = tell(error, "Invoke", KEPT_TOKEN_HINTS)
            self._warn(f"The program goes on without what it asked about a token. {text}", "")
            answer = {"hash": token_hash(token)} if question is _get_wallet else {}
        # `return` is a word of Python's own.
        return provider_pb2.InvokeResponse(**{"return": struct(answer)})  # type: ignore[arg-type]


def _get_wallet(client: EchoValueClient, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return asdict(client.get_wallet(token, details=arguments.get("details", True)))


def _get_recharge_link(client: EchoValueClient, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
    amount = arguments.get("amount", 1.0)
    whole = isinstance(amount, float) and amount.is_integer()  # all numbers of the protocol are floats
    return {"url": secret(client.get_recharge_link(token, int(amount) if whole else amount).url)}


_QUESTIONS = {
    f"{PACKAGE}:index:getWallet": _get_wallet,
    f"{PACKAGE}:index:getRechargeLink": _get_recharge_link,
}


def _failures(
    given: dict[str, Any], checks: dict[str, Callable[[Any], object]]
) -> list[provider_pb2.CheckFailure]:
    failures = []
    for name, check in checks.items():
        try:
            if name in given:
                check(given[name])
        except InvalidInputError as error:
            # Of no property by name: the engine would print its value in clear beside the reason.
            failures.append(provider_pb2.CheckFailure(reason=f"{name}: {error}"))
    return failures


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return timeout and retries of the config, whose values may be texts.

    Raises InvalidInputError for what is none.
    """
    settings: dict[str, Any] = {}
    for name in ("timeout", "retries"):
        if config.get(name) not in (None, ""):
            try:
                settings[name] = float(config[name])
            except (TypeError, ValueError):
                raise InvalidInputError(f"{name} must be a number.", "No request was sent.") from None
    if "retries" in settings:
        if not settings["retries"].is_integer():
            raise InvalidInputError("retries must be a whole number.", "No request was sent.")
        settings["retries"] = int(settings["retries"])
    EchoValueClient(**settings)  # refuses what is out of range
    return settings


def _check_type(urn: str) -> None:
    """Raise InvalidInputError for a resource of another type; that of a child is behind its parents'."""
    kind = urn.split("::")[2].rpartition("$")[2]
    if kind != TOKEN_TYPE:
        raise InvalidInputError(f"There is no resource {kind}.")


def _kept(state: dict[str, Any]) -> Kept:
    return Kept(state["token"], state.get("service"))


def _state(kept: Kept) -> dict[str, Any]:
    return {"token": secret(kept.token), "hash": kept.hash, "service": kept.service}


def _created(kept: Kept, keepers: Struct) -> provider_pb2.CreateResponse:
    return provider_pb2.CreateResponse(id=kept.hash, properties=_with_keepers(_state(kept), keepers))


def _with_keepers(state: dict[str, Any], inputs: Struct) -> Struct:
    """Return what the state is to hold; the keepers as they came, marks of secrets and all."""
    properties = struct(state)
    if "keepers" in inputs:
        properties.fields["keepers"].CopyFrom(inputs.fields["keepers"])
    return properties


def _difference(
    name: str, olds: dict[str, Any], news: dict[str, Any], replaces: bool
) -> provider_pb2.PropertyDiff:
    """Return how an input, or the output `service`, differs."""
    kinds = provider_pb2.PropertyDiff
    if name == "service":
        return kinds(kind=kinds.UPDATE)
    if not olds.get(name):
        kind = kinds.ADD_REPLACE if replaces else kinds.ADD
    elif not news.get(name):
        kind = kinds.DELETE_REPLACE if replaces else kinds.DELETE
    else:
        kind = kinds.UPDATE_REPLACE if replaces else kinds.UPDATE
    return kinds(kind=kind, inputDiff=True)


def serve(engine_address: str) -> None:
    """Answer the engine until it ends this process, or is gone itself."""
    parent = os.getppid()
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address))

    def warn(text: str, urn: str) -> None:
        engine.Log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text, urn=urn))

    options = [("grpc.max_receive_message_length", _LONGEST_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(_WORKERS), options=options)
    add_ResourceProviderServicer_to_server(Provider(warn), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # where the engine finds this provider
    with suppress(KeyboardInterrupt):
        while server.wait_for_termination(1.0) and os.getppid() == parent:
            pass
    with suppress(KeyboardInterrupt):
        server.stop(_GRACE).wait()
