# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, set and remove one top-level variable in the text of a YAML file; all other bytes stay."""

from __future__ import annotations

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


def find(text: str, name: str) -> Variable | None:
    """Return the top-level variable `name`, or None; raise YamlFormError where there is no telling."""
    mapping = _mapping(text)
    if mapping is None:
        return None
    entries = [entry for entry in mapping.value if entry[0].value == name]
    if not entries:
        return None
    if len(entries) > 1:
        raise YamlFormError(f"the variable {name} stands there more than once")
    ((key, value),) = entries
    if not isinstance(value, yaml.ScalarNode):
        raise YamlFormError(f"the variable {name} is no single value")
    start, value_start, end = (mark.index for mark in (key.start_mark, value.start_mark, value.end_mark))
    end = value_start + len(text[value_start:end].rstrip())  # a block scalar's mark is behind blank lines
    return Variable(value.value, value.tag, start, value_start, end)


def put(text: str, name: str, value: str) -> str:
    """Return the text with the variable set; `value` is YAML, its further lines indented."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    value = value.replace("\n", line_end)
    found = find(text, name)
    if found is not None:
        changed = text[: found.value_start] + value + text[found.end :]
    else:
        head = text if not text or text.endswith("\n") else text + line_end
        changed = f"{head or '---' + line_end}{name}: {value}{line_end}"
    return _checked(text, changed, name, present=True)


def drop(text: str, name: str) -> str:
    """Return the text without the variable and its lines."""
    found = find(text, name)
    if found is None:
        return text
    rest = text[found.end :]
    line, separator, behind = rest.partition("\n")
    if line.strip() and not line.lstrip().startswith("#"):
        raise YamlFormError(f"what follows the variable {name} on its line cannot be told from it")
    return _checked(text, text[: found.start] + (behind if separator else ""), name, present=False)


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


def _checked(before: str, after: str, name: str, *, present: bool) -> str:
    """Return `after`, having made sure that it differs in this variable alone."""

    def others(text: str) -> list[str]:
        mapping = _mapping(text)
        entries = [] if mapping is None else mapping.value
        # A line feed that a vaulted value gets at the file's end changes nothing in it.
        return [
            node.value.rstrip() if node.tag == "!vault" else yaml.serialize(node)
            for entry in entries
            if entry[0].value != name
            for node in entry
        ]

    if others(before) != others(after) or (find(after, name) is not None) != present:
        raise YamlFormError(f"the variable {name} cannot be changed without changing others")
    return after
