"""Walk an .ods file for what calamine does not tell of it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.parsers import expat

from batchrun.io.excel_blemishes import Blemishes
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import parse_in_blocks
from batchrun.io.excel_sheet import UNCOMPUTED, error_cell
from batchrun.model import Unreadable

_MOST_REPEATED = 1 << 20  # rows in the largest sheet
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
        elif tag == "text:p":
            self._paragraphs += 1

    def _text(self, text: str) -> None:
        if self._depth == 1 and self._paragraphs:
            self._shown += text

    def _end(self, tag: str) -> None:
        if tag == "table:table" and self._depth:
            self._depth -= 1
        if self._depth != 1:
            return
        if tag == "table:table-row":
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
        self._column += count

    def _fault(self, *, has_value: bool) -> Unreadable | None:
        if self._cell.get("calcext:value-type") == "error":
            return error_cell(self._shown)
        if "table:formula" in self._cell and not has_value and not self._paragraphs:
            return UNCOMPUTED
        return None


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_REPEATED:
        return int(text)
    raise DamagedXmlError
