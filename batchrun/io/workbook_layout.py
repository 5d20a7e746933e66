"""Reads how one sheet of a workbook is laid out: widths, what is hidden, the filter, and chosen cells as stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from batchrun.io.excel_parts import TextPieces, decoded, local_name, parse_in_blocks
from batchrun.io.excel_survey import CellPlaces, column_position
from batchrun.model import column_letters

_WIDEST_KEPT = 16_384
_IN_CELLS = frozenset({"v", "t", "f", "rPh"})  # elements of these names stand elsewhere too
_LEFT_OUT = frozenset({"extLst", "colorFilter", "iconFilter"})  # they name styles of the old workbook by number


class StoredCell(NamedTuple):
    """A cell as the file has it: style number, kind (`n`, `b`, `e`, `d`, else text), value, and formula without `=`.

    One that `spreads` over an area, or asks to be entered as such, is no matter of one cell.
    """

    style: int
    kind: str
    value: str
    formula: str = ""
    spreads: bool = False


@dataclass(slots=True)
class SheetLayout:
    """How a sheet is laid out. Columns are zero-based positions, lines the sheet's own numbers.

    `filled` holds the first filled column of each line that has any, `cells` the chosen ones by line and column.
    `criteria` are the filter's `filterColumn` elements, counted from the column `filter_left`; `dropped` tells that
    there were some that cannot be taken along.
    """

    widths: dict[int, float] = field(default_factory=dict)
    hidden_columns: set[int] = field(default_factory=set)
    hidden_lines: set[int] = field(default_factory=set)
    filled: dict[int, int] = field(default_factory=dict)
    cells: dict[tuple[int, int], StoredCell] = field(default_factory=dict)
    criteria: list[Element] = field(default_factory=list)
    filter_left: int = 0
    dropped: bool = False


def sheet_layout(stream: IO[bytes], strings: Sequence[str], chosen: Callable[[int, int], bool]) -> SheetLayout:
    """Read a sheet's layout; `chosen` tells by line and column which cells to take."""
    reader = _LayoutParser(strings, chosen)
    for _ in parse_in_blocks(reader.parser, stream):
        pass
    return reader.layout


