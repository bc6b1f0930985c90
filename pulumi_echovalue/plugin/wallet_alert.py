# SPDX-License-Identifier: BSD-2-Clause
"""The life of a `WalletAlert`: what the engine calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.rpc import wrap_rpc_secret as secret

from .._decisions import alert as alert_lifecycle
from .._decisions.alert import FIELDS, KeptAlert, TokenSource
from .._decisions.service import Service
from .._decisions.token import check_passed
from .answers import Properties, Setup, checked, differences
from .places import check_wire_place, from_wire, to_wire
from .properties import UNKNOWN, is_unknown, plain, struct

_SECRETS = ("token", "webhook")


class WalletAlertResource:
    """Check, diff, create, read, update and delete of a `WalletAlert`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def check(self, request: Any) -> provider_pb2.CheckResponse:
        """Refuse invalid inputs; a preview may not know them all."""
        inputs = Struct()
        inputs.CopyFrom(request.news)
        values = _from_wire(plain(inputs))
        for name in _SECRETS:
            if values.get(name) is not None:
                inputs[name] = secret(values[name])
        checks = [
            (name, check_wire_place, to_wire(value)) if name == "place" else (name, check, value)
            for name, check, value in alert_lifecycle.checks(values, is_unknown)
        ]
        if request.urn in self._setup.imported and "token" not in values and "place" not in values:
            checks = [check for check in checks if check[0] != "token"]  # as `read` left it out
        if "baseUrl" in values:
            checks.append(("baseUrl", check_passed, values["baseUrl"]))
        return checked(inputs, [*checks, ("baseUrl", lambda values: self._requested(values).url, values)])

    def diff(self, request: Any) -> provider_pb2.DiffResponse:
        """Compare what was declared, or what a refresh found, with the inputs."""
        olds, news = _from_wire(plain(request.olds)), _from_wire(plain(request.news))
        if "token" not in news and "place" not in news:  # what an import left, compared by a refresh
            news = {**{name: olds[name] for name in _SECRETS if name in olds}, **news}
        changes = alert_lifecycle.compare(
            self._stored(olds, request.id),
            self._requested(news),
            news,
            alert_lifecycle.declared(news, is_unknown),
        )
        return differences(changes, olds, news)

    def create(self, request: Any) -> provider_pb2.CreateResponse:
        """Set the alert."""
        values = _from_wire(plain(request.properties))
        settings = alert_lifecycle.declared(values, is_unknown)
        requested = self._requested(values)
        if request.preview:
            unknown = {"hash": values.get("hash", UNKNOWN), "service": requested.url}
            properties = struct(_outputs(_where(values), settings, unknown))
            return provider_pb2.CreateResponse(properties=properties)
        source = TokenSource.of(values)
        alert = alert_lifecycle.create(requested, source, settings, self._setup.declared_here)
        return provider_pb2.CreateResponse(id=alert.hash, properties=_state(alert))

    def read(self, request: Any) -> provider_pb2.ReadResponse:
        """Read what is set, for 1 credit: on refresh, on import, and for a program's `get`."""
        state = _from_wire(plain(request.properties))
        imports = not state.get("token") and not state.get("place")
        if imports:
            state["token"] = self._setup.imported_token(request.id)
        stored = self._stored(state, request.id)
        if "hash" not in state:  # which only an import or a `get` leaves out
            found = alert_lifecycle.find(stored, self._setup.service)
            if imports:
                self._setup.imported.add(request.urn)
                self._setup.warn(_left_out(found), request.urn)
            # `pulumi import` prints the inputs as program text, in clear.
            inputs = struct({name: found.settings[name] for name in found.settings if name not in _SECRETS})
            return provider_pb2.ReadResponse(id=request.id, properties=_state(found), inputs=inputs)
        seen = alert_lifecycle.refresh(stored, self._setup.service, self._setup.warner(request.urn))
        # What was read is what a preview compares, and what ignoreChanges keeps.
        inputs = Struct()
        inputs.CopyFrom(request.inputs)
        for name in set(FIELDS).intersection(inputs):
            del inputs[name]
            if name in seen.settings:
                inputs[name] = _marked(name, seen.settings[name])
        return provider_pb2.ReadResponse(id=request.id, properties=_state(seen), inputs=inputs)

    def update(self, request: Any) -> provider_pb2.UpdateResponse:
        """Set the alert again."""
        former, values = self._stored(plain(request.olds), request.id), _from_wire(plain(request.news))
        settings, requested = alert_lifecycle.declared(values, is_unknown), self._requested(values)
        if request.preview:
            known = {"hash": former.hash, "service": alert_lifecycle.service_of_update(former, requested)}
            properties = struct(_outputs(_where(values), settings, known))
            return provider_pb2.UpdateResponse(properties=properties)
        source = TokenSource.of(values)
        alert = alert_lifecycle.update(
            former, requested, source, settings, self._setup.declared_here, self._setup.warner(request.urn)
        )
        return provider_pb2.UpdateResponse(properties=_state(alert))

    def delete(self, request: Any) -> None:
        """Set the threshold to 0, where the alert is still this one."""
        alert, here = self._stored(plain(request.properties), request.id), self._setup.declared_here
        alert_lifecycle.remove(alert, self._setup.service, here, self._setup.warner(request.urn))

    def _stored(self, state: Properties, id_: str) -> KeptAlert:
        return alert_lifecycle.stored(_from_wire(state), id_, self._setup.service, is_unknown)

    def _requested(self, inputs: Properties) -> Service:
        """Return the service of the input, else of the config, else what the environment says."""
        url = inputs.get("baseUrl")
        if url and is_unknown(url):
            return Service(url, named=True)
        return self._setup.service.at(url) if url else self._setup.service


def _left_out(alert: KeptAlert) -> str:
    names = "token and webhook" if "webhook" in alert.settings else "token"
    return (
        f"The program text that an import prints holds no secret. Write the {names} of this alert into it "
        "before the next up, the token by a reference such as ${app.token} or from the secret config."
    )


def _from_wire(state: Properties) -> Properties:
    return {**state, "place": from_wire(state["place"])} if "place" in state else state


def _where(inputs: Properties) -> Properties:
    """Return the input that says where the token is, which a preview may not know."""
    return {name: inputs[name] for name in ("token", "place") if inputs.get(name) is not None}


def _outputs(where: Properties, settings: Mapping[str, Any], more: Properties) -> Properties:
    outputs = {**where, **settings, **more}
    if "place" in outputs:
        outputs["place"] = to_wire(outputs["place"])
    return {name: _marked(name, value) for name, value in outputs.items()}


def _marked(name: str, value: Any) -> Any:
    return secret(value) if name in _SECRETS else value


def _state(alert: KeptAlert) -> Struct:
    remembered = {"hash": alert.hash, "service": alert.service, "gone": alert.gone or None}
    return struct(_outputs(alert.source.where, alert.settings, remembered))
