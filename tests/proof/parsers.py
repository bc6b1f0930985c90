# SPDX-License-Identifier: BSD-2-Clause
"""Bad input for everything that reads: it is refused by an error of the product's own, or read aright."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import EchoValueError, StoreError
from plugins.module_utils.core.messages import Answer
from plugins.module_utils.core.models import read_token, token_hash
from plugins.module_utils.core.service_url import ServiceUrl
from plugins.module_utils.token_file import TokenFile
from tests.proof import subject
from tests.proof.report import Report

TOKEN = "0123456789abcdef0123456789abcdef"
_CASES = {False: 20_000, True: 200}  # for each parser, in the long and in the short form
_SLOW = 10  # parsers that need a file or a program get so many times fewer

_bytes = st.binary(max_size=600) | st.text(max_size=200).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
_near_token = st.builds(
    lambda before, after: f"{before}{TOKEN}{after}",
    st.text(max_size=3),
    st.sampled_from(("", "\n", "\r\n", "\n\n", " ", "\0")),
)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just(token_hash(TOKEN)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("wallet", "hash", "created", "x")) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=8,
)
_headers = st.dictionaries(
    st.sampled_from(("retry-after", "x-balance", "x-cost", "content-type", "location")),
    st.text(max_size=30) | st.integers().map(str),
    max_size=3,
)
_true_url = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(("http", "https", "HTTPS")),
    st.sampled_from(("localhost", "127.0.0.1", "[::1]", "api.echovalue.dev", "LOCALHOST", "a-b.example")),
    st.sampled_from(("", ":443", ":8080", ":0", ":65536")),
    st.sampled_from(("", "/", "/a/b", "/a%20b/", "?x=1")) | st.text(max_size=5),
)
_url = _true_url | st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            (
                "http",
                "https",
                "HTTP",
                ":",
                "//",
                "/",
                "@",
                "#",
                "?",
                "[",
                "]",
                "\\",
                ".",
                "%00",
                "127.0.0.1",
                "::1",
            )
        )
        | st.sampled_from(("localhost", "echovalue.dev", ":443", ":0", "\u3002", "\r\n", "\t", " ", "xn--"))
        | st.text(max_size=4),
        max_size=9,
    ),
)
_line = st.sampled_from(
    (
        "a",
        "app_token",
        '"app_token"',
        "- b",
        "? c",
        "&x",
        "*x",
        "<<",
        "!vault |",
        "!!binary x",
        "{a: b}",
        "|",
        ">-",
        "# no",
        "---",
        "...",
        "%YAML 1.1",
        "\t",
        "'",
        '"',
    )
)
_yaml = st.lists(
    st.builds(lambda indent, key, value: f"{' ' * indent}{key}: {value}", st.integers(0, 4), _line, _line)
    | _line
    | st.text(max_size=12),
    max_size=7,
).map("\n".join)


def _answer(status: int, headers: dict[str, str], body: bytes) -> EchoValueClient:
    return EchoValueClient(
        transport=lambda _request: Answer(status, headers, body), retries=0, sleep=lambda _seconds: None
    )


def service_url(text: str) -> None:
    """A base URL: what is accepted is accepted again, unchanged, and says where it leads."""
    url = ServiceUrl.parse(text)
    assert str(ServiceUrl.parse(str(url))) == str(url)
    assert url.scheme == "https" or url.loopback
    assert not set(str(url)) & set("@#?\\ \r\n\t")


def token_text(text: str) -> None:
    """A token: one line of visible characters, and the same wherever it is read."""
    token = read_token(text)
    assert token is None or (
        token.isprintable() and token.isascii() and " " not in token and text.startswith(token)
    )


def token_file(content: bytes) -> None:
    """A token file: a token, or an error that shows nothing of it."""
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name:
        path = Path(name, "token")
        path.write_bytes(content)
        try:
            token = TokenFile(str(path)).read()
        except StoreError as error:
            shown = content.decode("latin-1").strip()
            if len(shown) >= 10 and shown in str(error):
                raise AssertionError("the error shows the content") from None
            raise
        assert token is not None
        assert content.decode("latin-1").rstrip("\r\n") == token


def mint(given: tuple[int, dict[str, str], bytes]) -> None:
    """The answer to a mint."""
    assert read_token(_answer(*given).create_token())


def wallet(given: tuple[int, dict[str, str], Any]) -> None:
    """A wallet."""
    status, headers, data = given
    found = _answer(status, headers, json.dumps(data).encode()).get_wallet(TOKEN)
    assert type(found.wallet) is int
    assert found.hash == token_hash(TOKEN)


def link(given: tuple[int, dict[str, str], bytes]) -> None:
    """A recharge link."""
    found = _answer(*given).get_recharge_link(TOKEN)
    assert found.url.lower().startswith("https://")
    assert found.url.isprintable()


def yaml_variable(text: str) -> None:
    """A variable of a YAML file: a changed one is what Ansible then reads, and the rest as before."""
    document = subject.yaml_variable.Document(text)
    document.value("app_token")
    new = subject.yaml_variable.Value(TOKEN, subject.yaml_variable.STRING)
    edited = document.edited({"app_token": new})
    assert subject.yaml_variable.Document(edited).value("app_token") == new, "it reads otherwise"
    assert _others(edited) == _others(text), "other values changed"


def _others(text: str) -> dict[str, str] | None:
    """Return all values but the variable's, as they stand there; None where a key is no text."""
    try:
        data = yaml.load(text, yaml.CBaseLoader)
    except yaml.constructor.ConstructorError:
        return None
    return {key: repr(value) for key, value in (data or {}).items() if key != "app_token"}


_statuses = st.sampled_from((200, 200, 200, 401, 402, 500))
PARSERS: tuple[tuple[Callable[[Any], None], Any, bool], ...] = (
    (service_url, _url | st.text(max_size=40), False),
    (token_text, st.text(max_size=60) | _near_token, False),
    (token_file, _bytes | _near_token.map(lambda text: text.encode("utf-8", "replace")), True),
    (mint, st.tuples(_statuses, _headers, _bytes | _near_token.map(str.encode)), False),
    (wallet, st.tuples(_statuses, _headers, _json), False),
    (
        link,
        st.tuples(_statuses, _headers, _bytes | _url.map(lambda text: text.encode("utf-8", "replace"))),
        False,
    ),
    (yaml_variable, _yaml, True),
)


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Bad input")
    for parser, strategy, is_slow in PARSERS:
        counted = {"read": 0, "refused": 0}
        options = settings(
            max_examples=_CASES[short] // (_SLOW if is_slow and not short else 1),
            database=None,
            deadline=None,
            derandomize=short,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        try:
            options(given(strategy)(_noting(parser, counted)))()
        except Exception as error:  # noqa: BLE001 - each is a finding
            notes = " ".join(getattr(error, "__notes__", []))
            report.problems.append(f"{parser.__name__}: {type(error).__name__}: {error} {notes}"[:600])
        report.rows.append({"parser": parser.__name__, **counted})
    return report


def _noting(parser: Callable[[Any], None], counted: dict[str, int]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        try:
            parser(value)
            counted["read"] += 1
        except (EchoValueError, subject.yaml_variable.YamlFormError):
            counted["refused"] += 1

    return check
