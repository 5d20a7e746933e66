"""Writes values as YAML that every reader takes for the same: text from outside never becomes anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from batchrun.core import cells

_PLAIN = re.compile(r"(?:\.\.?/)*[^\W\d_][\w ./()+%-]*")
_TARGET = re.compile(r"[^\W\d_]\w*(?:\[\d+\]|\.[^\W\d_]\w*)+")
# Words that one reader or another takes for true, false or nothing.
_MEANING = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def text(value: str) -> str:
    """Write a text: as it stands where it can mean nothing else, else in quotes."""
    if _PLAIN.fullmatch(value) and value.isprintable() and value == value.strip() and value.lower() not in _MEANING:
        return value
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(mark) for mark in value) + '"'


def key(name: str) -> str:
    """Write the key of a block; list places such as lines[0].sku need no quotes there."""
    return name if _TARGET.fullmatch(name) and name.isprintable() else text(name)


def _escaped(mark: str) -> str:
    if mark in _ESCAPES:
        return _ESCAPES[mark]
    return mark if mark.isprintable() else f"\\U{ord(mark):08X}"


def value(given: Any) -> str:
    """Write any value on one line."""
    if isinstance(given, Mapping):
        return "{" + ", ".join(f"{text(name)}: {value(member)}" for name, member in given.items()) + "}"
    if isinstance(given, bool) or given is None:
        return {True: "true", False: "false", None: "null"}[given]
    if isinstance(given, list | tuple):
        return "[" + ", ".join(map(value, given)) + "]"
    if isinstance(given, int | Decimal):
        return cells.plain(Decimal(given))
    return text(given)


def comment(said: str) -> str:
    """Write a sentence as a comment, which ends where the line does."""
    return "# " + "".join(mark if mark.isprintable() else "?" for mark in " ".join(said.split()))
