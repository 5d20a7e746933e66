"""What a plan asks of the journal: the rows that are staged, by hash, and the batch that rehearsed them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, select

from batchrun.core.lifecycle import NEVER_SENT
from batchrun.core.plan import StagedRow
from batchrun.io import journal_batches, journal_cells
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_tables import batches, rows
from batchrun.model import Amount, Cell, State

UNSENT = [state.value for state in (*sorted(NEVER_SENT), State.READY, State.REFUSED)]


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A staged row as the plan's workbook shows it."""

    number: int
    key: tuple[str, ...]
    amounts: tuple[Amount, ...]
    state: State
    why: str | None
    cells: tuple[Cell, ...] = ()


def staged_rows(connection: Connection, batch_id: int) -> list[StagedRow]:
    """Give every row of a batch by the hash of its payload, in the source's order."""
    wanted = select(rows.c.number, rows.c.state, rows.c.payload, rows.c.error).where(rows.c.batch_id == batch_id)
    found = connection.execute(wanted.order_by(rows.c.position).execution_options(yield_per=500))
    return [
        StagedRow(number, State(state), None if payload is None else hashlib.sha256(payload).hexdigest(), why)
        for number, state, payload, why in found
    ]


def shown_rows(connection: Connection, batch_id: int, columns: Sequence[int]) -> Iterator[ShownRow]:
    """Give every row of a batch for people, in the source's order, with its cells in some of the sheet's columns."""
    wanted = select(
        rows.c.number, rows.c.key, rows.c.amounts, rows.c.state, rows.c.error, rows.c.problems, rows.c.cells
    )
    wanted = wanted.where(rows.c.batch_id == batch_id).order_by(rows.c.position)
    found = connection.execute(wanted.execution_options(yield_per=500))
    for number, key, amounts, state, why, problems, cells in found:
        said = why or (orjson.loads(problems)[0]["message"] if problems else None)
        kept, every = tuple(journal_cells.load_amounts(amounts)), journal_cells.load(cells)
        shown = tuple(every[place] if place < len(every) else None for place in columns)  # a faulty row may have fewer
        yield ShownRow(number, tuple(orjson.loads(key)), kept, State(state), said, shown)


def rehearsal(connection: Connection, batch_id: int, procedure_id: str) -> Batch | None:
    """Find the last sandbox batch in which every payload that would be sent was sent; None where there is none.

    A simulated batch was sent to nobody, so it is none.
    """
    wanted = _payload_ids(connection, batch_id, State.READY)
    if not wanted:
        return None
    candidates = select(batches.c.id, batches.c.name).where(
        batches.c.environment == "sandbox",
        batches.c.simulated.is_(False),
        batches.c.name.is_not(None),
        batches.c.procedure_id == procedure_id,
    )
    for other, name in connection.execute(candidates.order_by(batches.c.id.desc())):
        if wanted <= _payload_ids(connection, other):
            return journal_batches.find(connection, name)
    return None


def _payload_ids(connection: Connection, batch_id: int, state: State | None = None) -> set[bytes]:
    wanted = select(rows.c.payload_id).where(rows.c.batch_id == batch_id, rows.c.payload_id.is_not(None))
    wanted = wanted.where(rows.c.state.not_in(UNSENT) if state is None else rows.c.state == state.value)
    return {payload_id for (payload_id,) in connection.execute(wanted)}
