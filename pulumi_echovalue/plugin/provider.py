# SPDX-License-Identifier: BSD-2-Clause
"""The calls of the engine to the native provider, over gRPC.

It uses the protocol itself, for the SDK's own wrapping of it appends tracebacks to all errors
and cannot keep a resource whose creation failed half-way.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from typing import Any, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import (
    ResourceProviderServicer,
    add_ResourceProviderServicer_to_server,
)
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from .._connections.registry import DEFAULT_SPOOL
from .._decisions.hints import explain
from .._decisions.service import (
    ENVIRONMENT,
    Service,
    check_config_keys,
    check_retries,
    check_spool,
    check_timeout,
    check_url,
    find_service,
)
from .._shared.module_utils.core.errors import InvalidInputError
from .._shared.module_utils.core.models import check_token
from .._shared.module_utils.core.version import VERSION
from . import functions
from .answers import Setup, checked
from .properties import UNKNOWN, plain, struct
from .token import CreatedInPartError, TokenResource
from .wallet_alert import WalletAlertResource

PACKAGE = "echovalue"
RESOURCES: dict[str, type[TokenResource] | type[WalletAlertResource]] = {
    f"{PACKAGE}:index:Token": TokenResource,
    f"{PACKAGE}:index:WalletAlert": WalletAlertResource,
}
# Where a call of the engine has what names the service to use: a resource's state, or arguments.
_REMEMBERED = {
    "Read": ("properties", "service"),
    "Update": ("olds", "service"),
    "Delete": ("properties", "service"),
    "Invoke": ("args", "baseUrl"),
}
# As many calls of the engine are answered at a time; the client sends 8 requests at a time.
_WORKERS = 32
_LONGEST_MESSAGE = 400 * 1024 * 1024  # bytes, as the engine and the SDK have it
_GRACE = 120.0  # seconds in which a call under way may end, so that a minted token is recorded

Method = TypeVar("Method", bound=Callable[..., Any])


def schema() -> dict[str, Any]:
    """Return the schema of the package."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath("schema.json").read_text("utf-8"))
    found["version"] = VERSION
    # What the stack's config can say, a provider in a program can say.
    found["provider"]["inputProperties"] = found["config"]["variables"]
    return found


def _report_errors(method: Method) -> Method:
    """Let `method` fail with only a text for people."""

    @functools.wraps(method)
    def call(self: Provider, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except CreatedInPartError as error:
            context.abort_with_status(error)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - the one boundary
            properties, name = _REMEMBERED.get(method.__name__, ("", ""))
            remembered = plain(getattr(request, properties)).get(name) if properties else None
            context.abort(grpc.StatusCode.UNKNOWN, explain(error, method.__name__, remembered))

    return call  # type: ignore[return-value]


class Provider(ResourceProviderServicer):
    """The provider; `warn` takes a text and the URN that it is about, and shows it to a person."""

    def __init__(self, warn: Callable[[str, str], None]) -> None:
        self._setup = Setup(Service("", named=False), None, warn)

    # The provider itself

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        """Return the version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> provider_pb2.GetSchemaResponse:  # noqa: N802
        """Return the schema."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema()))

    @_report_errors
    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse invalid config; the result is stored, so the environment is no part of it."""
        inputs = Struct()
        inputs.CopyFrom(request.news)
        values = {name: value for name, value in plain(inputs).items() if value != UNKNOWN}
        if "token" in values:
            inputs["token"] = secret(values["token"])
        checks: dict[str, Callable[[Any], object]] = {
            "baseUrl": check_url,
            "token": check_token,
            "timeout": _unchanged(check_timeout),
            "retries": _unchanged(check_retries),
            "spool": check_spool,
        }
        passed = [(name, check, values[name]) for name, check in checks.items() if name in values]
        return checked(inputs, [("config", check_config_keys, values), *passed])

    @_report_errors
    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802
        """Take the config, and from the environment what it leaves out."""
        config = plain(request.args)
        token = config.get("token") or os.environ.get(ENVIRONMENT["token"])
        self._setup = replace(
            self._setup,
            service=find_service(None, config),
            token=token,
            spool=check_spool(config.get("spool") or DEFAULT_SPOOL),
        )
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Empty:  # noqa: N802
        """Let what is under way end: the engine waits for it, and records a token that was minted."""
        return Empty()

    # The resources

    @_report_errors
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse invalid inputs."""
        return self._resource(request).check(request)

    @_report_errors
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """Compare the state with the inputs."""
        return self._resource(request).diff(request)

    @_report_errors
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802
        """Make what is declared."""
        return self._resource(request).create(request)

    @_report_errors
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: N802
        """Hold the state against the service, or import."""
        return self._resource(request).read(request)

    @_report_errors
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: N802
        """Make again what is declared."""
        return self._resource(request).update(request)

    @_report_errors
    def Delete(self, request: Any, context: Any) -> Empty:  # noqa: N802
        """Let go what was declared."""
        self._resource(request).delete(request)
        return Empty()

    def _resource(self, request: Any) -> TokenResource | WalletAlertResource:
        """Return who answers about a URN; the type of a component's child is behind its parents'."""
        kind = request.urn.split("::")[2].rpartition("$")[2]
        if kind not in RESOURCES:
            raise InvalidInputError(f"There is no resource {kind}.")
        return RESOURCES[kind](self._setup)

    # The functions

    @_report_errors
    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:  # noqa: N802
        """Ask the service about a token."""
        found = struct(functions.answer(self._setup, request))
        # `return` is a word of Python's own.
        return provider_pb2.InvokeResponse(**{"return": found})  # type: ignore[arg-type]


def _unchanged(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """Return a check whose value is stored as it was passed."""
    return lambda value: (check(value), value)[1]


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
