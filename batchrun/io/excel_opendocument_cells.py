"""Read what a cell of an .ods file states, to hold calamine's reading against it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from batchrun.io.excel_numbers import duration_cell, iso_cell
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_rows import DIFFER
from batchrun.model import Cell

NUMBERS = frozenset(("float", "percentage", "currency"))
TYPES = NUMBERS | {"date", "time", "boolean", "string", "void"}
_BLANKS = re.compile(r"[ \t\r\n]+")
_SIGNS = {"text:tab": "\t", "text:line-break": "\n"}
_BESIDE = frozenset(("text:note", "text:ruby-text"))  # text about the text
_MOST_SPACES = 1 << 16


class CellText:
    """Gathers what a cell shows: its paragraphs, without comments, drawings and tables that lie in the cell."""

    def __init__(self) -> None:
        self.paragraphs = 0
        self._pieces: list[str] = []
        self._beside = 0  # how deep in something that is no text of the cell
        self._depth = 0  # how deep in a paragraph
        self._lists = 0  # how deep in what only holds paragraphs

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Step into an element of the cell."""
        if self._beside or not tag.startswith("text:") or tag in _BESIDE:
            self._beside += 1
        elif self._depth:
            self._depth += 1
            self._pieces.append(_sign(tag, attributes))
        elif tag in {"text:p", "text:h"}:
            self._pieces.append("\n" if self.paragraphs else "")
            self.paragraphs += 1
            self._depth = 1
        else:
            self._lists += 1

    def end(self) -> None:
        """Step out of an element of the cell."""
        if self._beside:
            self._beside -= 1
        elif self._depth:
            self._depth -= 1
        else:
            self._lists -= 1

    def add(self, text: str) -> None:
        """Take text, where it is of a paragraph; several blanks are one, and none begins a line."""
        if self._depth and not self._beside:
            text = _BLANKS.sub(" ", text)
            begins = not self._pieces[-1] or self._pieces[-1].endswith(("\n", " "))
            self._pieces.append(text[1:] if begins and text.startswith(" ") else text)

    @property
    def is_open(self) -> bool:
        """Tell whether an element of the cell has begun and not ended."""
        return bool(self._beside or self._depth or self._lists)

    @property
    def text(self) -> str:
        """Give all of it."""
        return "".join(self._pieces)


def _sign(tag: str, attributes: Mapping[str, str]) -> str:
    if tag != "text:s":
        return _SIGNS.get(tag, "")
    count = attributes.get("text:c", "1")
    if count.isascii() and count.isdigit() and int(count) <= _MOST_SPACES:
        return " " * int(count)
    raise DamagedXmlError


def stated_value(attributes: Mapping[str, str], shown: str) -> float | Cell:
    """Give the value of a cell that has a type; a float still has to become a Number."""
    kind = attributes["office:value-type"]
    if kind in NUMBERS:
        return _number(attributes.get("office:value", ""))
    if kind == "boolean":
        return {"true": True, "false": False}.get(attributes.get("office:boolean-value", ""), DIFFER)
    if kind == "date":
        return iso_cell(attributes.get("office:date-value", ""))
    if kind == "time":
        return duration_cell(shown)
    return _text(attributes, shown) if kind == "string" else None


def _number(text: str) -> float | Cell:
    try:
        return float(text)
    except ValueError:
        return DIFFER


def _text(attributes: Mapping[str, str], shown: str) -> Cell:
    value = attributes.get("office:string-value", shown)
    return (value or None) if not shown or value.split() == shown.split() else DIFFER
