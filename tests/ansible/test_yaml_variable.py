# SPDX-License-Identifier: BSD-2-Clause
"""One variable in a YAML text changes; every other byte stays, or the text is refused."""

from __future__ import annotations

import pytest
import yaml

from plugins.plugin_utils.yaml_variable import Variable, YamlFormError, edit
from plugins.plugin_utils.yaml_variable import find as find_all

VAULTED = "!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          6162"
OLD = "!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          0000\n          1111"
AROUND = f"""\
---
# A comment at the top
first:   'quoted'   # behind a value

%s# A comment in between
other: {OLD}

list:
  - "{{{{ jinja }}}}"
  - {{a: b}}
text: |+
  kept

# The end
"""


def put(text: str, name: str, value: str) -> str:
    return edit(text, {name: value})


def drop(text: str, name: str) -> str:
    return edit(text, {name: None})


def find(text: str, name: str) -> Variable | None:
    return find_all(text, [name]).get(name)


def test_several_at_once() -> None:
    before = AROUND % f"a: {OLD}\nb: {OLD}\nc: {OLD}\n"
    after = edit(before, {"c": VAULTED, "a": None, "d": VAULTED, "e": None})
    assert after == AROUND % f"b: {OLD}\nc: {VAULTED}\n" + f"d: {VAULTED}\n"


def test_a_variable_is_replaced_in_place() -> None:
    before = AROUND % f"token: {OLD}\n"
    assert put(before, "token", VAULTED) == AROUND % f"token: {VAULTED}\n"


def test_a_variable_is_added_at_the_end() -> None:
    before = AROUND % ""
    assert put(before, "token", VAULTED) == before + f"token: {VAULTED}\n"


def test_a_variable_is_removed_with_its_lines() -> None:
    assert drop(AROUND % f"token: {OLD}\n", "token") == AROUND % ""
    assert drop(AROUND % "token: one line  # and why\n", "token") == AROUND % ""
    assert drop(AROUND % "", "token") == AROUND % ""


@pytest.mark.parametrize("text", ["", "---\n", "# only a comment\n", "---\n# one\n\n"])
def test_an_empty_file(text: str) -> None:
    after = put(text, "token", VAULTED)
    assert after.startswith(text)
    found = find(after, "token")
    assert found is not None
    assert (found.tag, found.value) == ("!vault", "$ANSIBLE_VAULT;1.1;AES256\n6162\n")


def test_line_ends_stay() -> None:
    after = put("a: 1\r\nb: 2\r\n", "token", VAULTED)
    assert after.startswith("a: 1\r\nb: 2\r\ntoken: !vault |\r\n")
    assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize("text", ["a: 1", f"a: {OLD}", "a:\n  - 1"])
def test_a_last_line_without_an_end(text: str) -> None:
    assert put(text, "token", VAULTED) == f"{text}\ntoken: {VAULTED}\n"


@pytest.mark.parametrize(
    "text",
    [
        "- a list\n",
        "a scalar\n",
        "a: 1\n---\nb: 2\n",
        "a: [unclosed\n",
        "{a: 1}\n",
        "token: 1\ntoken: 2\n",
        "token: [1]\n",
        "token: {a: 1}\n",
        "  a: 1\n  b: 2\n",
        "a: 1\n...\n",
        "token: &x one\nb: *x\n",
        "a: |\n  no line feed at the end",
        "a: \x01\n",
    ],
)
def test_what_cannot_be_told_apart_is_refused(text: str) -> None:
    with pytest.raises(YamlFormError):
        put(text, "token", VAULTED)


def test_a_value_in_any_style_is_found() -> None:
    for value in ('"a\\tb"', "'a\tb'", '!vault "a\\tb"'):
        found = find(f"x: y\ntoken: {value}\n", "token")
        assert found is not None
        assert found.value == "a\tb"
    assert yaml.safe_load(put("token: 'x' # why\nb: 2\n", "token", '"y"')) == {"token": "y", "b": 2}
