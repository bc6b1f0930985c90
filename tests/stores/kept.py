# SPDX-License-Identifier: BSD-2-Clause
"""The three stores that are no file of the module's own: read, filled, broken and mended past the role."""

from __future__ import annotations

import base64
import json
import os
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol

from tests.engine import ensure
from tests.engine.servers import Kubernetes, OpenBao
from tests.stores.places import Variables


class Kept(Protocol):
    """A place for one test."""

    variables: Variables
    key: str  # under which the role keeps the token
    hint: str  # what the role says when the place cannot be written

    def content(self) -> dict[str, str]:
        """Return all that is there, decrypted; nothing when the place is not there."""

    def put(self, content: dict[str, str]) -> None:
        """Put other things there."""

    def refuse(self) -> None:
        """Let reads pass and writes fail from now on."""

    def accept(self) -> None:
        """Let writes pass again."""


class HashiVault:
    """A secret of OpenBao, and a login that may read and write it."""

    key = "token"
    hint = "may not write"

    def __init__(self, server: OpenBao) -> None:
        self._server = server
        self._name = f"app-{secrets.token_hex(4)}"
        self.accept()
        login = self._call("POST", "auth/token/create", {"policies": [self._name]})["auth"]["client_token"]
        self.variables = {
            "echovalue_token_store": "hashi_vault",
            "echovalue_token_hashi_vault_path": self._name,
            "echovalue_token_hashi_vault_connection": {"url": server.address, "token": login},
        }

    def content(self) -> dict[str, str]:
        answer = self._call("GET", f"secret/data/{self._name}")
        return answer["data"]["data"] or {} if answer.get("data") else {}

    def put(self, content: dict[str, str]) -> None:
        self._call("POST", f"secret/data/{self._name}", {"data": content})

    def delete(self) -> None:
        """Delete the newest version, and leave its metadata."""
        self._call("DELETE", f"secret/data/{self._name}")

    def refuse(self) -> None:
        self._may("read")

    def accept(self) -> None:
        self._may("read", "create", "update")

    def _may(self, *capabilities: str) -> None:
        rules = {
            f"secret/data/{self._name}": {"capabilities": capabilities},
            f"secret/metadata/{self._name}": {"capabilities": ["read"]},
        }
        self._call("PUT", f"sys/policies/acl/{self._name}", {"policy": json.dumps({"path": rules})})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._server.address}/v1/{path}"
        return _call(method, url, {"X-Vault-Token": self._server.token}, body)


class KubernetesSecret:
    """A Secret, and a service account that may read and write it."""

    key = "token"
    hint = "forbidden"

    def __init__(self, server: Kubernetes) -> None:
        self._server = server
        self._name = f"app-{secrets.token_hex(4)}"
        meta = {"metadata": {"name": self._name}}
        self._call("POST", "api/v1/namespaces/default/serviceaccounts", meta)
        account = f"api/v1/namespaces/default/serviceaccounts/{self._name}/token"
        login = self._call("POST", account, {"spec": {}})["status"]["token"]
        self._roles = "apis/rbac.authorization.k8s.io/v1/namespaces/default"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self._name}
        subjects = [{"kind": "ServiceAccount", "name": self._name, "namespace": "default"}]
        self._call("POST", f"{self._roles}/roles", {**meta, "rules": []})
        self._call("POST", f"{self._roles}/rolebindings", {**meta, "roleRef": role, "subjects": subjects})
        self.accept()
        self.variables = {
            "echovalue_token_store": "kubernetes",
            "echovalue_token_kubernetes_name": self._name,
            "echovalue_token_kubernetes_connection": {
                "host": server.url,
                "api_key": login,
                "ca_cert": str(server.ca),
            },
        }

    def content(self) -> dict[str, str]:
        data = self.whole().get("data") or {}
        return {key: base64.b64decode(value).decode("latin-1") for key, value in data.items()}

    def whole(self) -> Any:
        """Return the Secret as the server tells it."""
        return self._call("GET", f"api/v1/namespaces/default/secrets/{self._name}")

    def put(self, content: dict[str, str]) -> None:
        body = {
            "metadata": {"name": self._name, "labels": {"team": "core"}},
            "type": "example.com/mixed",
            "data": {
                key: base64.b64encode(value.encode("latin-1")).decode() for key, value in content.items()
            },
        }
        self._call("POST", "api/v1/namespaces/default/secrets", body)

    def refuse(self) -> None:
        self._may("get")

    def accept(self) -> None:
        self._may("get", "create", "patch")

    def _may(self, *verbs: str) -> None:
        rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}]
        self._call(
            "PUT", f"{self._roles}/roles/{self._name}", {"metadata": {"name": self._name}, "rules": rules}
        )

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._server.token}"}
        return _call(method, f"{self._server.url}/{path}", headers, body, self._server.ca)


class Sops:
    """A SOPS file in a folder of its own."""

    key = "echovalue_token"
    hint = "must be a directory that can be written to"

    def __init__(self, variables: Variables) -> None:
        self.path = Path(variables["echovalue_token_sops_file"])
        self.variables = {"echovalue_token_store": "sops", **variables}
        self._programs = ensure("sops")

    def content(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        return json.loads(self._sops("decrypt", "--output-type=json", str(self.path)))

    def put(self, content: dict[str, str]) -> None:
        plain = "# kept\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items())
        self.path.write_text(
            self._sops("encrypt", f"--filename-override={self.path.name}", "/dev/stdin", text=plain)
        )

    def refuse(self) -> None:
        self.path.parent.rename(f"{self.path.parent}.away")

    def accept(self) -> None:
        Path(f"{self.path.parent}.away").rename(self.path.parent)

    def _sops(self, *arguments: str, text: str = "") -> str:
        return subprocess.run(
            [self._programs / "sops", *arguments],
            cwd=self.path.parent,
            env={**os.environ, "SOPS_AGE_KEY_FILE": str(self.path.parent / "age-key")},
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


def _call(method: str, url: str, headers: dict[str, str], body: Any = None, ca: Path | None = None) -> Any:
    """Return the JSON of an answer; what is missing is empty."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers, method=method)
    context = ssl.create_default_context(cafile=ca) if ca else None
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        if method == "GET" and error.code == 404:
            return {}
        raise
