# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""Find, set and remove top-level variables in the text of a YAML or JSON file; all other bytes stay.

The parser is that of the running Ansible, so a text means here what it means there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml
from ansible.parsing.yaml.loader import AnsibleLoader

VAULT_TAGS = ("!vault", "!vault-encrypted")
_JSON_VAULT = "__ansible_vault"  # JSON has a mapping with this key instead of the tag
STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_INDENT = 10  # columns, as `ansible-vault encrypt_string` has it
_BOM = "\ufeff"
_LINE_END = re.compile(r"\r\n|\r|\n")

# Patterns of what follows a place; each matches nothing too.
_LINE = r"[^\r\n]*"
_END = r"(?:\r\n|\r|\n)?"
_BLANK_LINES = r"(?:[ \t]*(?:\r\n|\r|\n))*"
_COMMENTS = r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))*(?:[ \t]*#[^\r\n]*)?"
_COMMENTS_FROM_COLUMN = rf"(?:{_BLANK_LINES} {{%d,}}#[^\r\n]*(?:\r\n|\r|\n|$))*"

_Pairs = list[tuple[yaml.Node, yaml.Node]]
Edit = tuple[int, int, str]  # what is between two places gives way to this


class YamlFormError(Exception):
    """A variable cannot be separated from the rest of the text; says why, and in what line."""


@dataclass(frozen=True)
class Value:
    """The text that is a variable's value, with its tag."""

    text: str
    tag: str = STRING


@dataclass(frozen=True)
class _Entry:
    """A variable as it is in a text: the parser's events of its key and of its value."""

    name: str  # "" where the key is no string
    key: list[Any]
    value: list[Any]

    @property
    def start(self) -> int:
        return int(self.key[0].start_mark.index)

    @property
    def column(self) -> int:
        return int(self.key[0].start_mark.column)

    @property
    def meaning(self) -> list[tuple[Any, ...]]:
        """What is loaded depends on this."""
        names = ("anchor", "tag", "implicit", "value")
        return [
            (type(event), *(getattr(event, name, None) for name in names)) for event in self.key + self.value
        ]

    @property
    def last_block(self) -> Any | None:
        """The block scalar that the value is, or ends with; else None."""
        last = next(event for event in reversed(self.value) if not isinstance(event, yaml.CollectionEndEvent))
        return last if _is_block(last) else None


class Document:
    """A text that is one document: what its variables are, and where they are.

    Raises YamlFormError where Ansible does not load it as a mapping of variables.
    """

    def __init__(self, text: str) -> None:
        self.text = text.removeprefix(_BOM)
        self._bom = _BOM if text.startswith(_BOM) else ""
        self.line_end = (_LINE_END.search(self.text) or ["\n"])[0]
        if unprintable := yaml.reader.Reader.NON_PRINTABLE.search(self.text):
            raise self.error("it has a control character", unprintable.start())
        own, pairs, root, events = self._parsed()
        self.values = {_name(key): value for key, value in pairs}  # the last of a name counts
        merged = len(pairs) - sum(key.tag != _MERGE for key, _value in own)
        self.merged = {_name(key): key.start_mark.index for key, _value in pairs[:merged]}
        self.content = events[2:-2]  # within the stream and its document
        self.end = events[-2].start_mark.index if self.content else len(self.text)
        self.is_flow = bool(own) and root.flow_style
        self.is_json = self.is_flow and _is_json(self.text)
        nodes = list(_nodes(self.content[1:-1]))
        self.entries = [
            _Entry(_name(node), key, value)
            for (node, _value), key, value in zip(own, nodes[::2], nodes[1::2])
        ]

    def _parsed(self) -> tuple[_Pairs, _Pairs, Any, list[Any]]:
        """Return the text's own variables, those with what `<<` merges first, the root and the events."""
        own: _Pairs = []
        pairs: _Pairs = []
        try:
            loader = AnsibleLoader(self.text)
            root = loader.get_single_node()
            if isinstance(root, yaml.MappingNode):
                own = list(root.value)
                loader.flatten_mapping(root)
                pairs = root.value
            events = list(_events(AnsibleLoader(self.text)))
        except yaml.MarkedYAMLError as error:
            mark: Any = error.problem_mark or error.context_mark
            why = " ".join(filter(None, (error.context, error.problem)))
            # The parser without libyaml quotes the text, and that may be a secret.
            raise self.error(re.sub(r" (['\"]).*?\1", "", why), mark.index) from None
        if not (root is None or isinstance(root, yaml.MappingNode) or root.tag == _NULL):
            raise self.error("it is no mapping of variables", root.start_mark.index)
        return own, pairs, root, events

    def error(self, why: str, index: int) -> YamlFormError:
        """Return the error that something is in the way in the line of `index`."""
        return YamlFormError(f"{why} (line {len(_LINE_END.findall(self.text, 0, index)) + 1})")

    def value(self, name: str) -> Value | None:
        """Return the value of a variable; None where there is none, or an empty one: a place to fill.

        Raises YamlFormError where it is no single value.
        """
        node = self.values.get(name)
        if node is None:
            return None
        tag = node.tag
        if self.is_json and isinstance(node, yaml.MappingNode) and len(node.value) == 1:
            key, vaulted = node.value[0]
            if key.value == _JSON_VAULT:
                node, tag = vaulted, VAULT_TAGS[0]
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(f"the variable {name} is no single value", node.start_mark.index)
        return Value(node.value, tag) if node.value and node.tag != _NULL else None

    def edited(self, values: Mapping[str, Value | None]) -> str:
        """Return the text with each variable set to its value, or without it where that is None.

        Raises YamlFormError where others would change.
        """
        for name in values:
            self.value(name)  # refuses what is no single value
        changed = _edit(self, values)
        with suppress(YamlFormError):
            if _only_these_changed(self, Document(changed), values):
                return self._bom + changed
        raise YamlFormError(f"{', '.join(values)} cannot be changed without changing other variables")

    def behind(self, pattern: str, index: int) -> int:
        """Return the place behind what matches at `index`."""
        found = re.compile(pattern).match(self.text, index)
        return found.end() if found else index

    def line_start(self, index: int) -> int:
        return max(self.text.rfind("\n", 0, index), self.text.rfind("\r", 0, index)) + 1

    def span(self, entry: _Entry) -> tuple[int, int]:
        """Return where an entry's value begins and ends; an empty one is behind its colon."""
        start, end = entry.value[0].start_mark.index, entry.value[-1].end_mark.index
        if start == end and self.text[start - 1] != ":":
            raise self.error(f"the variable {entry.name} is a bare key, without a colon", entry.start)
        return start, start + len(self.text[start:end].rstrip())  # a block's end is behind blank lines


def _edit(document: Document, values: Mapping[str, Value | None]) -> str:
    """Return the text with its variables changed."""
    added = {name: value for name, value in values.items() if value is not None}
    if added and not document.entries and (emptied := _without_content(document)) != document.text:
        return _edit(Document(emptied), values)
    for name in document.merged.keys() & values.keys() - added.keys():
        raise document.error(f"a merge (<<) brings the variable {name} in", document.merged[name])
    _check_references(document, values)
    latest = {entry.name: entry for entry in document.entries}
    edits: list[Edit] = []
    for index, entry in enumerate(document.entries):
        if entry.name not in values:
            continue
        if values[entry.name] is None:
            edits.append(_removed(document, index))
        elif entry is latest[entry.name]:
            edits.append(_replaced(document, entry, added.pop(entry.name)))
    if added:
        edits.append(_added(document, added))
    elif edits and not document.is_flow and not any(values.get(name, True) for name in latest):
        start, end, _nothing = edits[0]  # an empty mapping still loads as one
        edits[0] = start, end, f"{' ' * document.entries[0].column}{{}}{document.line_end}"
    text = document.text
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _check_references(document: Document, values: Mapping[str, Value | None]) -> None:
    """Refuse to change a variable that others refer to."""
    anchored: dict[str, str] = {}
    for entry in document.entries:
        for event in entry.key + entry.value:
            anchor = getattr(event, "anchor", None)
            if anchor and not isinstance(event, yaml.AliasEvent):
                anchored[anchor] = entry.name
            elif anchor and entry.name not in values and anchored.get(anchor) in values:
                raise document.error(
                    f"*{anchor} refers to the variable {anchored[anchor]}", event.start_mark.index
                )


def _without_content(document: Document) -> str:
    """Return the text without its `~` or `{}`, which gives way to variables."""
    if not document.content:
        return document.text
    start, end = document.content[0].start_mark.index, document.content[-1].end_mark.index
    head, tail = document.text[:start].rstrip(" \t"), document.text[end:].lstrip(" \t")
    if head.endswith("-"):  # of `---`
        return head + (f" {tail}" if tail.startswith("#") else tail)
    return head + tail.removeprefix(document.line_end)


def _added(document: Document, values: Mapping[str, Value]) -> Edit:
    """Return the edit that adds variables behind the last one."""
    text, line_end, place = document.text, document.line_end, document.end
    last = document.entries[-1] if document.entries else None
    if document.is_flow and last:
        place = document.span(last)[1]
        before = text[document.line_start(last.start) : last.start]
        comma = ", " if before.strip() else f",{line_end}{before}"
        return (
            place,
            place,
            "".join(
                f"{comma}{json.dumps(name)}: {_in_flow(document, value)}" for name, value in values.items()
            ),
        )
    if last and last.last_block and not text.endswith(("\r", "\n")):
        place = document.line_start(last.start)  # behind it, a line end would become part of its value
    head = line_end if place and text[place - 1] not in "\r\n" else ""
    indent = " " * last.column if last else ""
    lines = ""
    for name, value in values.items():
        first, below = _in_block(value, indent + " " * _INDENT, line_end)
        lines += f"{indent}{_key(name)}: {first}{line_end}{below}"
    return place, place, (head if text else f"---{line_end}") + lines


def _replaced(document: Document, entry: _Entry, value: Value) -> Edit:
    """Return the edit that gives a variable another value; a comment behind it stays."""
    text, line_end = document.text, document.line_end
    start, end = document.span(entry)
    space = "" if text[start - 1].isspace() else " "
    if document.is_flow:
        return start, end, space + _in_flow(document, value)
    if _is_block(entry.value[0]):
        header, _line_end, below = text[start:end].partition(line_end)
        rest = "".join(re.findall(r"\s+#.*", header))
        column = len(below) - len(below.lstrip(" "))
    else:
        behind = document.behind(_LINE, end)
        rest = text[end:behind].rstrip()
        end = behind
        comments = text[end : document.behind(_COMMENTS, document.behind(_END, end))]
        # More than the comments below, or they would become part of the value.
        column = max(
            entry.column + _INDENT,
            *(len(line) - len(line.lstrip(" ")) + 1 for line in comments.splitlines()),
            0,
        )
    first, below = _in_block(value, " " * column, line_end)
    return start, end, f"{space}{first}{rest}{line_end}{below}".removesuffix(line_end)


def _removed(document: Document, index: int) -> Edit:
    """Return the edit that takes a variable away, with its lines."""
    text, entry = document.text, document.entries[index]
    start, end = entry.start, document.span(entry)[1]
    if document.is_flow:
        behind = document.behind(r"(?:\s*,\s*)?", end)
        return (
            (start, behind, "") if behind > end else (len(text[:start].rstrip().removesuffix(",")), end, "")
        )
    end = document.behind(_LINE + _END, end)
    # A comment that is indented below it is its own; it must not become part of a block above.
    end = document.behind(_COMMENTS_FROM_COLUMN % (entry.column + 1), end)
    block = document.entries[index - 1].last_block if index else None
    if block and "+" in text[block.start_mark.index : document.behind(_LINE, block.start_mark.index)]:
        end = document.behind(_BLANK_LINES, end)  # `|+` would take them for its own
    return document.line_start(start), end, ""


def _in_block(value: Value, indent: str, line_end: str) -> tuple[str, str]:
    """Return a value as YAML: what is on the line of its key, and the lines below."""
    if value.tag in VAULT_TAGS:
        return f"{value.tag} |", "".join(indent + line + line_end for line in value.text.splitlines())
    return _in_one_line(value), ""


def _in_flow(document: Document, value: Value) -> str:
    if document.is_json and value.tag in VAULT_TAGS:
        return json.dumps({_JSON_VAULT: value.text})
    return _in_one_line(value)


def _in_one_line(value: Value) -> str:
    tag = "" if value.tag == STRING else f"{value.tag} "
    return tag + json.dumps(value.text)


def _key(name: str) -> str:
    """Return a name as a key: quoted where YAML reads it as something else, as `yes`."""
    plain = AnsibleLoader("").resolve(yaml.ScalarNode, name, (True, False))
    return name if plain == STRING else json.dumps(name)


def _only_these_changed(before: Document, after: Document, values: Mapping[str, Value | None]) -> bool:
    """Return whether the variables have these values, and all else is as it was."""

    def others(document: Document) -> list[list[tuple[Any, ...]]]:
        return [entry.meaning for entry in document.entries if entry.name not in values]

    def has(name: str, wanted: Value | None) -> bool:
        found = after.value(name)
        if found is None or wanted is None:
            return found is wanted and name not in after.values
        return (found.text.rstrip(), found.tag) == (wanted.text.rstrip(), wanted.tag)

    return (
        others(before) == others(after)
        and before.is_json == after.is_json
        and all(has(name, wanted) for name, wanted in values.items())
    )


def _is_json(text: str) -> bool:
    with suppress(ValueError):
        json.loads(text)
        return True
    return False


def _is_block(event: Any) -> bool:
    return getattr(event, "style", None) in ("|", ">")


def _name(key: yaml.Node) -> str:
    return key.value if isinstance(key, yaml.ScalarNode) and key.tag == STRING else ""


def _events(parser: Any) -> Iterator[Any]:
    while parser.check_event():
        yield parser.get_event()


def _nodes(events: Iterable[Any]) -> Iterator[list[Any]]:
    """Group the events of a mapping's content by the keys and values that they make."""
    depth, node = 0, []
    for event in events:
        node.append(event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if not depth:
            yield node
            node = []
