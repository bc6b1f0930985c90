# SPDX-License-Identifier: BSD-2-Clause
"""The service's calls as an OpenAPI 3.0.3 document: what the contract tests hold the server to."""

from __future__ import annotations

from typing import Any


def _text(description: str, **schema: Any) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"text/plain": {"schema": {"type": "string", **schema}}},
    }


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": description, "content": {"application/json": content}}


def _integer_query(name: str, default: int, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "integer", "default": default, **schema},
    }


_BAD_REQUEST = _text("A parameter is missing or wrong.", enum=["Bad Request"])
_UNAUTHORIZED = _text("`x-token` is missing, shorter than 10 characters, or unknown.", enum=["Unauthorized"])
_INSUFFICIENT = _text("The wallet is empty; the token is valid.", enum=["Insufficient credits"])
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
                "parameters": [_integer_query("amount", 1, "Million operations.", enum=[1, 3])],
                "responses": {
                    "200": _text("The link.", pattern="^https://buy.stripe.com/"),
                    "400": _BAD_REQUEST,
                    "401": _UNAUTHORIZED,
                },
            }
        },
        "/token/logs": {
            "get": {
                **_WITH_TOKEN,
                "summary": "List the newest requests made with the token. Free.",
                "parameters": [_integer_query("n", 5, "How many at most.", minimum=1, maximum=100)],
                "responses": {
                    "200": _json("The requests, newest first.", "Logs"),
                    "400": _BAD_REQUEST,
                    "401": _UNAUTHORIZED,
                },
            }
        },
        "/token/settings": {
            "get": {
                **_WITH_TOKEN,
                "summary": "Read the low-balance alerts. Costs 1 credit.",
                "responses": {
                    "200": _json("The settings.", "Settings"),
                    "401": _UNAUTHORIZED,
                    "402": _INSUFFICIENT,
                },
            },
            "put": {
                **_WITH_TOKEN,
                "summary": "Replace the low-balance alerts. Costs 1 credit, also when refused.",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Settings"}}},
                },
                "responses": {
                    "200": _json("The new settings.", "Settings"),
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
                "required": ["id", "method", "path", "status_code", "timestamp", "cost"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "integer"},
                    "method": {"type": "string"},
                    "path": {"type": "string"},
                    "endpoint": {"type": "string"},
                    "status_code": {"type": "integer"},
                    "response_time_ms": {"type": "number"},
                    "error": {"type": "string", "nullable": True},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "expiration": {"type": "string", "format": "date-time"},
                    "cost": {"type": "integer", "minimum": 0},
                    "balance": {"type": "integer", "minimum": 0, "nullable": True},
                },
            },
            "Settings": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "low_balance_threshold": {"type": "integer", "minimum": 0},
                    "low_balance_email": {"type": "string", "pattern": "@"},
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
                            "format": {"type": "string"},
                            "template": {"type": "string"},
                            "options": {"type": "object"},
                        },
                    },
                },
            },
        },
    },
}
