# SPDX-License-Identifier: BSD-2-Clause
"""The life of a `Token`, as the engine asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, status_pb2
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from .._decisions import token as lifecycle
from .._decisions.hints import explain
from .._decisions.token import Changes, Check, Kept
from .._shared.module_utils.core.models import check_token
from .answers import Properties, Setup, checked, differences
from .properties import UNKNOWN, plain, struct


class CreatedInPartError(Exception):
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


class TokenResource:
    """Check, diff, create, read, update and delete of a `Token`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def check(self, request: Any) -> provider_pb2.CheckResponse:
        """Refuse invalid inputs; a preview may not know them all."""
        inputs = Struct()
        inputs.CopyFrom(request.news)
        values = {name: value for name, value in plain(inputs).items() if value != UNKNOWN}
        checks: list[Check] = []
        if "existingToken" in values:
            inputs["existingToken"] = secret(values["existingToken"])
            checks.append(("existingToken", _check_existing, values["existingToken"]))
        if values.get("keepers") is not None:
            checks.append(("keepers", lifecycle.check_keepers, values["keepers"]))
        return checked(inputs, checks)

    def diff(self, request: Any) -> provider_pb2.DiffResponse:
        """Compare what is kept with the inputs: nothing else may ever replace or touch a token."""
        olds, news = plain(request.olds), plain(request.news)
        changes = lifecycle.compare(
            lifecycle.stored(olds, request.id),
            self._setup.service,
            news.get("existingToken"),
            (olds.get("keepers"), news.get("keepers")),
        )
        replaces = tuple({"existing_token": "existingToken"}.get(name, name) for name in changes.replaces)
        return differences(Changes(replaces, changes.updates), olds, news)

    def create(self, request: Any) -> provider_pb2.CreateResponse:
        """Adopt the token that was passed, proven first; or mint one."""
        if request.preview:
            # Also of a token to adopt, which is not proven yet: else a function would ask about it now.
            unknown = {"token": secret(UNKNOWN), "hash": UNKNOWN, "service": self._setup.service.url}
            return provider_pb2.CreateResponse(properties=_with_keepers(unknown, request.properties))
        keepers = _with_keepers({}, request.properties)
        kept = self._create(plain(request.properties).get("existingToken"))
        # The engine has not seen the token yet: what fails from here on gives it all the same.
        try:
            return _created(kept, keepers)
        except Exception as error:  # noqa: BLE001 - whatever it is
            text = explain(error, "Create")
        raise CreatedInPartError(kept, keepers, text)

    def read(self, request: Any) -> provider_pb2.ReadResponse:
        """Prove the token for free: on refresh, on import, and for a program's `get`."""
        state = plain(request.properties)
        if not state.get("token"):
            state["token"] = self._setup.imported_token(request.id)
        if "hash" in state:
            proven = lifecycle.refresh(lifecycle.stored(state, request.id), self._setup.service)
            self._warn_if_gone(proven, request.urn)
        else:  # which only an import or a `get` leaves out
            proven = self._create(lifecycle.stored_token(state, request.id), state.get("service"))
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_with_keepers(_state(proven), request.properties),
            inputs=request.inputs,
        )

    def update(self, request: Any) -> provider_pb2.UpdateResponse:
        """Keep the token, proven first where another service is named."""
        kept, service = lifecycle.stored(plain(request.olds), request.id), self._setup.service
        if request.preview:
            moved = replace(kept, service=service.url) if service.named else kept
        else:
            moved = lifecycle.move(kept, service, plain(request.news).get("existingToken"))
            self._warn_if_gone(moved, request.urn)
        return provider_pb2.UpdateResponse(properties=_with_keepers(_state(moved), request.news))

    def delete(self, request: Any) -> None:
        """Let the token go, with a warning: it stays valid."""
        state = plain(request.properties)
        url = state.get("service") or self._setup.service.url
        lifecycle.delete(
            state, request.id, lambda: url, self._setup.created_here, self._setup.warner(request.urn)
        )

    def _create(self, existing_token: str | None, service: str | None = None) -> Kept:
        requested = self._setup.service.at(service) if service else self._setup.service
        return lifecycle.create(requested, existing_token, self._setup.created_here)

    def _warn_if_gone(self, kept: Kept, urn: str) -> None:
        if kept.gone:
            self._setup.warn(lifecycle.missing_token_warning(kept.service, kept.hash), urn)


def _check_existing(existing_token: object) -> str:
    return check_token(lifecycle.check_passed(existing_token))


def _state(kept: Kept) -> Properties:
    return {
        "token": secret(kept.token),
        "hash": kept.hash,
        "service": kept.service,
        "gone": kept.gone or None,  # true or not set
    }


def _created(kept: Kept, keepers: Struct) -> provider_pb2.CreateResponse:
    return provider_pb2.CreateResponse(id=kept.hash, properties=_with_keepers(_state(kept), keepers))


def _with_keepers(state: Properties, inputs: Struct) -> Struct:
    """Return what the state is to hold; the keepers as they came, marks of secrets and all."""
    properties = struct(state)
    if "keepers" in inputs:
        properties.fields["keepers"].CopyFrom(inputs.fields["keepers"])
    return properties
