# SPDX-License-Identifier: BSD-2-Clause
"""Bad input for everything that reads: it is refused by an error of the product's own, or read aright.

In the long form the cases are guided by the coverage that they reach: atheris runs each parser in a
process of its own, and hypothesis makes a case of its bytes.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any
from unittest import mock

import yaml
from hypothesis import given
from hypothesis import strategies as st

from plugins.module_utils.core.client import EchoValueClient
from plugins.module_utils.core.errors import EchoValueError, StoreError
from plugins.module_utils.core.messages import Response
from plugins.module_utils.core.models import read_token, token_hash
from plugins.module_utils.core.service_url import ServiceUrl
from plugins.module_utils.files.token_file import TokenFile
from tools.proof import cases, subject
from tools.proof.report import Report

_PLACES = "ansible_collections.echovalue.cloud.plugins.plugin_utils.places"
sops, sops_program, command = (
    import_module(f"{_PLACES}.{name}") for name in ("sops", "sops_program", "command")
)

TOKEN = "0123456789abcdef0123456789abcdef"
_CASES = {False: 11_000, True: 100}  # for each parser, in the long and in the short form
_ENOUGH = 4096  # bytes, of which hypothesis makes a case; behind those of atheris come zeros
_INSTRUMENTED = ("plugins.", "ansible_collections.echovalue.cloud.")

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
_PIECES = r"http https HTTP : // / @ # ? [ ] \ . %00 127.0.0.1 ::1"
_url = _true_url | st.builds(
    "".join,
    st.lists(
        st.sampled_from(_PIECES.split())
        | st.sampled_from(("localhost", "echovalue.dev", ":443", ":0", "\u3002", "\r\n", "\t", " ", "xn--"))
        | st.text(max_size=4),
        max_size=9,
    ),
)
_LINES = (
    'a,app_token,"app_token",- b,? c,&x,*x,<<,!vault |,!!binary x,{a: b},|,>-,# no,---,...,%YAML 1.1,\t,\',"'
)
_line = st.sampled_from(_LINES.split(","))
_yaml = st.lists(
    st.builds(lambda indent, key, value: f"{' ' * indent}{key}: {value}", st.integers(0, 4), _line, _line)
    | _line
    | st.text(max_size=12),
    max_size=7,
).map("\n".join)


def _answer(status: int, headers: dict[str, str], body: bytes) -> EchoValueClient:
    return EchoValueClient(
        transport=lambda _request: Response(status, headers, body), retries=0, sleep=lambda _seconds: None
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


def mint(answer: tuple[int, dict[str, str], bytes]) -> None:
    """The answer to a mint."""
    assert read_token(_answer(*answer).create_token())


def wallet(answer: tuple[int, dict[str, str], Any]) -> None:
    """A wallet."""
    status, headers, data = answer
    found = _answer(status, headers, json.dumps(data).encode()).get_wallet(TOKEN)
    assert type(found.wallet) is int
    assert found.hash == token_hash(TOKEN)


def link(answer: tuple[int, dict[str, str], bytes]) -> None:
    """A recharge link."""
    found = _answer(*answer).get_recharge_link(TOKEN)
    assert found.url.lower().startswith("https://")
    assert found.url.isprintable()


def yaml_variable(text: str) -> None:
    """A variable of a YAML file: a changed one is what Ansible then reads, and the rest as before."""
    document = subject.yaml_edit.Document(text)
    document.value("app_token")
    new = subject.yaml_edit.Value(TOKEN, subject.yaml_edit.STRING)
    edited = document.edited({"app_token": new})
    assert subject.yaml_edit.Document(edited).value("app_token") == new, "it reads otherwise"
    assert _others(edited) == _others(text), "other values changed"


def _others(text: str) -> dict[str, str] | None:
    """Return all values but the variable's, as they are there; None where a key is no text."""
    try:
        data = yaml.load(text, yaml.CBaseLoader)
    except yaml.constructor.ConstructorError:
        return None
    return {key: repr(value) for key, value in (data or {}).items() if key != "app_token"}


def vaulted_file(case: tuple[str, bool, str]) -> None:
    """A vaulted file: wholly encrypted, with an encrypted value, or with what only looks so."""
    text, whole, value = case
    if whole:
        content = subject.VAULT.encrypt(text, salt="salt").decode()
    else:
        content = f"{text}\napp_token: !vault |\n  {value}\n"
    with tempfile.TemporaryDirectory(prefix="echovalue-proof-") as name:
        path = Path(name, "vault.yml")
        path.write_text(content, encoding="utf-8", errors="surrogatepass")
        file = subject.controllers.VaultFile(str(path), subject.controllers.Vault(subject.VAULT))
        with file.lock():
            token = file.variable("app_token").read()
    assert token is None or read_token(token) == token or token == ""


class _Unlocked:
    """A file with a content."""

    path = "/secrets.yaml"

    def __init__(self, content: bytes) -> None:
        self.read = lambda: content
        self.lock = nullcontext


def _ended(code: int, output: bytes) -> SimpleNamespace:
    return SimpleNamespace(code=code, output=output, errors=output)


def sops_output(case: tuple[str, bytes, bytes, int]) -> None:
    """What sops prints of a file, whose own text is read too."""
    ending, content, output, code = case
    program = object.__new__(sops_program.Sops)
    program._program, program._environment, program._directory = "sops", {}, "."
    place = sops.SopsKey(program, _Unlocked(content), f"secrets{ending}", f"/secrets{ending}", ["app_token"])
    with mock.patch.object(sops_program, "run_child", return_value=_ended(code, output)):
        value = place.read()
    assert value is None or isinstance(value, str)


