# SPDX-License-Identifier: BSD-2-Clause
"""The life of a `Token`: what the engine calls."""

from __future__ import annotations

import json
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, status_pb2
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from .._decisions import life, placed
from .._decisions.hints import explain
from .._decisions.placed import Target, Token
from .._decisions.token import Changes, Check, check_keepers, check_passed
from .._decisions.token import stored_token as imported_text
from .._shared.module_utils.core.errors import InvalidInputError
from .._shared.module_utils.core.models import check_token
from .answers import Properties, Setup, checked, differences
from .places import check_wire_place, from_wire, to_wire
from .properties import UNKNOWN, is_unknown, plain, struct

_WIRE = {"existing_token": "existingToken", "stored_at": "storedAt", "max_age_days": "maxAgeDays"}
_INPUTS = ("keepers", "place")  # which the state remembers too


class CreatedInPartError(Exception):
    """A failure after the mint, as a status of gRPC by which the engine keeps what there is."""

    def __init__(self, token: Token, inputs: Struct, text: str) -> None:
        super().__init__()
        failed = provider_pb2.ErrorResourceInitFailed(
            id=token.hash, properties=_state(life.outputs(token), inputs), reasons=[text]
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
        values = {name: value for name, value in plain(inputs).items() if not is_unknown(value)}
        checks: list[Check] = [("arguments", _check_together, values)]
        if "existingToken" in values:
            inputs["existingToken"] = secret(values["existingToken"])
            checks.append(("existingToken", _check_existing, values["existingToken"]))
        if values.get("keepers") is not None:
            checks.append(("keepers", check_keepers, values["keepers"]))
        if values.get("place") is not None:
            checks.append(("place", check_wire_place, values["place"]))
        if values.get("maxAgeDays") is not None:
            checks.append(("maxAgeDays", life.check_max_age_days, values["maxAgeDays"]))
        if values.get("maxLoss") is not None:
            checks.append(("maxLoss", life.check_max_loss, values["maxLoss"]))
        return checked(inputs, checks)

    def diff(self, request: Any) -> provider_pb2.DiffResponse:
        """Compare what is stored with the inputs: nothing else may ever replace or touch a token."""
        olds, news = plain(request.olds), plain(request.news)
        changes = life.compare(_stored(olds, request.id), self._target(news), olds.get("keepers"))
        replaces = tuple(_WIRE.get(name, name) for name in changes.replaces)
        updates = tuple(_WIRE.get(name, name) for name in changes.updates)
        return differences(Changes(replaces, updates), olds, news)

    def create(self, request: Any) -> provider_pb2.CreateResponse:
        """Take up, adopt or mint the token."""
        target = self._target(plain(request.properties))
        if request.preview:
            # Also of a token to adopt, which is not proven yet: else a function would ask about it now.
            unknown = (
                ("hash", "token") if target.place is None else ("hash", "place", "stored_at", "resolved")
            )
            expected = {**dict.fromkeys(unknown, UNKNOWN), "service": target.service.url}
            return provider_pb2.CreateResponse(properties=_state(expected, request.properties))
        inputs = Struct()
        inputs.CopyFrom(request.properties)
        token = life.create(target, self._setup.created_here)
        # The engine has not seen the token yet: what fails from here on gives it all the same.
        try:
            return _created(token, inputs)
        except Exception as error:  # noqa: BLE001 - whatever it is
            text = explain(error, "Create")
        raise CreatedInPartError(token, inputs, text)

    def read(self, request: Any) -> provider_pb2.ReadResponse:
        """Prove the token for free: on refresh, on import, and for a program's `get`."""
        state = plain(request.properties)
        if "hash" not in state:  # which only an import or a `get` leaves out
            return self._find(request, state)
        if not state.get("token") and not state.get("place"):
            state["token"] = self._setup.imported_token(request.id)
        warn = self._setup.warner(request.urn)
        proven = life.refresh(_stored(state, request.id), self._target({}), warn)
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_state(life.outputs(proven), request.properties),
            inputs=request.inputs,
        )

    def update(self, request: Any) -> provider_pb2.UpdateResponse:
        """Keep the token, move it, or rotate it in its place."""
        olds, target = plain(request.olds), self._target(plain(request.news))
        former, keepers = _stored(olds, request.id), olds.get("keepers")
        if request.preview:
            outputs = life.expected(former, target, keepers, UNKNOWN)
        else:
            outputs = life.outputs(life.update(former, target, keepers, self._setup.warner(request.urn)))
        return provider_pb2.UpdateResponse(properties=_state(outputs, request.news))

    def delete(self, request: Any) -> None:
        """Let the token go, with a warning: it stays valid."""
        state = _from_wire(plain(request.properties))
        url = state.get("service") or self._setup.service.url
        life.delete(state, request.id, lambda: url, self._setup.created_here, self._setup.warner(request.urn))

    def _target(self, inputs: Properties) -> Target:
        return Target(
            self._setup.service,
            from_wire(inputs.get("place")),
            inputs.get("existingToken"),
            inputs.get("keepers"),
            inputs.get("maxAgeDays"),
            inputs.get("maxLoss"),
            self._setup.spool,
        )

    def _find(self, request: Any, state: Properties) -> provider_pb2.ReadResponse:
        """Return the token that an import or a `get` names: by its hash, or by its place."""
        place, id_ = state.get("place"), request.id
        if id_.lstrip().startswith("{"):
            place, id_ = _imported_place(id_), None
        service = state.get("service")
        requested = self._setup.service.at(service) if service else self._setup.service
        inputs = Struct()
        inputs.CopyFrom(request.inputs)
        token: Token
        if place is not None:
            place = check_wire_place(place)
            token = placed.find(Target(requested, from_wire(place), spool=self._setup.spool), id_)
            inputs.update({"place": place})
        else:
            text = state.get("token") or self._setup.imported_token(id_)
            existing = imported_text({**state, "token": text}, id_)
            token = life.create(Target(requested, existing_token=existing), self._setup.created_here)
        return provider_pb2.ReadResponse(
            id=token.hash, properties=_state(life.outputs(token), inputs), inputs=inputs
        )


