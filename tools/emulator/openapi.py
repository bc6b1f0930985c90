# SPDX-License-Identifier: BSD-2-Clause
"""The service's calls as an OpenAPI 3.0.3 document: what the contract tests hold the server to."""

from __future__ import annotations

from typing import Any

from .alerts import FORMATS


def _text(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string", **schema}}}}


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": description, "content": {"application/json": content}}


def _query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_REFUSALS = {
    "400": _text("A parameter is missing or wrong.", enum=["Bad Request"]),
    "401": _text("`x-token` is missing, shorter than 10 characters, or unknown.", enum=["Unauthorized"]),
    "402": _text("The wallet is empty; the token is valid.", enum=["Insufficient credits"]),
    "405": _text("The method is not supported here.", enum=["Method Not Allowed"]),
}


def _call(summary: str, answer: dict[str, Any], refusals: str, **more: Any) -> dict[str, Any]:
    responses = {"200": answer, **{status: _REFUSALS[status] for status in refusals.split()}}
    return {"summary": summary, **more, "responses": responses}


def _call_with_token(summary: str, answer: dict[str, Any], refusals: str, **more: Any) -> dict[str, Any]:
    return _call(summary, answer, refusals, security=[{"token": []}], **more)


def _body(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema}}}


def _object(required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has no other fields."""
    needed = {"required": required.split()} if required else {}
    return {"type": "object", **needed, "additionalProperties": False, "properties": properties}


_CATEGORIES = "kv token settings webhook webhook-delivery url-to-metadata myip service manage"
_MINT = {
    "type": "object",
    "required": ["token"],
    "properties": {"token": {"type": "string", "enum": ["new"]}},
}
_AMOUNT = _query("amount", "Million operations.", type="integer", default=1, enum=[1, 3])
_NUMBER = _query("n", "How many at most.", type="integer", default=5, minimum=1, maximum=100)
_CATEGORY = _query("type", "Only those of this category.", type="string")

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "EchoValue token API (emulator)", "version": "1"},
    "paths": {
        "/token": {
            "post": _call(
                "Mint a token.",
                _text("The new token.", minLength=32, maxLength=32),
                "400",
                requestBody=_body("application/x-www-form-urlencoded", _MINT),
            ),
            "get": _call_with_token(
                "Read the wallet. Costs 1 credit.", _json("The wallet after the call.", "Wallet"), "401 402"
            ),
        },
        "/recharge": {
            "get": _call_with_token(
                "Get a payment link. Free.",
                _text("The link.", pattern="^https://buy.stripe.com/"),
                "400 401 405",  # 400: the service documents nothing for another amount
                parameters=[_AMOUNT],
            )
        },
        "/token/logs": {
            "get": _call_with_token(
                "List the newest requests made with the token. Free.",
                _json("The requests, newest first.", "Logs"),
                "400 401",  # 400: the service documents nothing for another number
                parameters=[_NUMBER, _CATEGORY],
            )
        },
        "/token/settings": {
            "get": _call_with_token(
                "Read the low-balance alerts. Costs 1 credit.",
                _json("The settings that are set.", "Settings"),
                "401 402",
            ),
            "put": _call_with_token(
                "Set the low-balance alerts. Costs 1 credit, also when refused.",
                _text("They are set.", enum=["OK"]),
                "400 401 402",
                description="Whether a field that is left out is cleared or kept is not documented.",
                requestBody=_body("application/json", {"$ref": "#/components/schemas/Settings"}),
            ),
        },
    },
    "components": {
        "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "x-token"}},
        "schemas": {
            "Wallet": _object(
                "wallet created hash",
                wallet={"type": "integer", "minimum": 0},
                created={"type": "string", "format": "date-time"},
                hash={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            ),
            "Logs": _object(
                "logs n",
                logs={"type": "array", "items": {"$ref": "#/components/schemas/Log"}},
                n={"type": "integer", "minimum": 0, "maximum": 100},
            ),
            "Log": _object(
                "id method path endpoint status_code response_time_ms timestamp expiration cost balance",
                id={"type": "string"},
                method={"type": "string"},
                path={"type": "string", "description": "With its query."},
                endpoint={"type": "string", "enum": _CATEGORIES.split()},
                status_code={"type": "integer"},
                response_time_ms={"type": "integer", "minimum": 0},
                error={"type": "string", "description": "Left out on success."},
                timestamp={"type": "string", "format": "date-time"},
                expiration={"type": "string", "format": "date-time"},
                cost={"type": "integer", "minimum": 0},
                balance={"type": "integer", "minimum": 0},
            ),
            "Settings": _object(
                "",
                low_balance_threshold={"type": "integer", "minimum": 0, "description": "0 is off."},
                low_balance_email={"type": "string", "description": "An empty one is cleared."},
                low_balance_webhook=_object(
                    "url",
                    url={"type": "string", "pattern": "^https://"},
                    headers={"type": "object", "additionalProperties": {"type": "string"}},
                    format={"type": "string", "enum": list(FORMATS)},
                    template={
                        "type": "object",
                        "description": "For `custom`: {{wallet}}, {{threshold}}, {{token_hash}}.",
                    },
                    options={"type": "object"},
                ),
            ),
        },
    },
}
