"""What a comparison asks the journal: a batch's keys and amounts, and the contents of some of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Row, select

from batchrun.io import journal_cells
from batchrun.io.journal_tables import rows
from batchrun.model import Amount, Cell, State


class KeyRow(NamedTuple):
    """One row of a batch as a comparison needs it; `cells` only where they were asked for."""

    position: int
    number: int
    state: State
    key: tuple[str, ...]
    amounts: list[Amount]
    cells: tuple[Cell, ...] = ()


def key_rows(connection: Connection, batch_id: int, *, cells: bool) -> Iterator[KeyRow]:
    """Give a batch's rows in the source's order, a few at a time."""
    columns: list[ColumnElement[Any]] = [rows.c.position, rows.c.number, rows.c.state, rows.c.key, rows.c.amounts]
    wanted = select(*columns, *([rows.c.cells] if cells else []))
    found = connection.execute(wanted.where(rows.c.batch_id == batch_id).order_by(rows.c.position))
    for row in found.yield_per(500):
        yield _key_row(row, journal_cells.load(row.cells) if cells else ())


def _key_row(row: Row[Any], cells: tuple[Cell, ...]) -> KeyRow:
    amounts = journal_cells.load_amounts(row.amounts)
    return KeyRow(row.position, row.number, State(row.state), tuple(orjson.loads(row.key)), amounts, cells)


def contents(
    connection: Connection, batch_id: int, positions: Sequence[int]
) -> dict[int, tuple[bytes | None, tuple[Cell, ...]]]:
    """Give payload and cells of some rows, by position."""
    wanted = select(rows.c.position, rows.c.payload, rows.c.cells)
    found = connection.execute(wanted.where(rows.c.batch_id == batch_id, rows.c.position.in_(positions)))
    return {position: (payload, journal_cells.load(cells)) for position, payload, cells in found}


def completed_amounts(connection: Connection, batch_id: int) -> Iterator[list[Amount]]:
    """Give the control amounts of a batch's completed rows."""
    wanted = select(rows.c.amounts).where(rows.c.batch_id == batch_id, rows.c.state == State.COMPLETED.value)
    for (amounts,) in connection.execute(wanted.execution_options(yield_per=2000)):
        yield journal_cells.load_amounts(amounts)
