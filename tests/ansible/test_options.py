# SPDX-License-Identifier: BSD-2-Clause
"""Options that make no sense are refused with a reason, and no request is sent; `make proof` tries many more."""

from __future__ import annotations

from typing import Any

from tests.testkit.playbook import Ansible, link, logs, wallet
from tools.emulator.client import Emulator

ADOPTED = "given-token-0123456789abcdef"
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "number": ("wallet_alert", {"token": ADOPTED, "webhook": 5}, "webhook must be a mapping"),
    "place": ("token", {"sops": False}, "sops must be a mapping"),
    "item": ("token", {"tokens": [5]}, "tokens must be a mapping"),
    "in_an_item": ("token", {"tokens": [{"command": 5}]}, "command must be a mapping"),
    "zero_byte": ("token", {"path": "/nowhere/a\0b"}, "path must not contain NUL"),
    "zero_byte_here": ("token", {"vault_file": "a\0b"}, "vault_file must not contain NUL"),
    "zero_byte_of_many": ("token", {"command": {"argv": ["true", "\0"]}}, "command.argv must not contain"),
    "surrogate": (
        "wallet_info",
        {"path": "/a{{ '%c' | format(0xd800) }}"},
        "path must not contain NUL bytes",
    ),
    "no_program": ("token", {"command": {"argv": [""]}}, "must say command.argv"),
    "no_program_to_ask": ("recharge_link", {"command": {"argv": ""}}, "must say command.argv"),
    "no_token": ("wallet_info", {"token": "short"}, "That is not a token"),
    "infinite": ("wallet_info", {"token": ADOPTED, "retries": "Infinity"}, "retries must be a whole number"),
    "for_ever": ("wallet_info", {"token": ADOPTED, "timeout": 1e20}, "timeout must be a number of seconds"),
    "command": ("token", {"command": {"argv": ["true"], "timeout": 1e300}}, "command.timeout must be"),
}


def test_what_makes_no_sense(ansible: Ansible, emulator: Emulator) -> None:
    run = ansible.play(
        *(
            {"register": name, "ignore_errors": True, f"echovalue.cloud.echovalue_{module}": options}
            for name, (module, options, _words) in WRONG.items()
        )
    )
    for name, (_module, _options, words) in WRONG.items():
        assert run[name]["failed"], name
        assert words in run[name]["msg"], name
        assert run[name]["reason"] == "invalid_input", name
    assert "Traceback" not in run.shown
    assert not run.finds(ADOPTED)
    assert emulator.stats()["total"] == 0


def test_a_line_feed_is_no_part_of_a_token(ansible: Ansible, emulator: Emulator) -> None:
    emulator.options(links="token")
    emulator.register(ADOPTED)
    asked = {"token": f"{ADOPTED}\n"}
    run = ansible.play(wallet("wallet", **asked), link("link", **asked), logs("logs", **asked))
    assert run["wallet"]["wallet"] == 99
    assert run["link"]["contains_token"], "so that it is a secret"
    assert not run.finds(ADOPTED)
