"""Walk an .ods file for what calamine does not tell of it, and for what it tells otherwise."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.parsers import expat

from batchrun.io.excel_blemishes import Blemishes
from batchrun.io.excel_calamine import Value, agrees
from batchrun.io.excel_numbers import NumberFormat
from batchrun.io.excel_opendocument_cells import NUMBERS, TYPES, CellText, stated_value
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import parse_in_blocks
from batchrun.io.excel_rows import DIFFER
from batchrun.io.excel_sheet import UNCOMPUTED, error_cell
from batchrun.model import Cell, Unreadable

_MOST_REPEATED = 1 << 20  # rows in the largest sheet
_MOST_FORMATTED = 100_000  # cells that one cell is repeated over
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
_NO_ROW: Sequence[Value] = ()
_CELLS = frozenset(("table:table-cell", "table:covered-table-cell"))
_Found = tuple[int, int, float | Cell]  # first and last column, and what stands there


def opendocument_blemishes(path: Path, sheet: str, rows: Iterator[tuple[int, Sequence[Value]]]) -> Blemishes:
    """Find the error cells, hidden rows and covered cells of one sheet, and where calamine's `rows` differ from it."""
    walker = _TableWalker(sheet, rows)
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as stream:
        for _ in parse_in_blocks(walker.parser, stream):
            pass
    return walker.blemishes


class _Comparison:
    """Holds what the cells of each row state against calamine's rows, and refuses the cells on which they differ."""

    def __init__(self, rows: Iterator[tuple[int, Sequence[Value]]], blemishes: Blemishes) -> None:
        self._rows = rows
        self._blemishes = blemishes

    def compare(self, first: int, last: int, found: Sequence[_Found]) -> None:
        """Compare some equal rows, of which calamine has each in turn."""
        for row in range(first, last + 1):
            _, values = next(self._rows, (0, _NO_ROW))
            if not values:
                for left, right, _ in found:
                    self._blemishes.refuse(row, last, left, right, DIFFER)
                return
            self._compare_row(row, list(values), found)

    def _compare_row(self, row: int, values: list[Value], found: Sequence[_Found]) -> None:
        for left, right, cell in found:
            for column in range(left, min(right + 1, len(values))):
                if not agrees(cell, values[column]):
                    self._blemishes.refuse(row, row, column, column, DIFFER)
                values[column] = ""
            if right >= len(values):
                self._blemishes.refuse(row, row, max(left, len(values)), right, DIFFER)
        for column, value in enumerate(values):
            if value != "":
                self._blemishes.refuse(row, row, column, column, DIFFER)


class _TableWalker:
    """Counts rows and cells, which the format repeats by number."""

    def __init__(self, sheet: str, rows: Iterator[tuple[int, Sequence[Value]]]) -> None:
        self.blemishes = Blemishes()
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self._sheet = sheet
        self._depth = 0
        self._row, self._rows = 1, 1
        self._column = 0
        self._hidden = False
        self._closed: list[bool] = []  # of the groups of rows that are open here, whether each is folded
        self._cell: dict[str, str] = {}
        self._text: CellText | None = None  # while within a cell
        self._shown = ""
        self._found: list[_Found] = []
        self._comparison = _Comparison(rows, self.blemishes)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._text is not None:
            self._text.start(tag, attributes)
            return
        if tag == "table:table" and (self._depth or attributes.get("table:name") == self._sheet):
            self._depth += 1
        if self._depth != 1:  # another sheet, or a table within a drawing
            return
        if tag == "table:table-row":
            self._rows, self._column, self._found = _count(attributes.get("table:number-rows-repeated", "1")), 0, []
            self._hidden = any(self._closed) or attributes.get("table:visibility") in {"collapse", "filter"}
        elif tag in _CELLS:
            self._cell, self._text = attributes, CellText()
        elif tag == "table:table-row-group":
            self._closed.append(attributes.get("table:display") == "false")

    def _add(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def _end(self, tag: str) -> None:
        if self._text is not None:
            if self._text.is_open:
                self._text.end()
            else:
                self._finish_cell(self._text, covered=tag == "table:covered-table-cell")
                self._text = None
            return
        if tag == "table:table" and self._depth:
            self._depth -= 1
        if self._depth != 1:
            return
        if tag == "table:table-row":
            self._comparison.compare(self._row, self._row + self._rows - 1, self._found)
            self._row += self._rows
        elif tag == "table:table-row-group":
            self._closed.pop()

    def _finish_cell(self, text: CellText, *, covered: bool) -> None:
        count = _count(self._cell.get("table:number-columns-repeated", "1"))
        self._shown = text.text
        has_value = "office:value-type" in self._cell
        last_row, last_column = self._row + self._rows - 1, self._column + count - 1
        if has_value and self._hidden:
            self.blemishes.hide(self._row, last_row)
            for row in range(self._row, last_row + 1):
                self.blemishes.fill(row)
        why = _COVERED if covered else self._fault(is_empty=not has_value and not text.paragraphs)
        value: float | Cell = why
        if why is not None:
            self.blemishes.refuse(self._row, last_row, self._column, last_column, why)
        elif has_value:
            value = self._value(last_row, last_column)
            if self._cell["office:value-type"] in NUMBERS and (shown := _format_of(self._shown, self._cell)):
                self._note_format(shown, count)
        if value is not None:
            self._found.append((self._column, last_column, value))
        self._column += count

    def _value(self, last_row: int, last_column: int) -> float | Cell:
        value = stated_value(self._cell, self._shown)
        if isinstance(value, Unreadable):
            self.blemishes.refuse(self._row, last_row, self._column, last_column, value)
        return value

    def _note_format(self, shown: NumberFormat, count: int) -> None:
        if self._rows * count > _MOST_FORMATTED:
            raise DamagedXmlError
        for row in range(self._row, self._row + self._rows):
            for column in range(self._column, self._column + count):
                self.blemishes.formats[row, column] = shown

    def _fault(self, *, is_empty: bool) -> Unreadable | None:
        is_formula = "table:formula" in self._cell
        if self._cell.get("calcext:value-type") == "error" or (is_formula and self._shown in _ERRORS):
            return error_cell(self._shown)
        if is_formula and is_empty:
            return UNCOMPUTED
        return self._contradiction()

    def _contradiction(self) -> Unreadable | None:
        kind = self._cell.get("office:value-type", "")
        if kind in NUMBERS:
            words = any(map(str.isalpha, self._shown)) and not any(map(str.isdigit, self._shown))
            return _NO_NUMBER if words else None
        return _NO_TYPE if self._shown and kind not in TYPES else None


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
