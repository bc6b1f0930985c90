# SPDX-License-Identifier: BSD-2-Clause
"""What the answers about both resources have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from .._connections.registry import DEFAULT_SPOOL
from .._decisions.alert import DeclaredHere
from .._decisions.service import Service
from .._decisions.token import Changes, Check, CreatedHere, Warn, check_inputs
from .._shared.module_utils.core.errors import InvalidInputError
from .._shared.module_utils.core.models import check_token, token_hash
from .properties import put

Properties = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """How the provider was configured: its service, the token that an import names, and the spool.

    `warn` shows a person a text about the resource with a URN. `created_here`, `declared_here` and
    `imported` note what this process has done so far: the tokens that it created, the alerts that it set,
    and the URNs that it imported.
    """

    service: Service
    token: str | None = field(repr=False)
    warn: Callable[[str, str], None]
    spool: str = DEFAULT_SPOOL
    created_here: CreatedHere = field(default_factory=set)
    declared_here: DeclaredHere = field(default_factory=set)
    imported: set[str] = field(default_factory=set)

    def warner(self, urn: str) -> Warn:
        """Return what shows a person a text about the resource with a URN."""
        return lambda text: self.warn(text, urn)

    def imported_token(self, id_: str) -> str:
        """Return the config's token if an import names it by its hash; else raise InvalidInputError."""
        # An empty id would not mean here that there is none.
        token = check_token(self.token) if self.token else ""
        if not token or token_hash(token) != id_:
            raise InvalidInputError(
                "EchoValue keeps no list of tokens, so one is imported by its hash, with the token itself "
                "from the config: " + ("there it has another hash." if token else "there it is missing."),
                "Nothing was imported. Set it by `pulumi config set --secret echovalue:token`, or by "
                "ECHOVALUE_TOKEN, and give its sha256 in hex as the id.",
            )
        return token


def checked(inputs: Struct, checks: Iterable[Check]) -> provider_pb2.CheckResponse:
    """Return inputs in their one form, and what is wrong with them."""
    forms, reasons = check_inputs(checks)
    put(inputs, forms)
    failures = [provider_pb2.CheckFailure(reason=reason) for reason in reasons]
    return provider_pb2.CheckResponse(inputs=inputs, failures=failures)


def differences(changes: Changes, olds: Properties, news: Properties) -> provider_pb2.DiffResponse:
    """Return what needs another resource, and what only an update."""
    names = [*changes.replaces, *changes.updates]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if names else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=changes.replaces,
        diffs=names,
        deleteBeforeReplace=False,  # the old one serves until the new one is in place
        detailedDiff={name: _difference(name, olds, news, name in changes.replaces) for name in names},
        hasDetailedDiff=True,
    )


def _difference(name: str, olds: Properties, news: Properties, replaces: bool) -> provider_pb2.PropertyDiff:
    """Return how an input, or one of the outputs `service` and `gone`, differs."""
    kinds = provider_pb2.PropertyDiff
    if name == "service":
        return kinds(kind=kinds.UPDATE)
    if not olds.get(name):
        kind = kinds.ADD_REPLACE if replaces else kinds.ADD
    elif not news.get(name):
        kind = kinds.DELETE_REPLACE if replaces else kinds.DELETE
    else:
        kind = kinds.UPDATE_REPLACE if replaces else kinds.UPDATE
    return kinds(kind=kind, inputDiff=name != "gone")
