# SPDX-License-Identifier: BSD-2-Clause
"""The service's calls as an OpenAPI 3.0.3 document: what the contract tests hold the server to."""

from __future__ import annotations

from typing import Any

from .alerts import FORMATS


def _text(description: str, **schema: Any) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"text/plain": {"schema": {"type": "string", **schema}}},
    }


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": description, "content": {"application/json": content}}


def _query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_BAD_REQUEST = _text("A parameter is missing or wrong.", enum=["Bad Request"])
_NOT_ALLOWED = _text("The method is not supported here.", enum=["Method Not Allowed"])
_UNAUTHORIZED = _text("`x-token` is missing, shorter than 10 characters, or unknown.", enum=["Unauthorized"])
_INSUFFICIENT = _text("The wallet is empty; the token is valid.", enum=["Insufficient credits"])
_CATEGORIES = "kv token settings webhook webhook-delivery url-to-metadata myip service manage"
_WITH_TOKEN: dict[str, Any] = {"security": [{"token": []}]}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "EchoValue token API (emulator)", "version": "1"},
    "paths": {
        "/token": {
            "post": {
                "summary": "Mint a token.",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {
                                "type": "object",
                                "required": ["token"],
                                "properties": {"token": {"type": "string", "enum": ["new"]}},
                            }
                        }
                    },
                },
                "responses": {
                    "200": _text("The new token.", minLength=32, maxLength=32),
                    "400": _BAD_REQUEST,
                },
            },
            "get": {
                **_WITH_TOKEN,
                "summary": "Read the wallet. Costs 1 credit.",
                "responses": {
                    "200": _json("The wallet after the call.", "Wallet"),
                    "401": _UNAUTHORIZED,
                    "402": _INSUFFICIENT,
                },
            },
        },
        "/recharge": {
            "get": {
                **_WITH_TOKEN,
                "summary": "Get a payment link. Free.",
                "parameters": [
                    _query("amount", "Million operations.", type="integer", default=1, enum=[1, 3])
                ],
                "responses": {
                    "200": _text("The link.", pattern="^https://buy.stripe.com/"),
                    "400": _BAD_REQUEST,  # the service documents nothing for another amount
                    "401": _UNAUTHORIZED,
                    "405": _NOT_ALLOWED,
                },
            }
        },
        "/token/logs": {
            "get": {
                **_WITH_TOKEN,
                "summary": "List the newest requests made with the token. Free.",
                "parameters": [
                    _query("n", "How many at most.", type="integer", default=5, minimum=1, maximum=100),
                    _query("type", "Only those of this category.", type="string"),
                ],
                "responses": {
                    "200": _json("The requests, newest first.", "Logs"),
                    "400": _BAD_REQUEST,  # the service documents nothing for another number
                    "401": _UNAUTHORIZED,
                },
            }
        },
        "/token/settings": {
            "get": {
                **_WITH_TOKEN,
                "summary": "Read the low-balance alerts. Costs 1 credit.",
                "responses": {
                    "200": _json("The settings that are set.", "Settings"),
                    "401": _UNAUTHORIZED,
                    "402": _INSUFFICIENT,
                },
            },
            "put": {
                **_WITH_TOKEN,
                "summary": "Set the low-balance alerts. Costs 1 credit, also when refused.",
                "description": "Whether a field that is left out is cleared or kept is not documented.",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Settings"}}},
                },
                "responses": {
                    "200": _text("They are set.", enum=["OK"]),
                    "400": _BAD_REQUEST,
                    "401": _UNAUTHORIZED,
                    "402": _INSUFFICIENT,
                },
            },
        },
    },
    "components": {
        "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "x-token"}},
        "schemas": {
            "Wallet": {
                "type": "object",
                "required": ["wallet", "created", "hash"],
                "additionalProperties": False,
                "properties": {
                    "wallet": {"type": "integer", "minimum": 0},
                    "created": {"type": "string", "format": "date-time"},
                    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
            "Logs": {
                "type": "object",
                "required": ["logs", "n"],
                "additionalProperties": False,
                "properties": {
                    "logs": {"type": "array", "items": {"$ref": "#/components/schemas/Log"}},
                    "n": {"type": "integer", "minimum": 0, "maximum": 100},
                },
            },
            "Log": {
                "type": "object",
                "required": [
                    *("id", "method", "path", "endpoint", "status_code", "response_time_ms"),
                    *("timestamp", "expiration", "cost", "balance"),
                ],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string"},
                    "method": {"type": "string"},
                    "path": {"type": "string", "description": "With its query."},
                    "endpoint": {"type": "string", "enum": _CATEGORIES.split()},
                    "status_code": {"type": "integer"},
                    "response_time_ms": {"type": "integer", "minimum": 0},
                    "error": {"type": "string", "description": "Left out on success."},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "expiration": {"type": "string", "format": "date-time"},
                    "cost": {"type": "integer", "minimum": 0},
                    "balance": {"type": "integer", "minimum": 0},
                },
            },
            "Settings": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "low_balance_threshold": {"type": "integer", "minimum": 0, "description": "0 is off."},
                    "low_balance_email": {"type": "string", "description": "An empty one is cleared."},
                    "low_balance_webhook": {
                        "type": "object",
                        "required": ["url"],
                        "additionalProperties": False,
                        "properties": {
                            "url": {"type": "string", "pattern": "^https://"},
                            "headers": {
                                "type": "object",
                                "additionalProperties": {"type": "string"},
                            },
                            "format": {"type": "string", "enum": list(FORMATS)},
                            "template": {
                                "type": "object",
                                "description": "For `custom`: {{wallet}}, {{threshold}}, {{token_hash}}.",
                            },
                            "options": {"type": "object"},
                        },
                    },
                },
            },
        },
    },
}