def command_output(case: tuple[int, bytes]) -> None:
    """What a program prints as the token."""
    place = command.Command(["program"], 1.0, "")
    with mock.patch.object(command, "run_child", return_value=_ended(*case)):
        token = place.read()
    assert token is None or read_token(token) == token


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


_ciphertext = st.sampled_from(
    (
        "$ANSIBLE_VAULT;1.1;AES256",
        "$ANSIBLE_VAULT;1.2;AES256;label",
        "$ANSIBLE_VAULT;9.9;AES256",
        "$ANSIBLE_VAULT;1.1;ROT13",
        "$ANSIBLE_VAULT",
        "$ANSIBLE_VAULT;1.1;AES256\n  30",
        subject.VAULT.encrypt(TOKEN, salt="salt").decode().replace("\n", "\n  "),
        subject.VAULT.encrypt(b"\xff\xfe", salt="salt").decode().replace("\n", "\n  "),
    )
)
_sops_yaml = st.sampled_from(
    ("app_token: ENC[AES256_GCM,data:x]", "app_token: plain", "app_token: [1]", "app_token=ENC[x]")
)
_sops_json = st.dictionaries(st.sampled_from(("app_token", "x")), _json | st.just(TOKEN), max_size=2)
_statuses = st.sampled_from((200, 200, 200, 401, 402, 500))
PARSERS: dict[Callable[[Any], None], Any] = {
    service_url: _url | st.text(max_size=40),
    token_text: st.text(max_size=60) | _near_token,
    token_file: _bytes | _near_token.map(_utf8),
    mint: st.tuples(_statuses, _headers, _bytes | _near_token.map(str.encode)),
    wallet: st.tuples(_statuses, _headers, _json),
    link: st.tuples(_statuses, _headers, _bytes | _url.map(_utf8)),
    yaml_variable: _yaml,
    vaulted_file: st.tuples(
        _yaml,
        st.booleans(),
        _ciphertext | _ciphertext.flatmap(lambda text: st.text(max_size=9).map(text.__add__)),
    ),
    sops_output: st.tuples(
        st.sampled_from((".yaml", ".json", ".env", ".ini")),
        _sops_yaml.map(_utf8) | _sops_json.map(json.dumps).map(_utf8) | _yaml.map(_utf8) | _bytes,
        _sops_json.map(json.dumps).map(_utf8)
        | _json.map(json.dumps).map(_utf8)
        | _bytes
        | st.just(b"[" * 60_000),
        st.sampled_from((0, 0, 0, 1)),
    ),
    command_output: st.tuples(st.sampled_from((0, 0, 0, 1, -9)), _bytes | _near_token.map(_utf8)),
}


def run(short: bool) -> Report:
    """Run the experiment."""
    report = Report("Bad input")
    for parser, strategy in PARSERS.items():
        counted = {"read": 0, "refused": 0}
        if short:  # a sample, always the same one
            problem = cases.play(_noting(parser, counted), strategy, _CASES[short], short=short)
        else:
            counted, problem = _guided(parser.__name__)
        report.row(parser=parser.__name__, cases=sum(counted.values()), **counted)
        report.expect(not problem, f"{parser.__name__}: {problem}")
    report.row(parser="together", cases=sum(row["cases"] for row in report.rows), read="", refused="")
    return report


def _guided(name: str) -> tuple[dict[str, int], str]:
    """Return the counts of cases that atheris guides, in a process of its own, and what went wrong."""
    command_line = [sys.executable, "-m", "tools.proof.parsers", name]
    ended = subprocess.run(command_line, capture_output=True, text=True, timeout=3600, check=False)
    try:
        reported = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"read": 0, "refused": 0}, f"the process ended with {ended.returncode}: {ended.stderr[-600:]}"
    return reported["counted"], reported["problem"]


def fuzz(name: str) -> None:
    """Run a parser until it has had its cases; print the counts, and what went wrong, and end the process."""
    import atheris  # starts threads of its own

    parser = globals()[name]
    for function in _functions():
        atheris.instrument_func(function)
    counted = {"read": 0, "refused": 0}
    case = given(PARSERS[parser])(_noting(parser, counted)).hypothesis.fuzz_one_input

    def one(buffer: bytes) -> None:
        problem = ""
        try:
            case(buffer.ljust(_ENOUGH, b"\0"))
        except Exception as error:  # noqa: BLE001 - each is a finding
            problem = f"{cases.words(error)}, by the bytes {buffer!r}"
        if problem or sum(counted.values()) >= _CASES[False]:
            print(json.dumps({"counted": counted, "problem": problem}), flush=True)
            os._exit(0)  # it would never end by itself

    atheris.Setup([sys.argv[0], f"-max_len={_ENOUGH}", f"-artifact_prefix={tempfile.gettempdir()}/"], one)
    atheris.Fuzz()


def _functions() -> Iterator[FunctionType]:
    """Yield the functions of the product that are loaded."""
    for name, module in list(sys.modules.items()):
        if name.startswith(_INSTRUMENTED):
            own = [value for value in vars(module).values() if getattr(value, "__module__", "") == name]
            members = [member for one in own if inspect.isclass(one) for member in vars(one).values()]
            yield from (inspect.unwrap(one) for one in own + members if inspect.isfunction(one))


def _noting(parser: Callable[[Any], None], counted: dict[str, int]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        try:
            parser(value)
            counted["read"] += 1
        except (EchoValueError, subject.EchoValueError, subject.yaml_edit.YamlFormError):
            counted["refused"] += 1

    return check


if __name__ == "__main__":
    fuzz(sys.argv[1])
