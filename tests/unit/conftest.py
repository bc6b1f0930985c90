# SPDX-License-Identifier: BSD-2-Clause
"""Every error that a test meets is in whole sentences: what happened, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from plugins.module_utils.core import errors

_SENTENCES = re.compile(r"([A-Z/]|[a-z_.]+ (must|has|is) ).*\.", re.DOTALL)  # or the name of an option first
# A variable of the environment has underscores.
_CAPITALS = {"ASCII", "CA", "HTTP", "JSON", "PEM", "SOCKS", "TLS", "URL"}


_SURROUNDINGS = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


@pytest.fixture(autouse=True)
def _nothing_of_this_machines_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _errors_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    met: list[errors.EchoValueError] = []
    construct = errors.EchoValueError.__init__

    def note(self: errors.EchoValueError, *arguments: object, **options: object) -> None:
        construct(self, *arguments, **options)  # type: ignore[arg-type]
        met.append(self)

    with monkeypatch.context() as patch:
        patch.setattr(errors.EchoValueError, "__init__", note)
        yield
    for error in met:
        assert "None" not in str(error)
        assert 100 <= getattr(error, "status", 200) < 600
        for text in (error.args[0], error.advice):
            assert _SENTENCES.fullmatch(text), text
            capitals = {word for word in re.findall(r"[A-Z]{2,}\w*", text) if "_" not in word}
            assert capitals <= _CAPITALS, text
