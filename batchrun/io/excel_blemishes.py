"""Gather what calamine does not tell of .xls, .xlsb and .ods sheets: error cells, hidden rows, covered cells.

calamine gives an error cell as a blank one, and a blank cell is left out of a payload: so the error must be found.
"""

from __future__ import annotations

from batchrun.io.excel_numbers import NumberFormat
from batchrun.io.excel_refusals import Refusal
from batchrun.model import Unreadable


class Blemishes:
    """What is found while a sheet's file is walked; rows count from 1, columns from 0."""

    def __init__(self) -> None:
        self.refused: list[Refusal] = []
        self.formats: dict[tuple[int, int], NumberFormat] = {}  # where digits alone are not what is shown
        self._hidden: set[int] = set()
        self._filled: set[int] = set()

    def hide(self, first: int, last: int) -> None:
        """Note that rows are hidden, before their cells come."""
        self._hidden.update(range(first, last + 1))

    def fill(self, row: int) -> None:
        """Note that a cell of the row holds a value."""
        if row in self._hidden:
            self._filled.add(row)

    def refuse(self, first_row: int, last_row: int, first_column: int, last_column: int, why: Unreadable) -> None:
        """Note cells that cannot be used."""
        self.refused.append(((first_row, first_column, last_row, last_column), why))

    @property
    def hidden(self) -> tuple[int, ...]:
        """Give the hidden rows that hold values."""
        return tuple(sorted(self._filled))
