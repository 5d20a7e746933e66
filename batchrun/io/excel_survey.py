"""Look over a sheet's XML without reading its values: edges, hidden rows, merged cells, and damage."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import IO
from xml.parsers import expat

from batchrun.errors import BadInput
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import local_name, parse_in_blocks

_LAST_ROW = 1_048_576
_NO_HEIGHT = re.compile(r"0(?:\.0*)?")
Area = tuple[int, int, int, int]  # first row, first column, last row, last column; columns from 0


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look over a sheet tells; `rows`, edges and `hidden` count only rows and columns that hold values."""

    rows: int = 0
    last_row: int = 0
    last_column: int = -1
    hidden: tuple[int, ...] = ()
    merged: tuple[Area, ...] = ()
    in_order: bool = True


def has_values(stream: IO[bytes]) -> bool:
    """Tell whether any cell of a sheet holds something; reads no further than the first that does."""
    reader = _SurveyParser()
    return any(reader.last_row for _ in parse_in_blocks(reader.parser, stream))


def survey_sheet(stream: IO[bytes], sheet: str) -> Survey:
    """Look over a whole sheet; raise BadInput, naming the sheet, where two rows bear one number."""
    reader = _SurveyParser()
    for _ in parse_in_blocks(reader.parser, stream):
        pass
    return reader.result(sheet)


class CellPlaces:
    """Knows the row and the column of each cell, also where the file leaves their numbers out."""

    def __init__(self) -> None:
        self.row = 0
        self.column = -1
        self._digits = ""
        self._positions: dict[str, int] = {}

    def next_row(self, attributes: dict[str, str]) -> None:
        """Step to the row whose element begins."""
        stated = attributes.get("r")
        self.row = self.row + 1 if stated is None else _row_number(stated)
        self._digits = str(self.row)
        self.column = -1

    def next_column(self, attributes: dict[str, str]) -> None:
        """Step to the cell whose element begins; raise DamagedXmlError if it names another row."""
        stated = attributes.get("r")
        if stated is None:
            self.column += 1
            return
        letters = stated.rstrip("0123456789")
        if stated[len(letters) :] != self._digits:
            raise DamagedXmlError
        if letters not in self._positions:
            self._positions[letters] = column_position(letters)
        self.column = self._positions[letters]


def column_position(letters: str) -> int:
    """Give a column's zero-based place from its letters: A is 0, AA is 26."""
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        raise DamagedXmlError
    place = 0
    for letter in letters.upper():
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _row_number(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= _LAST_ROW:
        return int(text)
    raise DamagedXmlError


def area(reference: str) -> Area:
    """Read the reference of an area, such as `B3:D9`."""
    first, _, last = reference.replace("$", "").partition(":")
    top, left = _corner(first)
    bottom, right = _corner(last or first)
    return top, left, bottom, right


def _corner(reference: str) -> tuple[int, int]:
    letters = reference.rstrip("0123456789")
    return _row_number(reference[len(letters) :]), column_position(letters)


class _SurveyParser:
    """Reacts to the beginnings of elements only, which makes it several times quicker than reading."""

    def __init__(self) -> None:
        self.last_row = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self._places = CellPlaces()
        self._last_column = -1
        self._numbers = array("L")
        self._hidden: list[int] = []
        self._is_hidden = self._in_cell = False
        self._merged: list[Area] = []
        self._rows = 0
        self._counted_row = 0

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "c":
            self._places.next_column(attributes)
            self._in_cell = True
        elif name in {"v", "is", "f"}:
            if self._in_cell:  # drop-downs and sparklines below the rows refer to cells by an element f, too
                self._value()
        elif name == "row":
            self._places.next_row(attributes)
            self._numbers.append(self._places.row)
            self._is_hidden = (
                attributes.get("hidden", "0") in {"1", "true"}
                or _NO_HEIGHT.fullmatch(attributes.get("ht", "")) is not None
            )
        elif name == "mergeCell":
            self._merged.append(area(attributes.get("ref", "")))
        else:
            self._in_cell = False

    def _value(self) -> None:
        places = self._places
        self._last_column = max(self._last_column, places.column)
        if self._counted_row != places.row:
            self._counted_row = places.row
            self._rows += 1
            self.last_row = max(self.last_row, places.row)
            if self._is_hidden:
                self._hidden.append(places.row)

    def result(self, sheet: str) -> Survey:
        """Sum up; the numbers of out-of-order rows are searched for one that comes twice."""
        in_order = all(a < b for a, b in pairwise(self._numbers))
        twice = None if in_order else next((a for a, b in pairwise(sorted(self._numbers)) if a == b), None)
        if twice is not None:
            raise BadInput(
                f"{sheet} holds two rows with the number {twice}, so the file is damaged; "
                "open it in Excel, let it be repaired and save it."
            )
        hidden = tuple(sorted(self._hidden))
        return Survey(self._rows, self.last_row, self._last_column, hidden, tuple(self._merged), in_order)
