"""YAML as plain data with line numbers: safe, one document, by YAML 1.2's rules for words.

Refused, each with its line: duplicate keys, aliases, merge keys, tags, keys that are no words, deep nesting.
Fractions become Decimals, so that `value: 19.90` is sent as 19.90.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

Place = tuple[str | int, ...]
DEEPEST = 40
# YAML readers take these differently: as a line break, or as text.
_STRANGE_BREAKS = ("\x85", "\u2028", "\u2029")
MOST_DIGITS = 400

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_EXPONENT = re.compile(r"[eE][-+]?0*([0-9]+)")
_YAML_TAG = "tag:yaml.org,2002:"
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class Document:
    """A document's data, the line of each place in it, and what is wrong with its YAML."""

    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def line_of(self, place: Place) -> int:
        """Give the line of a place, or of the nearest one around it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return 1


def load(text: str) -> Document:
    """Read one YAML document; faults are collected, not raised."""
    document = Document()
    for number, line in enumerate(text.split("\n"), 1):
        if any(mark in line for mark in _STRANGE_BREAKS):
            document.faults.append((number, "there is an invisible line break (U+0085, U+2028 or U+2029); take it out"))
    if document.faults:
        return document
    try:
        document.faults += _refused(text)
        node = None if document.faults else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        document.faults.append(_syntax(error, text))
    else:
        document.data = None if node is None else _value(node, (), document)
    return document


def _refused(text: str) -> list[tuple[int, str]]:
    """Find what is refused before any of it is built: aliases, tags and deep nesting."""
    faults = []
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            faults.append((line, "aliases (*) are not read; write the value out"))
        elif tag is not None:
            faults.append((line, f'tags such as "{tag.replace(_YAML_TAG, "!!")}" are not read'))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return [*faults, (line, "the nesting is too deep")]
    return faults


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        return (mark.line + 1 if mark else 1), f"this is no YAML: {said}{_hint(said)}"
    line = text.count("\n", 0, error.position) + 1 if isinstance(error, yaml.reader.ReaderError) else 1
    return line, f"this is no YAML: {str(error).splitlines()[0]}"


def _hint(said: str) -> str:
    if "mapping values are not allowed" in said:
        return "; a text with a colon in it needs quotes"
    return "; indent with spaces" if "\\t" in said else ""


def _value(node: yaml.Node, place: Place, document: Document) -> Any:
    document.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*place, index), document) for index, child in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101  # the third and last kind of node
    try:
        return _scalar(node)
    except ValueError as error:
        document.faults.append((node.start_mark.line + 1, str(error)))
        return None


def _mapping(node: yaml.MappingNode, place: Place, document: Document) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.faults.append((line, "a key must be a word"))
            continue
        key = key_node.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if key == "<<" and key_node.style is None:
            document.faults.append((line, "merge keys (<<) are not read; write the keys out"))
        elif key in made:
            first = document.lines[(*place, key)]
            document.faults.append((line, f'the key "{key}" stands twice; it is on line {first} already'))
        else:
            document.lines[(*place, key)] = line
            made[key] = _value(value_node, (*place, key), document)
    return made


def _scalar(node: yaml.ScalarNode) -> Any:
    text = _whole(node.value)
    if node.style is not None:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    is_integer = _INTEGER.fullmatch(text) is not None
    if not is_integer and not _FRACTION.fullmatch(text):
        return text
    if len(text) > MOST_DIGITS or ((match := _EXPONENT.search(text)) and len(match[1]) > 2):
        raise ValueError("this number is too long; put it in quotes if it is text")
    return int(text) if is_integer else Decimal(text)


def _whole(text: str) -> str:
    """Join the surrogate pairs that JSON's escapes write (`\\ud83d\\ude00`); half of a pair is no text."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("this text holds half of a character (a lone surrogate)") from None
