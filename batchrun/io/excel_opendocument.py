"""Walk an .ods file for what calamine does not tell of it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.parsers import expat

from batchrun.io.excel_blemishes import Blemishes
from batchrun.io.excel_numbers import NumberFormat
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import parse_in_blocks
from batchrun.io.excel_sheet import UNCOMPUTED, error_cell
from batchrun.model import Unreadable

_MOST_REPEATED = 1 << 20  # rows in the largest sheet
_MOST_FORMATTED = 100_000  # cells that one cell is repeated over
_NUMBERS = frozenset(("float", "percentage", "currency"))
_TYPES = _NUMBERS | {"date", "time", "boolean", "string", "void"}
_ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))
_ZEROS = re.compile(r"-?(0\d+)")
_SCIENTIFIC = re.compile(r"[-+]?[\d.,]+E[-+]?\d+", re.IGNORECASE)
_DRESS = re.compile(r"[^\W\d_]|%|\d[-/() ]+\d|^\D*0\d")  # letters, parts set apart, zeros before a number
_NO_NUMBER = Unreadable(
    "shown-otherwise",
    "the cell shows a word, but what it holds is a number; enter again what it should say.",
)
_NO_TYPE = Unreadable("damaged-cell", "the file does not say what kind of value the cell holds; enter it again.")
_COVERED = Unreadable(
    "merged-cell",
    "the cell is part of a merged area, so it has no value of its own; unmerge the cells and fill each one.",
)


def opendocument_blemishes(path: Path, sheet: str) -> Blemishes:
    """Find the error cells, hidden rows and covered cells of one sheet."""
    walker = _TableWalker(sheet)
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as stream:
        for _ in parse_in_blocks(walker.parser, stream):
            pass
    return walker.blemishes


class _TableWalker:
    """Counts rows and cells, which the format repeats by number."""

    def __init__(self, sheet: str) -> None:
        self.blemishes = Blemishes()
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._sheet = sheet
        self._depth = 0
        self._row, self._rows = 1, 1
        self._column = 0
        self._hidden = False
        self._cell: dict[str, str] = {}
        self._paragraphs = 0
        self._shown = ""
        self._in_comment = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table" and (self._depth or attributes.get("table:name") == self._sheet):
            self._depth += 1
        if self._depth != 1:  # another sheet, or a table within a cell
            return
        if tag == "table:table-row":
            self._rows, self._column = _count(attributes.get("table:number-rows-repeated", "1")), 0
            self._hidden = attributes.get("table:visibility") in {"collapse", "filter"}
        elif tag in {"table:table-cell", "table:covered-table-cell"}:
            self._cell, self._paragraphs, self._shown = attributes, 0, ""
        elif tag == "office:annotation":
            self._in_comment = True
        elif tag == "text:p" and not self._in_comment:
            self._paragraphs += 1

    def _text(self, text: str) -> None:
        if self._depth == 1 and self._paragraphs and not self._in_comment:
            self._shown += text

    def _end(self, tag: str) -> None:
        if tag == "table:table" and self._depth:
            self._depth -= 1
        if self._depth != 1:
            return
        if tag == "office:annotation":
            self._in_comment = False
        elif tag == "table:table-row":
            self._row += self._rows
        elif tag in {"table:table-cell", "table:covered-table-cell"}:
            self._finish_cell(covered=tag == "table:covered-table-cell")

    def _finish_cell(self, *, covered: bool) -> None:
        count = _count(self._cell.get("table:number-columns-repeated", "1"))
        has_value = "office:value-type" in self._cell
        last_row, last_column = self._row + self._rows - 1, self._column + count - 1
        if has_value and self._hidden:
            self.blemishes.hide(self._row, last_row)
            for row in range(self._row, last_row + 1):
                self.blemishes.fill(row)
        why = _COVERED if covered else self._fault(has_value=has_value)
        if why is not None:
            self.blemishes.refuse(self._row, last_row, self._column, last_column, why)
        elif self._cell.get("office:value-type") in _NUMBERS and (shown := _format_of(self._shown, self._cell)):
            self._note_format(shown, count)
        self._column += count

    def _note_format(self, shown: NumberFormat, count: int) -> None:
        if self._rows * count > _MOST_FORMATTED:
            raise DamagedXmlError
        for row in range(self._row, self._row + self._rows):
            for column in range(self._column, self._column + count):
                self.blemishes.formats[row, column] = shown

    def _fault(self, *, has_value: bool) -> Unreadable | None:
        is_formula = "table:formula" in self._cell
        if self._cell.get("calcext:value-type") == "error" or (is_formula and self._shown in _ERRORS):
            return error_cell(self._shown)
        if is_formula and not has_value and not self._paragraphs:
            return UNCOMPUTED
        return self._contradiction()

    def _contradiction(self) -> Unreadable | None:
        kind = self._cell.get("office:value-type", "")
        if kind in _NUMBERS:
            words = any(map(str.isalpha, self._shown)) and not any(map(str.isdigit, self._shown))
            return _NO_NUMBER if words else None
        return _NO_TYPE if self._shown and kind not in _TYPES else None


def _format_of(shown: str, cell: dict[str, str]) -> NumberFormat | None:
    zeros = _ZEROS.fullmatch(shown)
    if zeros:
        return NumberFormat("number", len(zeros[1]))
    if cell.get("office:value-type") == "currency" or _SCIENTIFIC.fullmatch(shown) or not _DRESS.search(shown):
        return None
    return NumberFormat("number", dressed=True)


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_REPEATED:
        return int(text)
    raise DamagedXmlError
