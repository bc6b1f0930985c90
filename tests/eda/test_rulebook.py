# SPDX-License-Identifier: BSD-2-Clause
"""The example of an alert, and the rulebook that the service's alert starts, by the real ansible-rulebook."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.testkit.hunt import hunt
from tests.testkit.playbook import Ansible, alert, finished, wait_until, wallet
from tools.checkout import ROOT
from tools.emulator.client import Emulator

EXAMPLE = ROOT / "docs" / "examples" / "alert"
TOKEN = "of-the-rulebook-0123456789"  # not the wallet's


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def example(ansible: Ansible, tmp_path: Path, port: int) -> Path:
    """The example, whose one host is this machine, and which notifies Event-Driven Ansible."""
    example = tmp_path / "example"
    shutil.copytree(EXAMPLE, example)
    inventory = example / "inventory"
    shutil.copy(example / "event-driven" / "webhook.yml", inventory / "group_vars" / "all" / "webhook.yml")
    local = f"{{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}"
    hosts = inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("app.example.com:", f"app.example.com: {local}"))
    variables = inventory / "group_vars" / "all" / "main.yml"
    variables.write_text(
        variables.read_text()
        .replace("/etc/myapp", str(tmp_path))
        .replace("wallet_minimum: 20", "wallet_minimum: 99")
        .replace("wallet_threshold: 1000", "wallet_threshold: 98")
    )
    ansible.environment["RULEBOOK_URL"] = f"https://127.0.0.1:{port}/"
    ansible.environment["RULEBOOK_TOKEN"] = TOKEN
    return example


@contextmanager
def rulebook(ansible: Ansible, example: Path, port: int, authority: trustme.CA) -> Iterator[Path]:
    """Run the rulebook until it listens; yield the file that gets what it prints."""
    certificate, key = example / "certificate.pem", example / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    variables = example / "event-driven" / "variables.yml"
    variables.write_text(
        variables.read_text()
        .replace("/srv/wallet", str(example))
        .replace("port: 5000", f"port: {port}")
        .replace("/etc/ssl/eda.example.com.pem", str(certificate))
        .replace("/etc/ssl/private/eda.example.com.key", str(key))
        + "low_balance_host: 127.0.0.1\n"
    )
    output = example / "output"
    bin_directory = Path(sys.executable).parent
    with output.open("w") as file:
        process = subprocess.Popen(
            [
                bin_directory / "ansible-rulebook",
                *("--rulebook", "echovalue.cloud.low_balance", "--inventory", example / "inventory"),
                *("--vars", variables, "--env-vars", "RULEBOOK_TOKEN", "-v"),
            ],
            env={**ansible.environment, "PATH": f"{bin_directory}{os.pathsep}{ansible.environment['PATH']}"},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def listens() -> bool:
        assert process.poll() is None, output.read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, 120)
        yield output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_an_alert_runs_the_playbook(
    ansible: Ansible, emulator: Emulator, example: Path, port: int, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    emulator.options(webhook_ca=str(tmp_path / "ca.pem"))
    (screen,) = finished(ansible.start(example / "wallet.yml", "-i", str(example / "inventory")))
    with rulebook(ansible, example, port, authority) as output:
        ansible.play(wallet(path=str(tmp_path / "echovalue.token")))  # takes the balance under the threshold
        wait_until(lambda: "PLAY RECAP" in output.read_text(), 120)
        shown = output.read_text()
    assert "97 credits are left" in shown
    assert "https://buy.stripe.com/" in shown
    assert [reported["status"] for reported in emulator.alerts()] == [200]
    secrets = (TOKEN, (tmp_path / "echovalue.token").read_text().strip())
    assert not hunt(secrets, {"the rulebook's output": shown, "the screen": screen})


def test_the_example_notifies_slack(
    ansible: Ansible, emulator: Emulator, example: Path, tmp_path: Path
) -> None:
    shutil.copy(
        EXAMPLE / "inventory/group_vars/all/webhook.yml", example / "inventory/group_vars/all/webhook.yml"
    )
    ansible.environment["SLACK_WEBHOOK_URL"] = "https://hooks.slack.com/services/SECRET"
    for changed in (2, 0):
        (screen,) = finished(ansible.start(example / "wallet.yml", "-i", str(example / "inventory"), "-vv"))
        assert f"changed={changed} " in screen
        assert not hunt(["SECRET"], {"the screen": screen})
    run = ansible.play(alert(path=str(tmp_path / "echovalue.token"), threshold=98))
    assert (run["result"]["changed"], run["result"]["webhook_host"]) == (False, "hooks.slack.com")
