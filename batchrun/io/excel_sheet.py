"""Read one sheet of an .xlsx package as a stream of rows, from its XML: the reader that sees formats and formulas.

openpyxl's own sheet parsers are not used here. Its streaming one loses rows when the dimension tag is wrong or rows
are out of order, keeps `_x000D_` as it stands and turns error cells into text; its full one takes ten times the memory
and refuses whole files over a filter or a style that has nothing to do with the rows. A test holds this reader to
what openpyxl writes, and calamine's reading is held against it cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import IO, NamedTuple
from xml.parsers import expat

from batchrun.errors import BadInput
from batchrun.io.excel_numbers import iso_cell
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import TextPieces, decoded, local_name, parse_in_blocks
from batchrun.io.excel_survey import CellPlaces
from batchrun.model import Cell, Unreadable, column_letters

UNCOMPUTED = Unreadable(
    "formula-without-value",
    "the formula has no stored result; open the file in Excel and save it, so that it is computed.",
)


class StoredCell(NamedTuple):
    """A cell as the file has it: a float still needs its style's number format, all else is final."""

    column: int
    value: float | Cell
    style: int
    formula: bool = False


class StoredRow(NamedTuple):
    """A row's number and its cells from left to right; cells without a value or a formula are left out."""

    number: int
    cells: list[StoredCell]


def stored_rows(stream: IO[bytes], sheet: str, strings: Sequence[str], *, in_order: bool) -> Iterator[StoredRow]:
    """Stream the rows that have values, by number; a sheet whose rows are not in order is read whole first."""
    rows = _rows_as_they_come(stream, sheet, strings)
    return rows if in_order else iter(sorted(rows, key=lambda row: row.number))


def _rows_as_they_come(stream: IO[bytes], sheet: str, strings: Sequence[str]) -> Iterator[StoredRow]:
    reader = _RowParser(sheet, strings)
    for _ in parse_in_blocks(reader.parser, stream):
        yield from reader.taken()


class _RowParser:
    """Builds rows out of the XML parser's events."""

    def __init__(self, sheet: str, strings: Sequence[str]) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._text = TextPieces()
        self.parser.CharacterDataHandler = self._text.add
        self._sheet = sheet
        self._strings = strings
        self._places = CellPlaces()
        self._done: list[StoredRow] = []
        self._cells: list[StoredCell] = []
        self._attributes: dict[str, str] = {}
        self._has_value = False
        self._formula = False
        self._phonetic = False

    def taken(self) -> list[StoredRow]:
        """Hand over the rows that are complete."""
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "c":
            self._places.next_column(attributes)
            self._attributes, self._has_value, self._formula = attributes, False, False
        elif name == "v":
            self._has_value = True
            self._text.begin(keeps_spaces=True)
        elif name == "f":
            self._formula = True
        elif name == "row":
            self._places.next_row(attributes)
            self._cells = []
        elif name == "is":
            self._has_value = True
        elif name == "t" and not self._phonetic:
            self._text.begin(keeps_spaces=attributes.get("xml:space") == "preserve")
        elif name == "rPh":
            self._phonetic = True

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if name in {"v", "t"}:
            self._text.end()
        elif name == "c":
            self._finish_cell()
        elif name == "row":
            self._finish_row()
        elif name == "rPh":
            self._phonetic = False

    def _finish_cell(self) -> None:
        value = self._value()
        if value is not None or self._formula:
            style = self._attributes.get("s") or "0"
            if not style.isdigit():
                raise DamagedXmlError
            self._cells.append(StoredCell(self._places.column, value, int(style), self._formula))

    def _value(self) -> float | Cell:
        text = self._text.taken()
        if not self._has_value:
            return UNCOMPUTED if self._formula else None
        kind = self._attributes.get("t", "n")
        if kind == "s":
            return self._shared(text) or None
        if kind == "n" and not text:
            return UNCOMPUTED if self._formula else None
        read = _READ_BY_TYPE.get(kind)
        return _damaged(text) if read is None else read(text)

    def _shared(self, index: str) -> str:
        if index.isascii() and index.isdigit() and int(index) < len(self._strings):
            return self._strings[int(index)]
        raise BadInput(
            f"{self._sheet}!{column_letters(self._places.column)}{self._places.row} refers to a text that the file "
            "does not hold, so the file is damaged; open it in Excel, let it be repaired and save it."
        )

    def _finish_row(self) -> None:
        cells = self._cells
        if not cells:
            return
        if any(a.column >= b.column for a, b in pairwise(cells)):
            cells.sort(key=lambda cell: cell.column)
            self._refuse_cell_twice()
        self._done.append(StoredRow(self._places.row, cells))

    def _refuse_cell_twice(self) -> None:
        for cell, following in pairwise(self._cells):
            if cell.column == following.column:
                raise BadInput(
                    f"{self._sheet}!{column_letters(cell.column)}{self._places.row} stands in the file twice, so the "
                    "file is damaged; open it in Excel, let it be repaired and save it."
                )


def _numeric(text: str) -> float | Unreadable:
    if not text.isascii() or "_" in text:  # Python would read both as numbers
        return _damaged(text)
    try:
        return float(text)
    except ValueError:
        return _damaged(text)


def _boolean(text: str) -> Cell:
    return {"1": True, "true": True, "0": False, "false": False}.get(text.strip().lower(), _damaged(text))


def _text_or_nothing(text: str) -> str | None:
    return decoded(text) or None


def error_cell(text: str) -> Unreadable:
    """Say that a cell holds an error such as #N/A, by its type and not by its text."""
    return Unreadable(
        "error-cell", f"the cell shows the error {text[:20]}; correct its formula or its value.", text[:80]
    )


def _damaged(text: str) -> Unreadable:
    return Unreadable("damaged-cell", "the cell's stored value cannot be read; enter it again in Excel.", text[:80])


_READ_BY_TYPE: dict[str, Callable[[str], float | Cell]] = {
    "n": _numeric,
    "b": _boolean,
    "e": error_cell,
    "str": _text_or_nothing,
    "inlineStr": _text_or_nothing,
    "d": iso_cell,
}
