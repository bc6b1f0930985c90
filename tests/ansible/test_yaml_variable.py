# SPDX-License-Identifier: BSD-2-Clause
"""One variable in a YAML text changes, and all others load as before; or the text is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from plugins.plugin_utils.ansible_vault.yaml_edit import Document, Value, YamlFormError

pytestmark = pytest.mark.essential

CIPHERTEXT = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"
VAULTED = Value(CIPHERTEXT, "!vault")
PLAIN = Value("0123456789abcdef")
BLOCK = "!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          6162\n"
OLD = "!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          0000\n          1111\n"
CHANGES = {"vaulted": VAULTED, "plain": PLAIN, "removed": None}


def find(text: str, name: str = "token") -> Value | None:
    return Document(text).value(name)


def edit(text: str, values: dict[str, Value | None]) -> str:
    return Document(text).edited(values)


def loaded(text: str) -> Any:
    """Return what the installed Ansible loads, a vaulted value as its ciphertext."""
    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(b"password"))])

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {plain(key): plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        ciphertext = getattr(value, "_ciphertext", value)
        return ciphertext.decode() if isinstance(ciphertext, bytes) else ciphertext

    return plain(loader.load(text, "/file.yml"))


def check(text: str, value: Value | None) -> str:
    """Give `token` a value; make sure that it has that, and all others what they had; return the text."""
    before = loaded(text) or {}
    after = edit(text, {"token": value})
    now = loaded(after) or {}
    found = now.pop("token", None)
    before.pop("token", None)
    assert now == before
    assert (found or "").rstrip("\n") == ("" if value is None else value.text.rstrip("\n"))
    assert (find(after) is None) == (value is None)
    assert edit(after, {"token": None} if value is None else {}) == after
    return after


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


def test_several_at_once() -> None:
    before = AROUND % f"a: {OLD}b: {OLD}c: {OLD}"
    after = edit(before, {"c": VAULTED, "a": None, "d": VAULTED, "e": None})
    assert after == AROUND % f"b: {OLD}c: {BLOCK}" + f"d: {BLOCK}"


# The lines of a variable that is there, and what they become.
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"token: {OLD}", f"token: {BLOCK}"),
        ("token:\n", f"token: {BLOCK}"),
        ("token:   # fill me\n", f"token: !vault |   # fill me\n{BLOCK.partition('!vault |')[2][1:]}"),
        ("token: ~ \n", f"token: {BLOCK}"),
        ("token: null\n", f"token: {BLOCK}"),
        ("token: ''\n", f"token: {BLOCK}"),
        ('"token": &unused x\n', f'"token": {BLOCK}'),
        (
            "? token\n: x\n",
            f"? token\n: !vault |\n  {BLOCK.partition('!vault |')[2][1:]}".replace(
                "\n          6162", "\n            6162"
            ),
        ),
        ("token:\n  two\n  lines\n", f"token:\n  {BLOCK}"),
        (
            "token: !vault |-  # why\n    $ANSIBLE_VAULT;1.1;AES256\n    0000\n  # below\n",
            "token: !vault |  # why\n    $ANSIBLE_VAULT;1.1;AES256\n    6162\n  # below\n",
        ),
    ],
)
def test_a_variable_is_replaced_in_place(old: str, new: str) -> None:
    assert check(AROUND % old, VAULTED) == AROUND % new
    check(AROUND % old, PLAIN)
    assert check(AROUND % old, None) == AROUND % ""


def test_a_comment_below_stays_one() -> None:
    after = check("token:\n               # as deep as this\na: 1\n", VAULTED)
    assert "\n               # as deep as this\n" in after


def test_a_tag_stays() -> None:
    text = "token: !unsafe 'x'\n"
    assert find(text) == Value("x", "!unsafe")
    assert edit(text, {"token": Value("y", "!unsafe")}) == 'token: !unsafe "y"\n'
    assert check(
        f"token: {OLD}".replace("!vault", "!vault-encrypted"), Value(CIPHERTEXT, "!vault-encrypted")
    ) == (f"token: {BLOCK}".replace("!vault", "!vault-encrypted"))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", f"---\ntoken: {BLOCK}"),
        ("---\n", f"---\ntoken: {BLOCK}"),
        ("---", f"---\ntoken: {BLOCK}"),
        ("# only a comment\n", f"# only a comment\ntoken: {BLOCK}"),
        ("--- # one\n\n", f"--- # one\n\ntoken: {BLOCK}"),
        ("---\n...\n", f"---\ntoken: {BLOCK}...\n"),
        ("--- ~\n", f"---\ntoken: {BLOCK}"),
        ("{}", f"---\ntoken: {BLOCK}"),
        ("---\n{}  # none yet\n", f"---\n# none yet\ntoken: {BLOCK}"),
        ("--- {} # none yet\n", f"--- # none yet\ntoken: {BLOCK}"),
        (AROUND % "", AROUND % "" + f"token: {BLOCK}"),
        ("a: 1", f"a: 1\ntoken: {BLOCK}"),
        ("---\na: 1\n...\n", f"---\na: 1\ntoken: {BLOCK}...\n"),
        ("a: 1\n# b\n...  # c\n# d\n", f"a: 1\n# b\ntoken: {BLOCK}...  # c\n# d\n"),
        ("a: |\n  no line end", f"token: {BLOCK}a: |\n  no line end"),
        ("a: 1\nb:\n  - |\n    no line end", f"a: 1\ntoken: {BLOCK}b:\n  - |\n    no line end"),
        ("a: |+\n  kept\n\n", f"a: |+\n  kept\n\ntoken: {BLOCK}"),
        ("  a: 1\n  b: 2\n", "  a: 1\n  b: 2\n  token: " + BLOCK.replace("\n    ", "\n      ")),
        ("\ufeffa: 1\n", f"\ufeffa: 1\ntoken: {BLOCK}"),
        ("a: é\u2028# 😀\n", f"a: é\u2028# 😀\ntoken: {BLOCK}"),
        ("a: 1\r\n", f"a: 1\r\ntoken: {BLOCK}".replace("\n", "\r\n").replace("\r\r", "\r")),
        ("a: 1\ra: 2\r", f"a: 1\ra: 2\rtoken: {BLOCK}".replace("\n", "\r")),
        ('{"a": "\\/"}', '{"a": "\\/", "token": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\\n6162\\n"}}'),
        ("{a: 1}\n", '{a: 1, "token": !vault "$ANSIBLE_VAULT;1.1;AES256\\n6162\\n"}\n'),
        (
            '{\n  "a": 1e5\n}\n',
            '{\n  "a": 1e5,\n  "token": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\\n6162\\n"}\n}\n',
        ),
    ],
)
def test_a_variable_is_added(text: str, after: str) -> None:
    assert check(text, VAULTED) == after
    check(after, PLAIN)
    check(after, None)


def test_a_name_that_yaml_reads_as_something_else_is_quoted() -> None:
    assert edit("a: 1\nyes: 2\n", {"yes": PLAIN}) == 'a: 1\nyes: 2\n"yes": "0123456789abcdef"\n'


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (AROUND % f"token: {OLD}  # its own\n", AROUND % ""),
        ("---\ntoken: x\n", "---\n{}\n"),
        ("token: x\n", "{}\n"),
        ("token:\n  x\n# end", "{}\n# end"),
        ("a: 1\ntoken: x", "a: 1\n"),
        ("token: x\na: 1\ntoken: y\n", "a: 1\n"),
        ("a: |+\n  kept\ntoken: x\n\n# more\n", "a: |+\n  kept\n# more\n"),
        ("a: |\n  kept\ntoken: x\n    # its own\n\n  # too\nb: 1\n", "a: |\n  kept\nb: 1\n"),
        ("a: &x 1\ntoken: *x\n", "a: &x 1\n"),
        ("{token: x}", "{}"),
        ("{a: 1, token: x}", "{a: 1}"),
        ('{\n  "token": "x",\n  "b": 1\n}\n', '{\n  "b": 1\n}\n'),
        ("a: 1\n", "a: 1\n"),
        ("", ""),
    ],
)
def test_a_variable_is_removed(text: str, after: str) -> None:
    assert check(text, None) == after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a list\n", "it is no mapping of variables (line 1)"),
        ("\n\na scalar\n", "it is no mapping of variables (line 3)"),
        ("a: 1\n---\nb: 2\n", "another document (line 2)"),
        ("a: 1\nb: [unclosed\n", "(line 3)"),
        ("a: 1\r\nb:\r\n\t- 1\r\n", "(line 3)"),
        ("a: 1\nb: *nothing\n", "undefined alias (line 2)"),
        ("a: 1\ntoken: [1]\n", "the variable token is no single value (line 2)"),
        ("token: {a: 1}\n", "the variable token is no single value (line 1)"),
        ("token: &x one\na: 1\nb: [1, *x]\n", "*x refers to the variable token (line 3)"),
        ("é: 1\nb: \x01\n", "it has a control character (line 2)"),
        ("a: 1\n? token\n", "the variable token is a bare key, without a colon (line 2)"),
    ],
)
def test_what_is_ambiguous_is_refused_with_its_line(text: str, why: str) -> None:
    for value in CHANGES.values():
        with pytest.raises(YamlFormError) as caught:
            edit(text, {"token": value})
        assert why in str(caught.value)


def test_a_merged_variable_is_overridden_and_cannot_be_removed() -> None:
    text = "a: &a\n  token: x\n<<: *a\n"
    assert find(text) == Value("x")
    assert check(text, VAULTED) == text + f"token: {BLOCK}"
    with pytest.raises(YamlFormError, match=r"a merge \(<<\) brings the variable token in \(line 2\)"):
        edit(text, {"token": None})


def test_a_value_in_any_style_is_found() -> None:
    for value in ('"a\\tb"', "'a\tb'", "!unsafe 'a\tb'", "|-\n  a\tb", ">-\n  a\tb", "&x a\tb"):
        assert getattr(find(f"x: y\ntoken: {value}\n"), "text", None) == "a\tb"
    assert find("x: &x a\ntoken: *x\n") == Value("a")
    assert find("token: x\ntoken: y\n") == Value("y")
    assert find('{"token": {"__ansible_vault": "x"}}') == Value("x", "!vault")


def test_a_long_file() -> None:
    text = "---\n" + "".join(f"variable_{number}: {OLD}" for number in range(2000))
    assert check(text, VAULTED) == text + f"token: {BLOCK}"


BLOCKS = [
    f"{style}{sign}{comment}\n{deep}x\n{more}"
    for style in "|>"
    for sign in ("", "-", "+", "2", "2+")
    for comment in ("", "  # why")
    for deep, more in (("  ", ""), ("  ", "\n"), ("  ", "\n   y\n\n\n"), ("  ", " # less\n"))
]
VALUES = st.sampled_from(
    [
        *BLOCKS, "1\n", "\n", "x  # c\n", "'a\n\n  b'\n", '"a\\\n  b"  # c\n', "two\n  lines\n", "\n  - 1\n  -\n",
        "\n- 1\n- |+\n  x\n\n", "{a: 1,\n  b: 2}\n", "\n  b: |+\n    x\n\n", "&anchor x\n", "!unsafe x\n", "\n  # c\n  x\n",
    ]
)  # fmt: skip
OWN = st.sampled_from(
    [
        *BLOCKS, OLD + "\n", "\n", "  # c\n", "~\n", "''\n", "x\n", "'x' # c\n", "\n  x\n", "!!str x\n", "a\n  b\n", "&y x\n",
    ]
)  # fmt: skip
KEYS = st.sampled_from(["token", "'token'", '"token"'])
GAPS = st.sampled_from(["", "", "\n", "# c\n", "\n\n# c\n", "   # c\n", "           # c\n\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A file as people write them, with or without the variable `token`."""
    head = draw(st.sampled_from(["", "---\n", "--- # c\n", "# c\n---\n", "%YAML 1.1\n---\n", "\ufeff"]))
    entries = [f"{name}: {draw(VALUES)}{draw(GAPS)}" for name in "abc"[: draw(st.integers(0, 3))]]
    if draw(st.booleans()):
        own = f"{draw(KEYS)}: {draw(OWN)}{draw(GAPS)}"
        entries.insert(draw(st.integers(0, len(entries))), own)
    body = "".join(entries)
    if draw(st.booleans()):
        body = "".join(f"  {line}" if line.strip() else line for line in body.splitlines(keepends=True))
    text = head + body + draw(st.sampled_from(["", "", "...\n", "...\n# c\n", "# c"]))
    return draw(st.sampled_from([text, text, text.rstrip("\n"), text.replace("\n", "\r\n")]))


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=texts())
def test_what_ansible_loads_is_edited(change: str, text: str) -> None:
    try:
        loaded(text)
    except AnsibleError:
        reject()
    check(text, CHANGES[change])


PIECES = [
    "token", ":", " ", "  ", "\n", "\r\n", "a", "- ", "# ", "|", ">", "+", "{", "}", "[", "]", '"', "'", ", ", "? ", "&x ",
    "*x", "<<: ", "!vault ", "!!str ", "~", "---", "...", "%YAML 1.1", "\t", "1e5", "é", "\x85",
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    head=st.sampled_from(["", "\ufeff", "a: 1\n", "token: x\n", "{token: x, "]),
    pieces=st.lists(st.sampled_from(PIECES), max_size=12),
)
def test_anything_is_edited_or_refused(change: str, head: str, pieces: list[str]) -> None:
    text = head + "".join(pieces)
    try:
        edit(text, {"token": CHANGES[change]})
        loaded(text)
    except (YamlFormError, AnsibleError):
        return
    check(text, CHANGES[change])
