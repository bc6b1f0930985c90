# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The formats of SOPS files, and the keys in them."""

from __future__ import annotations

import configparser
import json
import re
from typing import Any, Callable

import yaml

from ...module_utils.core.errors import InvalidInputError

_KEY = re.compile(r"""\[(?:"([^"\[\]]+)"|'([^'\[\]]+)')\]""")


def _ini(text: str) -> Any:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {name: dict(section) for name, section in parser.items()}


# How a format's text is read with its values as they are there, encrypted; by the end of the file's name.
_PARSERS: dict[str, Callable[[str], Any]] = {
    ".yaml": lambda text: next(yaml.load_all(text, yaml.BaseLoader), None),
    ".json": json.loads,
    ".env": lambda text: dict(line.split("=", 1) for line in text.splitlines() if "=" in line),
    ".ini": _ini,
}
_PARSERS[".yml"] = _PARSERS[".yaml"]
_TYPES = {".env": "dotenv", ".yml": "yaml"}  # a format's name, where it is not as the file's name ends


def type_of(path: str) -> str:
    """Return the name that sops has for the format of a file."""
    ending = ending_of(path)
    return _TYPES.get(ending, ending[1:])


def parse(path: str, text: str) -> Any:
    """Return what an encrypted file holds, its values as they are there. Raises ValueError."""
    try:
        return _PARSERS[ending_of(path)](text)
    except (OverflowError, RecursionError, configparser.Error, yaml.YAMLError):
        raise ValueError from None


def ending_of(path: str) -> str:
    """Return the end of a file's name, which says its format to sops; "" for another name."""
    return next((ending for ending in _PARSERS if path.endswith(ending)), "")


def names_of(key: str, file: str) -> list[str]:
    """Return the names that a key leads through, in a file whose name says its format.

    Raises InvalidInputError for what is no key, or no such file.
    """
    if not ending_of(file):
        raise InvalidInputError(
            f"The name of {file} says no format: it must end in {', '.join(sorted(_PARSERS))}."
        )
    if key.startswith("["):
        names = [double or single for double, single in _KEY.findall(key)]
        valid = not _KEY.sub("", key)
    else:
        names = key.split(".")
        valid = all(names) and not re.search(r"[\[\]\"]", key)
    if not valid or names[0] == "sops":
        raise InvalidInputError(
            f'{key!r} is no key of a SOPS file: give one as stringData.token or ["a.b"]["c"].'
        )
    return names
