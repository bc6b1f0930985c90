# SPDX-License-Identifier: BSD-2-Clause
"""echovalue_logs_info: what the service has written down of a token's calls."""

from __future__ import annotations

from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.testkit.playbook import Ansible, alert, checked, logs
from tools.emulator.client import Emulator

ADOPTED = "token-of-the-logs-0123456789abcdef"


@pytest.mark.essential
def test_logs(ansible: Ansible, emulator: Emulator, tmp_path: Path) -> None:
    emulator.forget(emulator.register(ADOPTED))  # and its former calls
    emulator.register(ADOPTED)
    path = str(tmp_path / "token")
    Path(path).write_text(ADOPTED)
    for asked in ("token", "recharge?amount=3"):
        urlopen(Request(f"{emulator.url}/{asked}", headers={"x-token": ADOPTED})).close()
    run = ansible.play(
        alert("alert", path=path, threshold=5),
        logs("all", path=path, n=4),
        logs("settings", token=ADOPTED, type="settings"),
        logs("nothing", path=path, type="of-no-kind"),
        checked(logs("checked", path=path, n=1)),
        logs("dead", token="dead-token-0123456789", ignore_errors=True),
        checked(logs("fresh", path=path + "-to-come")),
    )
    paths = [entry["path"] for entry in run["all"]["logs"]]
    assert paths == ["/token/settings", "/token/settings", "/recharge?amount=3", "/token"]
    newest = run["all"]["logs"][0]
    assert (newest["method"], newest["endpoint"], newest["status_code"]) == ("PUT", "settings", 200)
    assert isinstance(newest["id"], str)
    assert "error" not in newest
    assert (run["all"]["changed"], run["all"]["spent"]) == (False, 3)
    assert (len(run["settings"]["logs"]), run["settings"]["spent"]) == (2, 2)
    assert (run["nothing"]["logs"], run["nothing"]["spent"]) == ([], 0)
    assert run["checked"]["logs"][0]["path"].startswith("/token/logs?n=5&type=of-no-kind")
    assert run["dead"]["reason"] == "unauthorized"
    assert (run["fresh"]["logs"], run["fresh"]["spent"]) == (None, None)
    assert emulator.stats()["credits_spent"] == 3  # none for a log