class _LayoutParser:
    """Builds the layout out of the XML parser's events."""

    def __init__(self, strings: Sequence[str], chosen: Callable[[int, int], bool]) -> None:
        self.layout = SheetLayout()
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self._text, self._formula = TextPieces(), TextPieces()
        self._strings, self._chosen = strings, chosen
        self._places = CellPlaces()
        self._cell: dict[str, str] = {}
        self._formula_is: dict[str, str] = {}
        self._shared: dict[str, tuple[str, str]] = {}
        self._inside = self._takes = self._phonetic = False
        self._filter: TreeBuilder | None = None
        self._left_out = 0

    def _add(self, text: str) -> None:
        self._text.add(text)
        self._formula.add(text)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if self._filter is not None:
            self._begin_in_filter(name, attributes)
            return
        act = _STARTS.get(name)
        if act is not None and (self._inside or name not in _IN_CELLS):
            act(self, attributes)

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if self._filter is not None:
            self._end_in_filter(name)
        elif name in {"v", "t"}:
            self._text.end()
        elif name == "f":
            self._formula.end()
        elif name == "c":
            self._inside = False
            self._finish_cell()
        elif name == "rPh":
            self._phonetic = False

    def _column(self, attributes: dict[str, str]) -> None:
        first, last = int(attributes.get("min", "1")), int(attributes.get("max", "1"))
        for position in range(first - 1, min(last, _WIDEST_KEPT)):
            if float(attributes.get("width", "0")) > 0:
                self.layout.widths[position] = float(attributes["width"])
            if _is_true(attributes, "hidden"):
                self.layout.hidden_columns.add(position)

    def _row(self, attributes: dict[str, str]) -> None:
        self._places.next_row(attributes)
        if _is_true(attributes, "hidden"):
            self.layout.hidden_lines.add(self._places.row)

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._places.next_column(attributes)
        self._inside, self._cell, self._formula_is = True, attributes, {}
        self._takes = self._chosen(self._places.row, self._places.column)

    def _begin_value(self, _: dict[str, str]) -> None:
        self._fill()
        if self._takes:
            self._text.begin(keeps_spaces=True)

    def _begin_text(self, attributes: dict[str, str]) -> None:
        self._fill()
        if self._takes and not self._phonetic:
            self._text.begin(keeps_spaces=attributes.get("xml:space") == "preserve")

    def _begin_formula(self, attributes: dict[str, str]) -> None:
        self._fill()
        self._formula_is = {"t": "normal", **attributes}
        self._formula.begin(keeps_spaces=True)

    def _begin_phonetic(self, _: dict[str, str]) -> None:
        self._phonetic = True

    def _fill(self) -> None:
        self.layout.filled.setdefault(self._places.row, self._places.column)

    def _finish_cell(self) -> None:
        place = (self._places.row, self._places.column)
        formula, text = self._own_formula(), self._text.taken()
        if not self._takes or not (text or formula):
            return
        kind = self._cell.get("t", "n")
        if kind == "s":
            text, kind = self._strings[int(text)], "str"
        elif kind in {"str", "inlineStr"}:
            text = decoded(text)
        spreads = self._formula_is.get("t", "normal") not in {"normal", "shared"}
        self.layout.cells[place] = StoredCell(int(self._cell.get("s", "0")), kind, text, formula, spreads)

    def _own_formula(self) -> str:
        """Give the cell's own formula: of one that is shared by many cells, what it is here."""
        text = self._formula.taken()
        here = f"{column_letters(self._places.column)}{self._places.row}"
        if self._formula_is.get("t") == "shared":
            index = self._formula_is.get("si", "")
            first = self._shared.setdefault(index, (text, here)) if text else self._shared.get(index, ("", here))
            return _translated(*first, here) if self._takes and first[0] else ""
        return text

    def _begin_filter(self, attributes: dict[str, str]) -> None:
        corner = attributes.get("ref", "A1").partition(":")[0].replace("$", "")
        self.layout.filter_left = column_position(corner.rstrip("0123456789"))
        self._filter = TreeBuilder()
        self._filter.start("autoFilter", {})

    def _begin_in_filter(self, name: str, attributes: dict[str, str]) -> None:
        assert self._filter is not None  # noqa: S101  only called within one
        if self._left_out or name in _LEFT_OUT:
            self.layout.dropped |= name != "extLst"
            self._left_out += 1
        else:
            self._filter.start(name, attributes)

    def _end_in_filter(self, name: str) -> None:
        assert self._filter is not None  # noqa: S101  only called within one
        if self._left_out:
            self._left_out -= 1
            return
        self._filter.end(name)
        if name == "autoFilter":
            criteria = [child for child in self._filter.close() if child.tag == "filterColumn"]
            self.layout.criteria = [child for child in criteria if len(child)]
            self._filter = None


_STARTS: dict[str, Callable[[_LayoutParser, dict[str, str]], None]] = {
    "c": _LayoutParser._begin_cell,
    "v": _LayoutParser._begin_value,
    "row": _LayoutParser._row,
    "f": _LayoutParser._begin_formula,
    "t": _LayoutParser._begin_text,
    "rPh": _LayoutParser._begin_phonetic,
    "col": _LayoutParser._column,
    "autoFilter": _LayoutParser._begin_filter,
}


def _translated(formula: str, origin: str, here: str) -> str:
    from openpyxl.formula.translate import Translator

    moved: str = Translator(f"={formula}", origin=origin).translate_formula(here)
    return moved[1:]


def _is_true(attributes: dict[str, str], name: str) -> bool:
    return attributes.get(name, "0") in {"1", "true", "on"}
