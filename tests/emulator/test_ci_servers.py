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

from tests.testkit.ci_servers import Github, Gitlab
from tests.testkit.web_server import running

TEXT = {"type": "string"}
NULLABLE = {**TEXT, "nullable": True}
FLAG = {"type": "boolean"}
NAME = {**TEXT, "enum": ["SHOP", "OTHER"]}
TIME = {**TEXT, "format": "date-time"}


def named(*texts: str, required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """Return the schema of an object; all of it is required, unless that is said."""
    properties.update(dict.fromkeys(texts, TEXT))
    return {"type": "object", "properties": properties, "required": [*(required or properties)]}


def operation(responses: dict[int, dict[str, Any]], body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return an operation of a document, by the schemas of its responses; one of {} has no content."""

    def content(schema: dict[str, Any]) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": schema}}} if schema else {}

    described = {str(status): {"description": "It.", **content(one)} for status, one in responses.items()}
    return {"responses": described, **({"requestBody": {"required": True, **content(body)}} if body else {})}


def parameter(name: str, where: str, *values: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": {**TEXT, "enum": [*values]}}


EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
MESSAGE = named("message")
SECRET = named("name", created_at=TIME, updated_at=TIME)
VARIABLE = named("name", "value", created_at=TIME, updated_at=TIME)
NEW_VARIABLE = named("value", name=NAME)
GITHUB: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "An extract of GitHub's REST API", "version": "2022-11-28"},
    "paths": {
        f"/repos/acme/shop/{root}/{kind}": item
        for root in ("actions", "environments/production")
        for kind, item in {
            "secrets/public-key": {"get": operation({200: named("key_id", "key")})},
            "secrets/{name}": {
                "parameters": [parameter("name", "path", "SHOP", "OTHER")],
                "get": operation({200: SECRET, 404: MESSAGE}),
                "put": operation({201: EMPTY, 204: {}, 422: MESSAGE}, named("encrypted_value", "key_id")),
                "delete": operation({204: {}, 404: MESSAGE}),
            },
            "variables": {"post": operation({201: EMPTY, 409: MESSAGE, 422: MESSAGE}, NEW_VARIABLE)},
            "variables/{name}": {
                "parameters": [parameter("name", "path", "SHOP", "OTHER")],
                "get": operation({200: VARIABLE, 404: MESSAGE}),
                "patch": operation({204: {}, 404: MESSAGE}, NEW_VARIABLE),
                "delete": operation({204: {}, 404: MESSAGE}),
            },
        }.items()
    },
}
CI_VARIABLE = named(
    *("key", "environment_scope"),
    value=NULLABLE,
    variable_type={**TEXT, "enum": ["env_var", "file"]},
    **dict.fromkeys(("protected", "masked", "hidden", "raw"), FLAG),
    description=NULLABLE,
)
NEW_CI_VARIABLE = named(
    *("value", "environment_scope"), required=("key", "value"), key=NAME, masked=FLAG, protected=FLAG
)
CHANGE = named("value", required=("value",), masked=FLAG, protected=FLAG)
PROBLEM = {"type": "object"}
GITLAB: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "An extract of GitLab's REST API", "version": "v4"},
    "paths": {
        f"/api/v4/{owner}/variables{key}": item
        for owner in ("projects/acme%2Fshop", "groups/acme")
        for key, item in {
            "": {"post": operation({201: CI_VARIABLE, 400: PROBLEM}, NEW_CI_VARIABLE)},
            "/{key}": {
                "parameters": [
                    parameter("key", "path", "SHOP", "OTHER"),
                    parameter("filter[environment_scope]", "query", "*", "staging"),
                ],
                "get": operation({200: CI_VARIABLE, 404: PROBLEM, 409: PROBLEM}),
                "put": operation({200: CI_VARIABLE, 400: PROBLEM, 404: PROBLEM, 409: PROBLEM}, CHANGE),
                "delete": operation({204: {}, 404: PROBLEM, 409: PROBLEM}),
            },
        }.items()
    },
}

bounded = settings(max_examples=15, derandomize=True, database=None, deadline=None)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
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
    login = {"Authorization": f"token {github.token}"}
    secrets = "/repos/acme/shop/actions/secrets"
    status, said = github.answer("GET", f"{secrets}/public-key", {}, login, None)
    assert status == 200
    key = nacl.public.PrivateKey.generate().public_key
    own = nacl.public.PublicKey(said["key"].encode(), nacl.encoding.Base64Encoder)
    for used, status in ((key, 422), (own, 201)):
        sealed = b64encode(nacl.public.SealedBox(used).encrypt(b"the token")).decode()
        body = {"encrypted_value": sealed, "key_id": said["key_id"]}
        assert github.answer("PUT", f"{secrets}/SEALED", {}, login, body)[0] == status
    assert github.opened("acme/shop", "SEALED") == "the token"