def _imported_place(id_: str) -> Any:
    try:
        return json.loads(id_)
    except ValueError:
        raise InvalidInputError(
            "The id begins as a place does, and is no JSON.",
            """Nothing was imported. Give it as '{"hashiVault": {"path": "apps/shop"}}'.""",
        ) from None


def _check_together(values: Properties) -> None:
    names = {"place": "place", "existing_token": "existingToken", "max_age_days": "maxAgeDays"}
    life.check_together({name: values.get(wire) for name, wire in names.items()})


def _check_existing(existing_token: object) -> str:
    return check_token(check_passed(existing_token))


def _stored(state: Properties, id_: str) -> Token:
    return life.stored(_from_wire(state), id_)


def _from_wire(state: Properties) -> Properties:
    names = {wire: name for name, wire in _WIRE.items()}
    return {
        **{names.get(name, name): value for name, value in state.items()},
        "place": from_wire(state.get("place")),
    }


def _created(token: Token, inputs: Struct) -> provider_pb2.CreateResponse:
    return provider_pb2.CreateResponse(id=token.hash, properties=_state(life.outputs(token), inputs))


def _state(outputs: Properties, inputs: Struct) -> Struct:
    """Return what the state is to hold; the inputs as they came, marks of secrets and all."""
    wire = {_WIRE.get(name, name): value for name, value in outputs.items()}
    if "token" in wire:
        wire["token"] = secret(wire["token"])
    if "place" in wire:
        wire["place"] = to_wire(wire["place"])
    properties = struct(wire)
    for name in _INPUTS:
        if name in inputs and wire.get(name) != UNKNOWN:
            properties.fields[name].CopyFrom(inputs.fields[name])
    return properties
