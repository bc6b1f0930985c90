# SPDX-License-Identifier: GPL-3.0-or-later
"""A `Store` that keeps a token in a file of its own: one line, the token and a line feed."""

from __future__ import annotations

from .core.errors import StoreError
from .core.models import MAX_TOKEN_LENGTH, is_token
from .locked_directory import NOTHING_MINTED
from .locked_file import LONGEST, LockedFile


class TokenFile(LockedFile[str]):
    """Keeps a token as a file's one line; see LockedFile."""

    max_size = MAX_TOKEN_LENGTH + 2  # the token and its line end

    def parse(self, content: bytes | None) -> str | None:
        """Return the content's one line; raise StoreError where it is no token."""
        if content is None:
            return None
        line = content
        for end in (b"\r\n", b"\n"):
            if line.endswith(end):
                line = line[: -len(end)]
                break
        token = line.decode("latin-1")
        if not is_token(token):
            raise StoreError(
                f"{self.path} exists and holds no token: it is "
                f"{'not one line of 10 to 512 visible characters' if content else 'empty'}.",
                f"{NOTHING_MINTED} Move it away, or put the right token into it.",
            )
        return token

    def render(self, content: bytes | None, value: str) -> bytes:
        """Return the token's line."""
        return value.encode("ascii") + b"\n"

    def longest(self) -> str:
        """Return as long a token as there may be."""
        return LONGEST
