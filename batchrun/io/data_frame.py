"""A batch's results as a pandas DataFrame, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchrun.core.cells import number_text
from batchrun.model import Cell, Number, ResultRow, Unreadable

if TYPE_CHECKING:
    from pandas import DataFrame

AFTER_OUTPUT = ("_error", "_attempts", "_sent_at", "_finished_at", "_seconds")


def results(header: Sequence[str], rows: Iterable[ResultRow], output_fields: Sequence[str]) -> DataFrame:
    """Give the columns of the Results sheet; every value keeps its own type, so the columns are of dtype object."""
    from pandas import DataFrame

    names = [
        *header,
        *("_row", "_status", "_next", "_run_id"),
        *(f"_output.{field}" for field in output_fields),
        *AFTER_OUTPUT,
    ]
    return DataFrame([_values(row, len(header), output_fields) for row in rows], columns=names, dtype=object)


def _values(row: ResultRow, width: int, output_fields: Sequence[str]) -> list[Any]:
    cells = [_value(cell) for cell in row.cells[:width]]
    return [
        *cells,
        *[None] * (width - len(cells)),
        *(row.number, row.state.value, row.next_step, row.run_id),
        *(row.output.get(field) for field in output_fields),
        *(row.error, row.attempts, row.sent_at, row.finished_at, row.seconds),
    ]


def _value(cell: Cell) -> str | bool | datetime | Any:
    if isinstance(cell, Number):
        return number_text(cell) if cell.width else cell.value
    return cell.shown if isinstance(cell, Unreadable) else cell
