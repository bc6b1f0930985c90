# SPDX-License-Identifier: BSD-2-Clause
"""The native provider in this process, over gRPC, asked what the engine asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import (
    ResourceProviderStub,
    add_ResourceProviderServicer_to_server,
)

from pulumi_echovalue.plugin.properties import plain, struct
from pulumi_echovalue.plugin.provider import Provider

ADOPTED = "feedfacefeedfacefeedfacefeedface"
ADOPTED_HASH = hashlib.sha256(ADOPTED.encode()).hexdigest()
UNHEARD_OF = "0badc0de0badc0de0badc0de0badc0de"
SOME, NONE = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE


@dataclass
class Engine:
    """Asks a provider about the resource `urn`; `warnings` are what a person would see."""

    stub: ResourceProviderStub
    warnings: list[tuple[str, str]]
    provider: Provider
    urn: str = "urn:pulumi:dev::shop::echovalue:index:Token::app"

    def restart(self) -> None:
        """Forget what the provider's process has done, as at the next command."""
        setup = self.provider._setup
        for noted in (setup.created_here, setup.declared_here, setup.imported):
            noted.clear()

    def configure(self, **config: Any) -> None:
        """Set the provider up."""
        self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(config), acceptSecrets=True))

    def check(self, inputs: dict[str, Any], urn: str = "") -> Any:
        """Check inputs."""
        return self.stub.Check(provider_pb2.CheckRequest(urn=urn or self.urn, news=struct(inputs)))

    def diff(self, state: Struct, inputs: dict[str, Any]) -> Any:
        """Compare inputs with a state."""
        return self.stub.Diff(
            provider_pb2.DiffRequest(id=_id(state), urn=self.urn, olds=state, news=struct(inputs))
        )

    def create(self, inputs: dict[str, Any], *, preview: bool = False) -> Any:
        """Create a resource."""
        return self.stub.Create(
            provider_pb2.CreateRequest(urn=self.urn, properties=struct(inputs), preview=preview)
        )

    def update(self, state: Struct, inputs: dict[str, Any], *, preview: bool = False) -> Any:
        """Update a resource."""
        return self.stub.Update(
            provider_pb2.UpdateRequest(
                id=_id(state), urn=self.urn, olds=state, news=struct(inputs), preview=preview
            )
        )

    def read(self, id_: str, state: Struct | None = None, inputs: dict[str, Any] | None = None) -> Any:
        """Refresh a resource, or import it."""
        return self.stub.Read(
            provider_pb2.ReadRequest(id=id_, urn=self.urn, properties=state, inputs=struct(inputs or {}))
        )

    def delete(self, id_: str, state: Struct) -> None:
        """Delete a resource."""
        self.stub.Delete(provider_pb2.DeleteRequest(id=id_, urn=self.urn, properties=state))

    def invoke(self, function: str, *, preview: bool = False, **arguments: Any) -> dict[str, Any]:
        """Call a function."""
        request = provider_pb2.InvokeRequest(tok=f"echovalue:index:{function}", args=struct(arguments))
        if "preview" in request.DESCRIPTOR.fields_by_name:
            request.preview = preview
        return plain(getattr(self.stub.Invoke(request), "return"))


def _id(state: Struct) -> str:
    return str(plain(state).get("hash", ADOPTED_HASH))


@contextmanager
def asking() -> Iterator[Engine]:
    """Serve a provider whose service the environment says."""
    warnings: list[tuple[str, str]] = []
    server = grpc.server(ThreadPoolExecutor(8))
    provider = Provider(lambda text, urn: warnings.append((text, urn)))
    add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        engine = Engine(ResourceProviderStub(channel), warnings, provider)
        engine.configure()
        yield engine
    server.stop(0)


def failure(call: Any, *arguments: Any, **options: Any) -> str:
    """Return what the engine hears of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    text = caught.value.details()
    assert "Traceback" not in text
    assert ADOPTED not in text
    return text
