# SPDX-License-Identifier: BSD-2-Clause
"""The servers of ours for GitHub and GitLab hold to what their public documents say, whatever is sent."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import nacl.encoding
import nacl.public
import pytest
import schemathesis
from hypothesis import settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.testkit.ci_servers import Github, Gitlab, running

TIMES = {
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
}
MESSAGE = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def answer(schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a response of a document."""
    return {"description": "It.", **({"content": {"application/json": {"schema": schema}}} if schema else {})}


def operation(responses: dict[str, dict[str, Any]], body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return an operation of a document."""
    request = (
        {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}} if body else {}
    )
    return {"responses": responses, **request}


def named(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return the schema of an object."""
    return {"type": "object", "properties": properties, "required": [*(required or properties)]}


def path(**values: list[str]) -> list[dict[str, Any]]:
    """Return the parameters of a path, each one of these."""
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": enum}}
        for name, enum in values.items()
    ]


TEXT = {"type": "string"}
NOT_FOUND = {"404": answer(MESSAGE)}
SECRET = named({"name": TEXT, **TIMES})
VARIABLE = named({"name": TEXT, "value": TEXT, **TIMES})
NAME = {"type": "string", "enum": ["SHOP", "OTHER"]}
KEY = named({"key_id": TEXT, "key": TEXT})
GITHUB: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "An extract of GitHub's REST API", "version": "2022-11-28"},
    "paths": {
        f"/repos/acme/shop/{root}/{kind}": item
        for root in ("actions", "environments/production")
        for kind, item in {
            "secrets/public-key": {"get": operation({"200": answer(KEY)})},
            "secrets/{name}": {
                "parameters": path(name=["SHOP", "OTHER"]),
                "get": operation({"200": answer(SECRET), **NOT_FOUND}),
                "put": operation(
                    {"201": answer(EMPTY), "204": answer(), "422": answer(MESSAGE)},
                    named({"encrypted_value": TEXT, "key_id": TEXT}),
                ),
                "delete": operation({"204": answer(), **NOT_FOUND}),
            },
            "variables": {
                "post": operation(
                    {"201": answer(EMPTY), "409": answer(MESSAGE), "422": answer(MESSAGE)},
                    named({"name": NAME, "value": TEXT}),
                )
            },
            "variables/{name}": {
                "parameters": path(name=["SHOP", "OTHER"]),
                "get": operation({"200": answer(VARIABLE), **NOT_FOUND}),
                "patch": operation({"204": answer(), **NOT_FOUND}, named({"name": NAME, "value": TEXT})),
                "delete": operation({"204": answer(), **NOT_FOUND}),
            },
        }.items()
    },
}
CI_VARIABLE = named(
    {
        "key": TEXT,
        "value": {"type": "string", "nullable": True},
        "variable_type": {"type": "string", "enum": ["env_var", "file"]},
        **{name: {"type": "boolean"} for name in ("protected", "masked", "hidden", "raw")},
        "environment_scope": TEXT,
        "description": {"type": "string", "nullable": True},
    }
)
FLAGS = {"masked": {"type": "boolean"}, "protected": {"type": "boolean"}}
SCOPE = [
    {
        "name": "filter[environment_scope]",
        "in": "query",
        "schema": {"type": "string", "enum": ["*", "staging"]},
    }
]
PROBLEM = answer({"type": "object"})
GITLAB: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "An extract of GitLab's REST API", "version": "v4"},
    "paths": {
        f"/api/v4/{owner}/variables{key}": item
        for owner in ("projects/acme%2Fshop", "groups/acme")
        for key, item in {
            "": {
                "post": operation(
                    {"201": answer(CI_VARIABLE), "400": PROBLEM},
                    named({"key": NAME, "value": TEXT, "environment_scope": TEXT, **FLAGS}, "key", "value"),
                )
            },
            "/{key}": {
                "parameters": path(key=["SHOP", "OTHER"]) + SCOPE,
                "get": operation({"200": answer(CI_VARIABLE), "404": PROBLEM, "409": PROBLEM}),
                "put": operation(
                    {"200": answer(CI_VARIABLE), "400": PROBLEM, "404": PROBLEM, "409": PROBLEM},
                    named({"value": TEXT, **FLAGS}, "value"),
                ),
                "delete": operation({"204": answer(), "404": PROBLEM, "409": PROBLEM}),
            },
        }.items()
    },
}

bounded = settings(max_examples=15, derandomize=True, database=None, deadline=None)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
github_schema = schemathesis.openapi.from_dict(GITHUB)
gitlab_schema = schemathesis.openapi.from_dict(GITLAB)
for _schema in (github_schema, gitlab_schema):
    _schema.config.generation.update(
        modes=[schemathesis.GenerationMode.POSITIVE], with_security_parameters=False
    )


@pytest.fixture(scope="module")
def github():
    with running(Github()) as server:
        yield server


@pytest.fixture(scope="module")
def gitlab():
    with running(Gitlab()) as server:
        yield server


@github_schema.parametrize()
@bounded
def test_github(case, github):
    case.call_and_validate(github.url, headers={"Authorization": f"token {github.token}"}, checks=CHECKS)


@gitlab_schema.parametrize()
@bounded
def test_gitlab(case, gitlab):
    case.call_and_validate(gitlab.url, headers={"PRIVATE-TOKEN": gitlab.token}, checks=CHECKS)


def test_a_sealed_box_is_opened(github):
    """By the key that the server says, and by no other."""
    key = nacl.public.PrivateKey.generate().public_key
    assert (
        github.answer("GET", "/repos/acme/shop/actions/secrets/public-key", {}, _login(github), None)[0]
        == 200
    )
    _status, said = github.answer(
        "GET", "/repos/acme/shop/actions/secrets/public-key", {}, _login(github), None
    )
    own = nacl.public.PublicKey(said["key"].encode(), nacl.encoding.Base64Encoder)
    for used, status in ((key, 422), (own, 201)):
        sealed = b64encode(nacl.public.SealedBox(used).encrypt(b"the token")).decode()
        body = {"encrypted_value": sealed, "key_id": said["key_id"]}
        put = github.answer("PUT", "/repos/acme/shop/actions/secrets/SEALED", {}, _login(github), body)
        assert put[0] == status
    assert github.opened("acme/shop", "SEALED") == "the token"


def _login(github: Github) -> dict[str, str]:
    return {"Authorization": f"token {github.token}"}
