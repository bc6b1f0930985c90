# SPDX-License-Identifier: BSD-2-Clause
"""What a stack declares, written once: as a program in Python (the dynamic half) or in YAML (the native one).

declare(workspace, half, token(keepers={"a": "1"}), alert(threshold=5), outputs={"token": "app.token"})
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_echovalue.plugin.places import to_wire
from tests.testkit.pulumi_workspace import Workspace

HALVES = pytest.mark.parametrize("half", ["dynamic", "native"])
NATIVE_IS_SLOW = pytest.mark.parametrize("half", ["dynamic", pytest.param("native", marks=pytest.mark.slow)])


@dataclass(frozen=True)
class Output:
    """An output of a resource, as `app.token`."""

    name: str

    def __repr__(self) -> str:
        return self.name  # an expression of Python


@dataclass(frozen=True)
class Config:
    """A value of the stack's config."""

    name: str
    secret: bool = False

    def __repr__(self) -> str:
        return f"pulumi.Config().require{'_secret' * self.secret}({self.name!r})"


@dataclass(frozen=True)
class Resource:
    """A resource with its inputs and options, as Python names them.

    `of` is the Token of an alert: the resource itself in Python, these `outputs` of it in YAML.
    """

    kind: str
    name: str
    inputs: dict[str, Any]
    options: dict[str, Any]
    of: str = ""
    outputs: tuple[str, ...] = ()

    def python(self) -> str:
        inputs = {"token": Output(self.of), **self.inputs} if self.of else self.inputs
        arguments = "".join(f", {name}={value!r}" for name, value in inputs.items())
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        made = f"echovalue.{self.kind}({self.name!r}{arguments}, opts=pulumi.ResourceOptions({options}))"
        return f"{self.name} = {made}"

    def wire(self) -> Any:
        inputs = dict(self.inputs)
        if self.of:
            inputs |= {name: Output(f"{self.of}.{name}") for name in self.outputs}
            inputs["base_url"] = Output(f"{self.of}.service")
        elif inputs.get("place"):
            inputs["place"] = to_wire(inputs["place"])
        return {
            "type": f"echovalue:{self.kind}",
            "properties": {_camel(name): _wire(value) for name, value in inputs.items()},
            "options": {_camel(name): _wire(value) for name, value in self.options.items()},
        }


def token(name: str = "app", options: dict[str, Any] | None = None, **inputs: Any) -> Resource:
    return Resource("Token", name, inputs, options or {})


def alert(
    name: str = "low",
    of: str = "app",
    options: dict[str, Any] | None = None,
    in_place: bool = False,
    **inputs: Any,
) -> Resource:
    """Return an alert of a Token of the program, which is in the state or in a place; or of an input `token`."""
    return Resource(
        "WalletAlert", name, inputs, options or {}, of, ("place", "hash") if in_place else ("token",)
    )


def declare(
    workspace: Workspace,
    half: str,
    *resources: Resource,
    outputs: dict[str, str] | None = None,
    more: str = "",
) -> None:
    """Write the program of a half; `more` is further text of it."""
    exported = {name: Output(output) for name, output in (outputs or {}).items()}
    if half == "dynamic":
        lines = [resource.python() for resource in resources]
        lines += [f"pulumi.export({name!r}, {output})" for name, output in exported.items()]
        workspace.program("\n".join([*lines, more]))
        return
    values = [value for resource in resources for value in resource.inputs.values()]
    parts = {
        "config": {v.name: {"type": "string", "secret": v.secret} for v in values if isinstance(v, Config)},
        "resources": {resource.name: resource.wire() for resource in resources},
        "outputs": _wire(exported),
    }
    workspace.yaml(
        "\n".join([*(f"{name}: {json.dumps(part)}" for name, part in parts.items() if part), more])
    )


def _wire(value: Any) -> Any:
    if isinstance(value, Config):
        return f"${{{value.name}}}"
    if isinstance(value, Output):
        resource, *outputs = value.name.split(".")  # the resource's name is as it was chosen
        return f"${{{'.'.join([resource, *map(_camel, outputs)])}}}"
    if isinstance(value, dict):
        return {name: _wire(item) for name, item in value.items()}
    return value


def _camel(name: str) -> str:
    return re.sub("_(.)", lambda found: found[1].upper(), name)
