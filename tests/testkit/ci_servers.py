# SPDX-License-Identifier: BSD-2-Clause
"""Servers of ours for what GitHub and GitLab have of CI secrets, by their public OpenAPI documents.

with github_server() as github:
    github.opened("acme/shop", "ECHOVALUE_TOKEN")  # what was sealed for it
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import nacl.encoding
import nacl.exceptions
import nacl.public

from tests.testkit.web_server import Handler

Answer = tuple[int, Any]  # a status, and what is sent as JSON; None sends nothing
_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", re.ASCII)
_FLAGS = {**dict.fromkeys(("masked", "protected", "raw", "hidden"), False), "variable_type": "env_var"}
_MASKABLE = re.compile(r"[A-Za-z0-9+/=@:.~_-]{8,}", re.ASCII)


class CiServer(ThreadingHTTPServer):
    """Notes each request in `requests`; `see` is called first, and False refuses it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[str] = []
        self.see: Callable[[str, str], object] = lambda _method, _path: None
        self.guard = threading.RLock()

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: Any) -> Answer:
        raise NotImplementedError


class _Handler(Handler):
    server: CiServer

    def answer(self, content: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.server.requests.append(f"{self.command} {parts.path}")
        try:
            body = json.loads(content) if content else None
            if self.server.see(self.command, parts.path) is False:
                status, data = 500, {"message": "Server Error"}
            else:
                with self.server.guard:
                    status, data = self.server.answer(self.command, parts.path, query, self.headers, body)
        except ValueError:
            status, data = 400, {"message": "Problems parsing JSON"}
        if data is None:
            return status, [], b""
        return status, [("Content-Type", "application/json")], json.dumps(data).encode()


class Github(CiServer):
    """Actions secrets and variables of repositories and environments, which are there once they are asked for.

    `tokens` maps each to its rights, `secrets` and `variables`. `moves_time` False lets a write of an equal
    value leave the time of a secret as it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = f"github_pat_{secrets.token_hex(8)}"
        self.job_token = f"ghs_{secrets.token_hex(8)}"
        self.tokens = {self.token: {"secrets", "variables"}, self.job_token: {"contents"}}
        self.repositories = {"acme/shop"}
        self.environments = {"production"}
        self.moves_time = True
        self.secrets: dict[tuple[str, str], dict[str, str]] = {}
        self.variables: dict[tuple[str, str], str] = {}
        self._key = nacl.public.PrivateKey.generate()
        self._key_id = secrets.token_hex(8)
        self._ticks = int(time.time())

    def opened(self, where: str, name: str = "ECHOVALUE_TOKEN") -> str | None:
        """Return what a secret holds, opened; `where` is OWNER/NAME, with /ENVIRONMENT behind it."""
        return self.secrets.get((where, name), {}).get("value")

    def change_by_hand(self, where: str, value: str, name: str = "ECHOVALUE_TOKEN") -> None:
        """Set a secret as by the site: the variable beside it stays."""
        with self.guard:
            self.secrets[where, name] = {"value": value, "updated_at": self._now()}

    def _now(self) -> str:
        """Return the time; it has only seconds, so a later change never has an earlier one's."""
        self._ticks = max(self._ticks + 1, int(time.time()))
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._ticks))

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: Any) -> Answer:
        rights = self.tokens.get((headers.get("Authorization") or "").rpartition(" ")[2])
        if rights is None:
            return 401, {"message": "Bad credentials"}
        found = re.fullmatch(
            r"/repos/([^/]+/[^/]+)/(?:actions|environments/([^/]+))/(secrets|variables)(?:/([^/]+))?", path
        )
        repository, environment, kind, name = found.groups() if found else (None, None, "", None)
        if repository not in self.repositories or (
            environment and unquote(environment) not in self.environments
        ):
            return 404, {"message": "Not Found"}
        if kind not in rights:
            return 403, {"message": "Resource not accessible by integration"}
        where = f"{repository}/{unquote(environment)}" if environment else str(repository)
        if kind == "secrets":
            return self._secret(method, where, str(name), body)
        return self._variable(method, where, name and name.upper(), body)

    def _secret(self, method: str, where: str, name: str, body: Any) -> Answer:
        if (method, name) == ("GET", "public-key"):
            key = self._key.public_key.encode(nacl.encoding.Base64Encoder).decode()
            return 200, {"key_id": self._key_id, "key": key}
        name = name.upper()
        known = self.secrets.get((where, name))
        if method == "PUT":
            return self._put_secret(where, name, body)
        if known is None:
            return 404, {"message": "Not Found"}
        if method == "DELETE":
            del self.secrets[where, name]
            return 204, None
        if method != "GET":
            return 404, {"message": "Not Found"}
        return 200, {"name": name, "created_at": known["updated_at"], "updated_at": known["updated_at"]}

    def _put_secret(self, where: str, name: str, body: Any) -> Answer:
        if not _NAME.fullmatch(name) or not isinstance(body, dict) or body.get("key_id") != self._key_id:
            return 422, {"message": "Invalid request"}
        try:
            value = nacl.public.SealedBox(self._key).decrypt(b64decode(body["encrypted_value"])).decode()
        except (KeyError, TypeError, ValueError, nacl.exceptions.CryptoError):
            return 422, {"message": "Bad Request - the sealed box cannot be opened"}
        known = self.secrets.get((where, name))
        moved = self.moves_time or known is None or known["value"] != value
        updated_at = self._now() if moved or known is None else known["updated_at"]
        self.secrets[where, name] = {"value": value, "updated_at": updated_at}
        return (201, {}) if known is None else (204, None)

    def _variable(self, method: str, where: str, name: str | None, body: Any) -> Answer:
        if method == "POST" and name is None:
            name = str((body or {}).get("name", "")).upper()
            if not _NAME.fullmatch(name) or not isinstance(body.get("value"), str):
                return 422, {"message": "Invalid request"}
            if (where, name) in self.variables:
                return 409, {"message": "Already exists - Variable already exists"}
            self.variables[where, name] = body["value"]
            return 201, {}
        if name is None or (where, name) not in self.variables:
            return 404, {"message": "Not Found"}
        if method == "PATCH":
            self.variables[where, name] = str((body or {})["value"])
            return 204, None
        if method == "DELETE":
            del self.variables[where, name]
            return 204, None
        times = dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z")
        return 200, {"name": name, "value": self.variables[where, name], **times}


