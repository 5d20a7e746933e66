"""What the journal knows of a batch that is held until a person has looked: its settings, and the rows sent first."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select

from batchrun.core.lifecycle import NEVER_SENT
from batchrun.io import journal_batches, journal_rows
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_rows import RowRecord
from batchrun.io.journal_tables import batches, rows
from batchrun.model import State


def settings_of(connection: Connection, batch_id: int) -> dict[str, Any]:
    """Give a batch's settings as they are now; a `Batch` holds them as they were when it was opened."""
    found: dict[str, Any] = orjson.loads(
        connection.execute(select(batches.c.settings).where(batches.c.id == batch_id)).scalar_one()
    )
    return found


def change_settings(connection: Connection, batch_id: int, **changes: Any) -> None:
    """Change some of a batch's settings, and leave the others."""
    journal_batches.amend(connection, batch_id, settings={**settings_of(connection, batch_id), **changes})


def last_of_first(connection: Connection, batch_id: int, count: int) -> int | None:
    """Give the position of the last of so many payloads that are ready; None where there are no more than these."""
    ready = (rows.c.batch_id == batch_id) & (rows.c.state == State.READY.value) & rows.c.leader.is_(None)
    wanted = select(rows.c.position).where(ready).order_by(rows.c.position).offset(count - 1).limit(2)
    found = list(connection.execute(wanted).scalars())
    return found[0] if len(found) > 1 else None


def sent_first(connection: Connection, batch: Batch, up_to: int) -> list[RowRecord]:
    """Give the rows up to a position that are sent first, a group as its first row."""
    found = []
    for record in journal_rows.stream(connection, batch):
        if record.position > up_to:
            break
        if record.leader is None and not _was_left_out(connection, batch, record):
            found.append(record)
    return found


def _was_left_out(connection: Connection, batch: Batch, record: RowRecord) -> bool:
    """Tell whether a row was never to be sent; one whose key was taken when its turn came was."""
    return record.state in NEVER_SENT and not journal_rows.history(connection, batch.id, record.position)
