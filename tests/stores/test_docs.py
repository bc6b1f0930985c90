# SPDX-License-Identifier: BSD-2-Clause
"""What docs/stores.md shows is so: its program, its tasks, and its new place, against a real etcd."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from tests.stores.conftest import Controller
from tests.testkit.playbook import token
from tests.testkit.servers import etcd_server
from tools.checkout import ROOT
from tools.emulator.client import Emulator

PAGE = (ROOT / "docs" / "stores.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the page's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_program_is_the_one_to_copy() -> None:
    assert blocks("sh") == [(ROOT / "docs" / "examples" / "pass" / "echovalue-pass").read_text()]


def test_the_options_and_variables_exist(ansible: Controller) -> None:
    spec = yaml.safe_load((ROOT / "roles/echovalue_token/meta/argument_specs.yml").read_text())
    known = spec["argument_specs"]["main"]["options"]
    shown = [yaml.safe_load(block) for block in blocks("yaml")]
    variables = [
        name for one in shown if isinstance(one, dict) for name in one if name.startswith("echovalue_token_")
    ]
    assert len(variables) > 10
    assert [name for name in variables if name not in known] == []
    tasks = [
        one["echovalue.cloud.echovalue_token"] for one in shown if "echovalue.cloud.echovalue_token" in one
    ]
    assert len(tasks) == 9
    # An option that is not known fails before all else.
    run = ansible.play(*(token(f"case{n}", ignore_errors=True, **task) for n, task in enumerate(tasks)))
    for result in run.registered.values():
        assert (result["failed"], result["reason"]) == (True, "store"), result


def insert(file: Path, *lines: tuple[str, str]) -> None:
    """Put lines before those that start so."""
    text = file.read_text()
    for before, line in lines:
        text, count = re.subn(
            rf"^(?={re.escape(before)})", line.replace("\\", r"\\"), text, flags=re.MULTILINE
        )
        assert count == 1
    file.write_text(text)


def test_the_new_place(ansible: Controller, emulator: Emulator, tmp_path: Path) -> None:
    collection = tmp_path / "collections" / "ansible_collections" / "echovalue" / "cloud"
    shutil.copytree(ROOT / "plugins", collection / "plugins")
    shutil.copytree(ROOT / "meta", collection / "meta")
    shutil.copy(ROOT / "galaxy.yml", collection)
    definition, connection, driver, opener = blocks("python")
    plugins = collection / "plugins"
    (plugins / "module_utils/places/etcd.py").write_text(definition)
    (plugins / "plugin_utils/connections/etcd.py").write_text(connection)
    (plugins / "plugin_utils/places/etcd.py").write_text(driver)
    insert(
        plugins / "module_utils/places/registry.py",
        ("from .hashi_vault", "from .etcd import ETCD\n"),
        ("        COMMAND,", "        ETCD,\n"),
    )
    insert(
        plugins / "plugin_utils/connections/registry.py",
        ("OPENERS:", f"{opener}\n\n"),
        ('    "command":', '    "etcd": _etcd,\n'),
    )
    ansible.environment["ANSIBLE_COLLECTIONS_PATH"] = str(tmp_path / "collections")
    (tmp_path / "etcd").mkdir()
    with etcd_server(tmp_path / "etcd") as url:
        place = {"etcd": {"key": "apps/shop", "connection": {"url": url}}}
        run = ansible.play(
            {**token("check", **place), "check_mode": True},
            token("first", **place),
            token("again", **place),
            token("rotated", regenerate="always", **place),
            token("absent", state="absent", **place),
            token("many", tokens=[{"etcd": {**place["etcd"], "key": key}} for key in ("a", "b")]),
            token(
                "unreachable",
                ignore_errors=True,
                etcd={"key": "x", "connection": {"url": "http://127.0.0.1:1"}},
            ),
        )
    statuses = [run[name]["status"] for name in ("check", "first", "again", "rotated", "absent")]
    assert statuses == ["minted", "minted", "kept", "replaced", "removed"]
    assert {entry["status"] for entry in run["many"]["tokens"]} == {"minted"}
    assert run["unreachable"]["reason"] == "store"
    assert emulator.stats()["mints"] == 4
    assert ansible.pending == []