class Gitlab(CiServer):
    """CI/CD variables of projects and groups; `tokens` maps each to its scope, `api` or `read_api`."""

    def __init__(self) -> None:
        super().__init__()
        self.token = f"glpat-{secrets.token_hex(8)}"
        self.read_token = f"glpat-{secrets.token_hex(8)}"
        self.tokens = {self.token: "api", self.read_token: "read_api"}
        self.owners = {("projects", "acme/shop"), ("projects", "42"), ("groups", "acme")}
        self.variables: dict[tuple[str, str, str, str], dict[str, Any]] = {}  # owner, key and scope

    def value(
        self, key: str = "ECHOVALUE_TOKEN", scope: str = "*", kind: str = "projects", owner: str = "acme/shop"
    ) -> Any:
        """Return the value of a variable."""
        return self.variables.get((kind, owner, key, scope), {}).get("value")

    def put(self, value: str | None, key: str = "ECHOVALUE_TOKEN", scope: str = "*", **fields: Any) -> None:
        """Set a variable of the project as by the site."""
        variable = {"key": key, "value": value, "environment_scope": scope, "description": "of others"}
        self.variables["projects", "acme/shop", key, scope] = {**_FLAGS, **variable, **fields}

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: Any) -> Answer:
        token = headers.get("PRIVATE-TOKEN") or (headers.get("Authorization") or "").rpartition(" ")[2]
        right = self.tokens.get(token)
        if right is None:
            return 401, {"message": "401 Unauthorized"}
        found = re.fullmatch(r"/api/v4/(projects|groups)/([^/]+)/variables(?:/([^/]+))?", path)
        if found is None:
            return 404, {"error": "404 Not Found"}
        kind, owner, key = found[1], unquote(found[2]), found[3] and unquote(found[3])
        if (kind, owner) not in self.owners:
            return 404, {"message": f"404 {kind[:-1].capitalize()} Not Found"}
        if right != "api" and method != "GET":
            return 403, {"error": "insufficient_scope"}
        return self._variable(method, (kind, owner), key, query.get("filter[environment_scope]"), body or {})

    def _variable(
        self, method: str, owner: tuple[str, str], key: str | None, scope: str | None, body: Any
    ) -> Answer:
        if method == "POST" and key is None:
            return self._create(owner, body)
        known = [one for one in self.variables if one[:3] == (*owner, key) and scope in (None, one[3])]
        if not known:
            return 404, {"message": "404 Variable Not Found"}
        if len(known) > 1:
            return 409, {"message": "There are multiple variables with provided parameters"}
        variable = self.variables[known[0]]
        if method == "DELETE":
            del self.variables[known[0]]
            return 204, None
        if method == "PUT":
            changed = {**variable, **{name: value for name, value in body.items() if name in variable}}
            if changed["masked"] and not _MASKABLE.fullmatch(str(changed["value"])):
                return 400, {"message": {"value": ["is invalid"]}}
            self.variables[known[0]] = changed
            return 200, changed
        return 200, {**variable, "value": None} if variable["hidden"] else variable

    def _create(self, owner: tuple[str, str], body: Any) -> Answer:
        key, value, scope = body.get("key"), body.get("value"), body.get("environment_scope", "*")
        if not isinstance(key, str) or not isinstance(value, str) or not re.fullmatch(r"\w{1,255}", key):
            return 400, {"error": "key is missing, value is missing"}
        if (*owner, key, scope) in self.variables:
            return 400, {"message": {"key": [f"({key}) has already been taken"]}}
        if body.get("masked") and not _MASKABLE.fullmatch(value):
            return 400, {"message": {"value": ["is invalid"]}}
        known = {**_FLAGS, "description": None, "environment_scope": scope}
        self.variables[(*owner, key, scope)] = {
            **known,
            **{n: v for n, v in body.items() if n in known},
            "key": key,
            "value": value,
        }
        return 201, self.variables[(*owner, key, scope)]
