"""Make cells out of what the readers of a workbook found, refusing the ones on which they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batchrun.io.excel_calamine import Value, agrees, sole_reading
from batchrun.io.excel_numbers import GENERAL, NumberFormat, dated_cell, number_cell
from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_refusals import Refusals
from batchrun.io.excel_sheet import UNCOMPUTED, StoredCell, StoredRow
from batchrun.model import Cell, DressedNumber, Number, Unreadable

Row = tuple[int, tuple[Cell, ...]]

_STALE = Unreadable(
    "formula-stale",
    "the program that wrote the file left its formulas to be computed on opening, so the stored result may be wrong; "
    "open the file in Excel and save it.",
)
DIFFER = Unreadable(
    "readers-differ",
    "two independent readers see different values in this cell; enter it again in Excel and save the file.",
)
_NO_ROW: Sequence[Value] = ()


@dataclass(frozen=True, slots=True)
class CellRules:
    """What a workbook says of all its cells."""

    formats: Sequence[NumberFormat]
    since_1904: bool = False
    computed_on_opening: bool = False

    def cell(self, stored: StoredCell) -> Cell:
        """Give the cell that a stored value means."""
        if stored.formula and self.computed_on_opening and stored.value is not UNCOMPUTED:
            return _STALE
        if not isinstance(stored.value, float):
            return stored.value
        if stored.style >= len(self.formats):
            raise DamagedXmlError
        number_format = self.formats[stored.style]
        if number_format.kind == "number":
            return number_cell(stored.value, number_format.width, dressed=number_format.dressed)
        return dated_cell(stored.value, number_format, since_1904=self.since_1904)


def read_once(rows: Iterable[StoredRow], rules: CellRules, refusals: Refusals, width: int) -> Iterator[Row]:
    """Make rows out of one reading of an .xlsx sheet."""
    for number, stored in rows:
        cells: list[Cell] = [None] * width
        for cell in stored:
            cells[cell.column] = rules.cell(cell)
        yield from _unless_blank(number, _with_refusals(cells, refusals, number))


def read_twice(
    rows: Iterable[StoredRow],
    others: Iterator[tuple[int, Sequence[Value]]],
    rules: CellRules,
    refusals: Refusals,
    width: int,
) -> Iterator[Row]:
    """Make rows out of two readings of an .xlsx sheet; a row or cell that only one of them has is refused too."""
    other_number, other = next(others, (0, _NO_ROW))
    for number, stored in rows:
        while other_number and other_number < number:
            yield from _only_in_second(other_number, other, width)
            other_number, other = next(others, (0, _NO_ROW))
        values = other if other_number == number else _NO_ROW
        yield from _unless_blank(number, _with_refusals(_compared(stored, values, rules, width), refusals, number))
        if other_number == number:
            other_number, other = next(others, (0, _NO_ROW))
    while other_number:
        yield from _only_in_second(other_number, other, width)
        other_number, other = next(others, (0, _NO_ROW))


def _unless_blank(number: int, cells: tuple[Cell, ...]) -> Iterator[Row]:
    """Leave out a row of nothing but formulas that show nothing."""
    if any(cell is not None for cell in cells):
        yield number, cells


def _compared(stored: Sequence[StoredCell], other: Sequence[Value], rules: CellRules, width: int) -> list[Cell]:
    width = max(width, len(other))
    cells: list[Cell] = [None] * width
    unmatched = [*other, *[""] * (width - len(other))]
    for item in stored:
        cell = rules.cell(item)
        # A number is compared as stored: what is shown of it has fewer digits.
        compared = item.value if isinstance(cell, Number) else cell
        cells[item.column] = cell if agrees(compared, unmatched[item.column]) else DIFFER
        unmatched[item.column] = ""
    if unmatched.count("") < width:
        for column, value in enumerate(unmatched):
            if value != "":
                cells[column] = DIFFER
    return cells


def _only_in_second(number: int, other: Sequence[Value], width: int) -> Iterator[Row]:
    if any(value != "" for value in other):
        yield number, tuple(_compared((), other, CellRules(()), width))


def _with_refusals(cells: list[Cell], refusals: Refusals, number: int) -> tuple[Cell, ...]:
    for column, why in refusals.in_row(number, len(cells)):
        cells[column] = why
    return tuple(cells)


def read_by_calamine(
    rows: Iterable[tuple[int, Sequence[Value]]],
    refusals: Refusals,
    formats: Mapping[tuple[int, int], NumberFormat],
    *,
    dates_by_format: bool = False,
) -> Iterator[Row]:
    """Make rows out of calamine's reading alone; refused cells count as filled, though calamine has them blank.

    With `dates_by_format`, a date is one only where `formats` says so too.
    """
    last = 0
    for number, values in rows:
        last = number
        cells = [sole_reading(value) for value in values]
        if dates_by_format:
            _refuse_dates_of_no_format(number, cells, formats)
        yield from _filled_row(number, _as_shown(number, cells, formats) if formats else cells, refusals)
    for number in range(last + 1, refusals.last_row + 1):
        yield from _filled_row(number, [], refusals)


def _refuse_dates_of_no_format(row: int, cells: list[Cell], formats: Mapping[tuple[int, int], NumberFormat]) -> None:
    for column, cell in enumerate(cells):
        if isinstance(cell, datetime) and formats.get((row, column), GENERAL).kind != "date":
            cells[column] = DIFFER


def _as_shown(row: int, cells: list[Cell], formats: Mapping[tuple[int, int], NumberFormat]) -> list[Cell]:
    for column, cell in enumerate(cells):
        if isinstance(cell, Number) and (shown := formats.get((row, column))):
            cells[column] = _number_as_shown(cell, shown)
    return cells


def _number_as_shown(cell: Number, shown: NumberFormat) -> Cell:
    if shown.kind != "number":
        return DIFFER
    return DressedNumber(cell.value) if shown.dressed else Number(cell.value, shown.width)


def _filled_row(number: int, cells: list[Cell], refusals: Refusals) -> Iterator[Row]:
    cells.extend([None] * (refusals.width - len(cells)))
    whole = _with_refusals(cells, refusals, number)
    if any(cell is not None and not is_covered(cell) for cell in whole):
        yield number, whole


def is_covered(cell: Cell) -> bool:
    """Tell whether a cell is refused only because a merged area covers it."""
    return isinstance(cell, Unreadable) and cell.code == "merged-cell"
