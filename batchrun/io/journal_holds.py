"""What the journal knows of a batch that is held until a person has looked: its settings, and the rows sent first."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select

from batchrun.core.canary import First
from batchrun.core.lifecycle import NEVER_SENT
from batchrun.io import journal_batches
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_tables import batches, events, rows
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


def sent_first(connection: Connection, batch: Batch, up_to: int) -> list[First]:
    """Give the rows up to a position that are sent first, a group as its first row.

    A row that was never to be sent is none of them; one whose key was taken when its turn came is.
    """
    same_row = (events.c.batch_id == rows.c.batch_id) & (events.c.position == rows.c.position)
    left_out = (
        rows.c.state.in_([state.value for state in sorted(NEVER_SENT)]) & ~select(events.c.id).where(same_row).exists()
    )
    wanted = (
        select(rows.c.number, rows.c.key, rows.c.state, rows.c.run_id, rows.c.error, rows.c.output)
        .where(rows.c.batch_id == batch.id, rows.c.position <= up_to, rows.c.leader.is_(None), ~left_out)
        .order_by(rows.c.position)
    )
    return [
        First(number, tuple(orjson.loads(key)), State(state), run_id, error or (output or b"").decode())
        for number, key, state, run_id, error, output in connection.execute(wanted)
    ]
