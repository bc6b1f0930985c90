# SPDX-License-Identifier: BSD-2-Clause
"""The role echovalue_wallet: what it reports, and what it does not."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from tests.testkit.playbook import Ansible, Run, role
from tools.checkout import ROOT
from tools.emulator.client import Emulator

pytestmark = pytest.mark.slow

TEMPLATE = ROOT / "roles" / "echovalue_wallet" / "templates" / "metrics.prom.j2"
ADOPTED = "given-token-0123456789abcdef"


def guard(ansible: Ansible, variables: dict[str, Any], **play: Any) -> Run:
    return ansible.play(role(variables, "wallet"), also=("echovalue_wallet_result",), **play)


@pytest.fixture
def path(tmp_path: Path, emulator: Emulator) -> str:
    emulator.register(ADOPTED, wallet=9)
    (tmp_path / "token").write_text(ADOPTED + "\n")
    return str(tmp_path / "token")


@pytest.mark.essential
def test_enough_is_reported_for_free(ansible: Ansible, emulator: Emulator, path: str) -> None:
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 9})
    assert run["echovalue_wallet_result"]["enough"] is True
    assert run["echovalue_wallet_result"]["wallet"] == 9
    assert (emulator.stats()["total"], emulator.stats()["credits_spent"]) == (1, 0)


@pytest.mark.parametrize("action", ["fail", "warn"])
@pytest.mark.parametrize("links", ["hash", "token"])
def test_too_little_is_reported_with_a_link_without_a_token(
    ansible: Ansible, emulator: Emulator, path: str, action: str, links: str
) -> None:
    emulator.options(links=links)
    variables = {
        "echovalue_wallet_token": ADOPTED,
        "echovalue_wallet_minimum": 10,
        "echovalue_wallet_action": action,
        "echovalue_wallet_amount": 3,
    }
    run = guard(ansible, variables, fails=action == "fail", options=("-vvv",))
    assert "9 credits are left" in run.screen
    assert ("https://buy.stripe.com/" in run.screen) == (links == "hash")
    assert ("hand it to whoever pays as a secret" in run.screen) == (links == "token")
    assert not run.finds(ADOPTED)
    assert emulator.stats()["credits_spent"] == 0


HOOK = {"url": "https://hooks.example.com/SECRET", "format": "slack"}


def test_the_alert_is_declared(ansible: Ansible, emulator: Emulator, path: str) -> None:
    variables = {
        "echovalue_wallet_path": path,
        "echovalue_wallet_minimum": 1,
        "echovalue_wallet_alert_threshold": 5,
        "echovalue_wallet_alert_webhook": HOOK,
    }
    runs = (variables, variables, {**variables, "echovalue_wallet_alert_state": "absent"})
    run = ansible.play(
        *(role(each, "wallet") for each in runs), also=("echovalue_wallet_result",), options=("-vvv",)
    )
    assert run["echovalue_wallet_result"]["enough"] is True
    assert not run.finds("SECRET")
    assert emulator.stats()["requests"] == {
        "GET /recharge": 3,
        "GET /token/settings": 3,
        "PUT /token/settings": 2,  # none for the second
    }


def test_an_empty_wallet_is_reported_before_its_alert(
    ansible: Ansible, emulator: Emulator, path: str
) -> None:
    emulator.register(ADOPTED, wallet=0)
    variables = {"echovalue_wallet_path": path, "echovalue_wallet_alert_threshold": 5}
    run = guard(ansible, {**variables, "echovalue_wallet_minimum": 1}, fails=True)
    assert "0 credits are left" in run.screen
    assert "No alert can be declared" in run.screen
    assert "https://buy.stripe.com/" in run.screen
    run = guard(ansible, {**variables, "echovalue_wallet_minimum": 0}, fails=True)
    assert "echovalue.cloud.echovalue_recharge_link" in run.screen


@pytest.mark.parametrize(
    "token", [{"echovalue_wallet_path": "/does/not/exist"}, {"echovalue_wallet_token": None}]
)
def test_a_check_on_a_fresh_host(ansible: Ansible, emulator: Emulator, token: dict[str, Any]) -> None:
    variables = {**token, "echovalue_wallet_minimum": 1, "echovalue_wallet_alert_threshold": 5}
    guard(ansible, variables, options=("--check",))
    assert emulator.stats()["total"] == 0


def test_a_link_that_cannot_be_made_does_not_hide_the_balance(
    ansible: Ansible, emulator: Emulator, path: str
) -> None:
    emulator.fault("GET /recharge", "late", seconds=0)  # the balance is read by the same call
    emulator.fault("GET /recharge", "status", status=405)
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 10}, fails=True)
    assert "9 credits are left" in run.screen
    assert "could not be made now" in run.screen


def test_a_balance_that_is_not_reported_is_not_enough(
    ansible: Ansible, emulator: Emulator, path: str
) -> None:
    emulator.options(balance_headers=False)
    run = guard(ansible, {"echovalue_wallet_path": path, "echovalue_wallet_minimum": 1}, fails=True)
    assert "for 1 credit" in run.screen


GAUGES = ("echovalue_token_valid", "echovalue_wallet_credits", "echovalue_wallet_days_left")


def test_metrics(ansible: Ansible, emulator: Emulator, path: str, tmp_path: Path) -> None:
    file = tmp_path / "token.prom"
    variables = {"echovalue_wallet_path": path, "echovalue_wallet_textfile": str(file)}
    run = guard(ansible, variables, options=("--check",))
    assert not file.exists()
    run = guard(ansible, variables)
    result = run["echovalue_wallet_result"]
    assert (result["enough"], result["valid"], result["wallet"]) == (True, True, 9)
    label = f'{{hash="{result["hash"][:16]}"}}'
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    samples = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert samples == [f"echovalue_token_valid{label} 1", f"echovalue_wallet_credits{label} 9"]
    written = file.stat().st_mtime_ns
    guard(ansible, variables)
    assert file.stat().st_mtime_ns == written
    # A dead token is a metric, and no failure where the role only warns.
    emulator.forget(result["hash"])
    run = guard(ansible, variables)
    dead = run["echovalue_wallet_result"]
    assert (dead["valid"], dead["enough"]) == (False, False)
    assert f"echovalue_token_valid{label} 0\n" in file.read_text()
    assert "does not know the token with hash" in run.screen
    guarded = {**variables, "echovalue_wallet_minimum": 1}
    assert "does not know the token" in guard(ansible, guarded, fails=True).screen
    guard(ansible, {**guarded, "echovalue_wallet_action": "warn"})


def test_the_template_is_what_prometheus_reads(tmp_path: Path) -> None:
    template = Environment(trim_blocks=True).from_string(TEMPLATE.read_text())
    result = {"hash": "0" * 64, "valid": True, "wallet": 0, "days_left": 0.25}
    text = template.render(echovalue_wallet_result=result)
    assert [line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE")] == [
        [name, "gauge"] for name in GAUGES
    ]
    if promtool := shutil.which("promtool"):
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
        # It would have seconds, where people ask for days.
        assert done.stderr.splitlines() == [f'{GAUGES[2]} use base unit "seconds" instead of "days"']


def test_days(ansible: Ansible, emulator: Emulator) -> None:
    """Of a token without a past nothing can be said, so that is enough."""
    fresh = "token-without-a-past-0123456789abcdef"
    hash_ = emulator.register(fresh, wallet=9)
    variables = {"echovalue_wallet_token": fresh, "echovalue_wallet_minimum_days": 7}
    result = guard(ansible, variables)["echovalue_wallet_result"]
    assert (result["enough"], result["days_left"]) == (True, None)
    emulator.spend(hash_, hours=48, cost=9)
    run = guard(ansible, variables, fails=True)
    assert run["echovalue_wallet_result"]["days_left"] == 2.0
    assert "for 2.0 days at the present pace) and 0 for 7 days are asked for" in " ".join(run.screen.split())
    run = guard(ansible, {**variables, "echovalue_wallet_minimum_days": 1.5})
    assert run["echovalue_wallet_result"]["enough"] is True


def test_wrong_arguments_stop_the_role(ansible: Ansible, emulator: Emulator, path: str) -> None:
    here = {"echovalue_wallet_path": path}
    least = {"echovalue_wallet_minimum": 1}
    for variables, word in (
        (here, "echovalue_wallet_minimum"),
        (least, "Set either"),
        ({**least, **here, "echovalue_wallet_token": ADOPTED}, "Set either"),
        ({**least, **here, "echovalue_wallet_action": "ask"}, "warn"),
    ):
        assert word in guard(ansible, variables, fails=True).screen
    assert emulator.stats()["total"] == 0
