"""Corrections in the journal: what a row held before, append-only, and what it holds now, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, literal, select, update

from batchrun.core import payloads
from batchrun.io import journal_cells
from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_rows import RowRecord
from batchrun.io.journal_tables import corrections, rows
from batchrun.model import Amount, Cell

CHUNK = 500
KEPT = ("payload", "payload_id", "cells", "amounts")


@dataclass(frozen=True, slots=True)
class NewValues:
    """What a row is to hold from now on; in a group its first row alone bears the payload."""

    position: int
    payload: bytes | None
    cells: tuple[Cell, ...]
    amounts: tuple[Amount, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where corrections come from: who handed in which file."""

    by: str
    file_name: str
    file_sha256: str


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction of a row, as the journal tells it: what it held before, and after; no payloads once purged."""

    at: datetime
    origin: Origin
    cells_before: tuple[Cell, ...]
    cells_after: tuple[Cell, ...]
    payload_before: bytes | None
    payload_after: bytes | None


def changed_meanwhile(connection: Connection, batch: Batch, records: Sequence[RowRecord]) -> list[int]:
    """Give the numbers of those rows that are not any more as they were read: another attempt, state or payload."""
    found = {}
    for start in range(0, len(records), CHUNK):
        positions = [record.position for record in records[start : start + CHUNK]]
        wanted = select(rows.c.position, rows.c.state, rows.c.attempts, rows.c.payload).where(
            rows.c.batch_id == batch.id, rows.c.position.in_(positions)
        )
        found.update({position: tuple(held) for position, *held in connection.execute(wanted)})
    return [
        record.number
        for record in records
        if found.get(record.position) != (record.state.value, record.attempts, record.payload)
    ]


def correct(connection: Connection, batch: Batch, values: Sequence[NewValues], origin: Origin, now: datetime) -> None:
    """Keep what rows held, and give them their new values."""
    if not values:
        return
    for start in range(0, len(values), CHUNK):
        _keep(connection, batch, [one.position for one in values[start : start + CHUNK]], origin, now)
    statement = update(rows).where(rows.c.batch_id == bindparam("b"), rows.c.position == bindparam("p"))
    connection.execute(
        statement.values({name: bindparam(f"new_{name}") for name in KEPT}), [_new(batch, one) for one in values]
    )


def _keep(connection: Connection, batch: Batch, positions: Sequence[int], origin: Origin, now: datetime) -> None:
    told = {"at": text_time(now), "by": origin.by, "file_name": origin.file_name, "file_sha256": origin.file_sha256}
    held = select(
        rows.c.batch_id, rows.c.position, *(rows.c[name] for name in KEPT), *(literal(text) for text in told.values())
    ).where(rows.c.batch_id == batch.id, rows.c.position.in_(positions))
    connection.execute(insert(corrections).from_select(["batch_id", "position", *KEPT, *told], held))


def _new(batch: Batch, one: NewValues) -> dict[str, object]:
    return {
        "b": batch.id,
        "p": one.position,
        "new_payload": one.payload,
        "new_payload_id": None if one.payload is None else payloads.payload_id(one.payload),
        "new_cells": journal_cells.dump(one.cells),
        "new_amounts": journal_cells.dump_amounts(one.amounts),
    }


def of_row(connection: Connection, batch: Batch, record: RowRecord) -> list[Correction]:
    """Give every correction of one row, the first first; what one led to is what the next one found."""
    wanted = select(corrections).where(corrections.c.batch_id == batch.id, corrections.c.position == record.position)
    found = connection.execute(wanted.order_by(corrections.c.id)).all()
    states = [*((journal_cells.load(one.cells), one.payload) for one in found), (record.cells, record.payload)]
    return [
        Correction(
            at=datetime.fromisoformat(one.at),
            origin=Origin(one.by, one.file_name, one.file_sha256),
            cells_before=states[place][0],
            cells_after=states[place + 1][0],
            payload_before=states[place][1],
            payload_after=states[place + 1][1],
        )
        for place, one in enumerate(found)
    ]
