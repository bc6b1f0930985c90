# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, set and remove top-level variables in the text of a YAML file; all other bytes stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml


class YamlFormError(Exception):
    """The text has a form in which one variable cannot be told from the rest; says which."""


@dataclass(frozen=True)
class Variable:
    """A variable as it stands in a text: its scalar value, its tag, and where it is."""

    value: str
    tag: str
    start: int  # of the whole entry, at its key
    value_start: int
    end: int  # behind the value, before its line end


def find(text: str, names: Iterable[str]) -> dict[str, Variable]:
    """Return those of the top-level variables `names` that there are.

    Raises YamlFormError where there is no telling.
    """
    mapping = _mapping(text)
    wanted = set(names)
    found: dict[str, Variable] = {}
    for key, value in [] if mapping is None else mapping.value:
        name = key.value
        if not isinstance(key, yaml.ScalarNode) or name not in wanted:
            continue
        if name in found:
            raise YamlFormError(f"the variable {name} stands there more than once")
        if not isinstance(value, yaml.ScalarNode):
            raise YamlFormError(f"the variable {name} is no single value")
        start, value_start, end = (mark.index for mark in (key.start_mark, value.start_mark, value.end_mark))
        end = value_start + len(text[value_start:end].rstrip())  # a block's mark is behind blank lines
        found[name] = Variable(value.value, value.tag, start, value_start, end)
    return found


def edit(text: str, values: Mapping[str, str | None]) -> str:
    """Return the text with each variable set to its value, or without it where that is None.

    A value is YAML, its further lines indented. Raises YamlFormError where others would change.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    found = find(text, values)
    changed = text
    for name, place in sorted(found.items(), key=lambda item: item[1].start, reverse=True):
        value = values[name]
        if value is not None:
            changed = changed[: place.value_start] + _lines(value, line_end) + changed[place.end :]
        else:
            line, _separator, behind = changed[place.end :].partition("\n")
            if line.strip() and not line.lstrip().startswith("#"):
                raise YamlFormError(f"what follows the variable {name} on its line cannot be told from it")
            changed = changed[: place.start] + behind
    added = [
        f"{name}: {_lines(value, line_end)}{line_end}"
        for name, value in values.items()
        if value is not None and name not in found
    ]
    if added:
        if not changed:
            changed = "---" + line_end
        elif not changed.endswith("\n"):
            changed += line_end
        changed += "".join(added)
    _check(text, changed, values)
    return changed


def _lines(value: str, line_end: str) -> str:
    return value.replace("\n", line_end)


def _mapping(text: str) -> yaml.MappingNode | None:
    """Return the text's one mapping, None where it has no content."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise YamlFormError(f"it is no YAML of one document{where}") from None
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")):
        return None
    if not isinstance(node, yaml.MappingNode):
        raise YamlFormError("it is no mapping of variables")
    if node.flow_style:
        raise YamlFormError("it is in flow style ({...}), where no single variable can be changed")
    return node


def _check(before: str, after: str, values: Mapping[str, str | None]) -> None:
    """Make sure that the texts differ in these variables alone."""

    def others(text: str) -> list[str]:
        mapping = _mapping(text)
        entries = [] if mapping is None else mapping.value
        # A line feed that a vaulted value gets at the file's end changes nothing in it.
        return [
            node.value.rstrip() if node.tag == "!vault" else yaml.serialize(node)
            for entry in entries
            if not (isinstance(entry[0], yaml.ScalarNode) and entry[0].value in values)
            for node in entry
        ]

    present = {name for name, value in values.items() if value is not None}
    if others(before) != others(after) or set(find(after, values)) != present:
        raise YamlFormError("its variables cannot be changed one by one")
