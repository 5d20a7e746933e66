"""What a sample of rows shows of each column: its cells, how often each comes, and whether they name a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from batchrun.core import keys
from batchrun.model import Cell, SheetInfo, SourceRow


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its cells that are not empty with their counts, and its empty ones."""

    name: str
    cells: Counter[Cell]
    blank: int
    names_rows: bool

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return self.cells.total()


@dataclass(frozen=True, slots=True)
class Sample:
    """A sheet's columns as a number of its rows show them."""

    columns: tuple[Column, ...]
    rows: int


def sample_of(info: SheetInfo, rows: Sequence[SourceRow]) -> Sample:
    """Look at some rows of a sheet; rows that are broken as a whole say nothing about columns."""
    whole = [row for row in rows if not row.faults]
    return Sample(tuple(_column(info, whole, place) for place in range(len(info.header))), len(whole))


def _column(info: SheetInfo, rows: Sequence[SourceRow], place: int) -> Column:
    counts = Counter(row.cells[place] for row in rows)
    blank = counts.pop(None, 0) + counts.pop("", 0)
    return Column(info.header[place], counts, blank, _names_rows(info, rows, place))


def _names_rows(info: SheetInfo, rows: Sequence[SourceRow], place: int) -> bool:
    if any(keys.key_problems(info, row, (place,)) for row in rows):
        return False
    return bool(rows) and len({keys.key_of(row, (place,)) for row in rows}) == len(rows)
