# SPDX-License-Identifier: BSD-2-Clause
"""The servers are real, keep what they are given, and end with the tests."""

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.testkit.servers import kubernetes_server, openbao_server, secrets_manager_server
from tools.engine import EngineError


def call(method, url, headers, body=None, ca=None):
    """The status and JSON of an answer, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **headers}, method=method
    )
    context = ssl.create_default_context(cafile=ca) if ca else None
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        answer = urllib.request.build_opener(*handlers).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else None


def ends_soon(address, patience=10):
    """Whether nothing listens there any more, within some seconds."""
    host, port = urllib.parse.urlsplit(address).netloc.split(":")
    end = time.monotonic() + patience
    while True:
        with socket.socket() as client:
            if client.connect_ex((host, int(port))):
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.05)


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory):
    with kubernetes_server(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture(scope="module")
def openbao(tmp_path_factory):
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


def test_kubernetes_keeps_a_secret(kubernetes):
    config = json.loads(kubernetes.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    headers = {"Authorization": f"Bearer {user['token']}"}
    secrets = f"{cluster['server']}/api/v1/namespaces/default/secrets"
    ca = cluster["certificate-authority"]
    body = {"metadata": {"name": "word"}, "stringData": {"word": "hidden"}}
    assert call("POST", secrets, headers, body, ca)[0] == 201
    status, read = call("GET", f"{secrets}/word", headers, ca=ca)
    assert (status, base64.b64decode(read["data"]["word"])) == (200, b"hidden")
    assert call("POST", secrets, headers, body, ca)[0] == 409


def test_kubernetes_asks_who_it_is_and_what_it_may(kubernetes):
    secrets = f"{kubernetes.url}/api/v1/namespaces/default/secrets"
    assert call("GET", secrets, {"Authorization": "Bearer wrong"}, ca=kubernetes.ca)[0] == 401
    # A service account may nothing until a role says so.
    accounts = f"{kubernetes.url}/api/v1/namespaces/default/serviceaccounts"
    admin = {"Authorization": f"Bearer {kubernetes.token}"}
    assert call("POST", accounts, admin, {"metadata": {"name": "app"}}, kubernetes.ca)[0] == 201
    status, answer = call("POST", f"{accounts}/app/token", admin, {"spec": {}}, kubernetes.ca)
    assert status == 201
    account = {"Authorization": f"Bearer {answer['status']['token']}"}
    assert call("GET", secrets, account, ca=kubernetes.ca)[0] == 403


def test_openbao_keeps_versions_and_checks_them(openbao):
    headers = {"X-Vault-Token": openbao.token}
    url = f"{openbao.address}/v1/secret/data/app"
    first = {"options": {"cas": 0}, "data": {"word": "hidden"}}
    status, written = call("POST", url, headers, first)
    assert (status, written["data"]["version"]) == (200, 1)
    assert call("GET", url, headers)[1]["data"]["data"] == {"word": "hidden"}
    assert call("POST", url, headers, first)[0] == 400  # it is there already
    assert call("POST", url, headers, {"options": {"cas": 1}, "data": {"word": "new"}})[0] == 200
    assert call("GET", f"{url}?version=1", headers)[1]["data"]["data"] == {"word": "hidden"}
    assert call("GET", url, {"X-Vault-Token": "wrong"})[0] == 403


def test_openbao_takes_a_token(tmp_path):
    with openbao_server(tmp_path, "chosen") as server:
        assert call("GET", f"{server.address}/v1/secret/config", {"X-Vault-Token": "chosen"})[0] == 200
    assert ends_soon(server.address, patience=0)


def test_moto_keeps_secrets_by_account(tmp_path):
    with secrets_manager_server(tmp_path) as server:
        headers = {
            "X-Amz-Target": "secretsmanager.CreateSecret",
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20261125/eu-west-1/secretsmanager/aws4_request",
            "Content-Type": "application/x-amz-json-1.1",
        }
        body = {"Name": "app", "SecretString": "{}", "ClientRequestToken": "0" * 32}
        status, answer = call("POST", server.url, headers, body)
        assert status == 200
        assert ":123456789012:secret:app-" in answer["ARN"]
        assert call("POST", server.url, headers, body | {"ClientRequestToken": "1" * 32})[0] == 400


def test_a_server_that_ends_is_told_with_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.testkit.servers._free_ports", lambda count: [99999])
    with (
        pytest.raises(EngineError, match=r"(?s)bao ended .*Its last lines:\n.*99999"),
        openbao_server(tmp_path),
    ):
        pass


def test_a_server_ends_when_the_tests_are_killed(tmp_path):
    program = (
        "import pathlib, sys, time\n"
        "from tests.testkit.servers import openbao_server\n"
        "with openbao_server(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.address, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        address = parent.stdout.readline().strip()
        assert call("GET", f"{address}/v1/sys/health", {})[0] == 200
        os.kill(parent.pid, signal.SIGKILL)
    assert ends_soon(address)
