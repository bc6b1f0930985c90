# SPDX-License-Identifier: BSD-2-Clause
"""Every error that a test meets is told in whole: a text, an advice, a status of HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plugins.module_utils.core import errors


@pytest.fixture(autouse=True)
def _errors_are_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    met: list[errors.EchoValueError] = []
    construct = errors.EchoValueError.__init__

    def note(self: errors.EchoValueError, *arguments: object, **options: object) -> None:
        construct(self, *arguments, **options)  # type: ignore[arg-type]
        met.append(self)

    with monkeypatch.context() as patch:
        patch.setattr(errors.EchoValueError, "__init__", note)
        yield
    for error in met:
        assert isinstance(error.args[0], str)
        assert "None" not in str(error)
        assert 100 <= getattr(error, "status", 200) < 600
