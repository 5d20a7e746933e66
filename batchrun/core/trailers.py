"""A sheet's trailer: told from the rows of data as they go by, and read for what it says of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from batchrun.core import cells
from batchrun.core.cells import Fault, Reading
from batchrun.core.prepare import Preparer, amounts_of, reading_of_column
from batchrun.core.spec import JobSpec
from batchrun.core.spec_totals import Trailer
from batchrun.core.totals import Totals, split_of
from batchrun.errors import BadInput
from batchrun.model import SheetInfo, SourceRow, State


class Figure(NamedTuple):
    """A number that the trailer tells, and the address of its cell."""

    amount: Decimal
    address: str


@dataclass
class SheetTrailer:
    """What a sheet's trailer tells, and what is true of the rows above it: all of them, whatever is selected."""

    spec: JobSpec
    declared: Trailer
    preparer: Preparer
    totals: Totals
    rows: int = 0
    address: str = ""
    told_rows: Figure | None = None
    told_totals: dict[str, Figure] = field(default_factory=dict)

    def data_rows(self, rows: Iterable[SourceRow]) -> Iterator[SourceRow]:
        """Give the rows of data; BadInput where the trailer is not the last row, is missing or cannot be read."""
        trailer: SourceRow | None = None
        row: SourceRow | None = None
        for row in rows:
            if trailer is not None:
                raise self._misplaced(trailer, row)
            if self.is_trailer(row):
                trailer = row
                continue
            self.rows += 1
            self.totals.add(State.READY, amounts_of(self.preparer, row))
            yield row
        if trailer is None:
            raise self._missing(row)
        self._read(trailer)

    def is_trailer(self, row: SourceRow) -> bool:
        """Tell whether a row has the trailer's mark."""
        return is_trailer(self.declared, self.preparer.info, row)

    def _said(self, row: SourceRow) -> str:
        return _said(self.declared, self.preparer.info, row)

    def _place(self, column: str) -> int:
        return self.preparer.info.header.index(column)

    def _mark(self) -> str:
        return f'"{cells.cut(self.declared.when.equals)}"'

    def _misplaced(self, trailer: SourceRow, row: SourceRow) -> BadInput:
        info, place = self.preparer.info, self._place(self.declared.when.column)
        first = info.cell_address(trailer.number, place)
        if self.is_trailer(row):
            return BadInput(
                f"{first} and {info.cell_address(row.number, place)} both say {self._mark()}, and a sheet has one "
                "trailer (source.trailer); take out the one that does not belong there. Nothing was sent"
            )
        return BadInput(
            f"{first} says {self._mark()}, so this row is the trailer (source.trailer), and there are rows below it "
            f"({info.row_address(row.number)}); the trailer must be the last row. Nothing was sent"
        )

    def _missing(self, last: SourceRow | None) -> BadInput:
        info, place = self.preparer.info, self._place(self.declared.when.column)
        if last is None:
            where = info.row_address(info.header_row)
            return BadInput(f"there are no rows below the header ({where}), not even the trailer that the job declares")
        return BadInput(
            f"the sheet has no trailer: in its last row {info.cell_address(last.number, place)} says "
            f'"{cells.cut(self._said(last))}", and {self._mark()} is wanted there (source.trailer); '
            "it may have been cut off. Nothing was sent"
        )

    def _read(self, row: SourceRow) -> None:
        self.address = self.preparer.info.row_address(row.number)
        if self.declared.rows is not None:
            figure = self._figure(row, self.declared.rows, "the number of rows", Reading())
            if figure.amount != figure.amount.to_integral_value() or figure.amount < 0:
                said = cells.plain(figure.amount)
                raise BadInput(f"{figure.address} is to tell the number of rows, and {said} is none. Nothing was sent")
            self.told_rows = figure
        for name, column in self.declared.totals.items():
            self.told_totals[name] = self._figure(row, column, f"the total of {name}", self._reading(name))

    def _reading(self, name: str) -> Reading:
        """Give how the amounts are written of which a total is: the trailer's is written in the same way."""
        split = split_of(name, self.spec.results.summed)
        plain = any(one == (name, None) for one in self.spec.results.summed)
        return reading_of_column(self.spec, name if plain or split is None else split.column)

    def _figure(self, row: SourceRow, column: str, what: str, reading: Reading) -> Figure:
        place = self._place(column)
        address, cell = self.preparer.info.cell_address(row.number, place), row.cells[place]
        if cells.is_blank(cell, reading) or not cells.shown(cell).strip():
            raise BadInput(f"{address} is to tell {what} (source.trailer), and is empty. Nothing was sent")
        # Text is trimmed here, as files with columns of a fixed width are filled up with blanks.
        value = cells.as_number(cell.strip() if isinstance(cell, str) else cell, reading)
        if isinstance(value, Fault):
            raise BadInput(
                f'{address} is to tell {what} (source.trailer), and "{cells.cut(cells.shown(cell))}" cannot be read: '
                f"{value.message}. Nothing was sent"
            )
        return Figure(value, address)


def _said(declared: Trailer, info: SheetInfo, row: SourceRow) -> str:
    return cells.shown(row.cells[info.header.index(declared.when.column)]).strip()


def is_trailer(declared: Trailer, info: SheetInfo, row: SourceRow) -> bool:
    """Tell whether a row has the trailer's mark."""
    return _said(declared, info, row) == declared.when.equals.strip()


def trailer_of(spec: JobSpec, preparer: Preparer) -> SheetTrailer | None:
    """Give what looks out for the trailer that a job declares; None where it declares none."""
    if spec.source.trailer is None:
        return None
    return SheetTrailer(spec, spec.source.trailer, preparer, Totals(spec.results.summed))
