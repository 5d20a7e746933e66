"""Rows in doubt that could be mistaken for each other: they have the very same payload."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from batchrun.io.journal_batches import Batch
from batchrun.io.journal_tables import batches, rows
from batchrun.model import State

_AT_ONCE = 500
_IN_DOUBT = State.IN_DOUBT.value


def twins(connection: Connection, batch: Batch, positions: Sequence[int]) -> dict[int, int]:
    """Count, for each of some rows that has any, the other rows in doubt, in the batch's world, with its payload."""
    # Looked for once for all of them: payloads have no index, so for each row it would be a look at every row in doubt.
    wanted = (
        select(rows.c.payload_id, func.count().label("times"))
        .join(batches, batches.c.id == rows.c.batch_id)
        .where(batches.c.world == batch.world, rows.c.state == _IN_DOUBT, rows.c.payload_id.is_not(None))
        .group_by(rows.c.payload_id)
        .having(func.count() > 1)
    )
    alike: dict[bytes, int] = {row.payload_id: row.times for row in connection.execute(wanted)}
    found: dict[int, int] = {}
    for start in range(0, len(positions) if alike else 0, _AT_ONCE):
        some = rows.c.batch_id == batch.id, rows.c.position.in_(positions[start : start + _AT_ONCE])
        for position, state, payload_id in connection.execute(
            select(rows.c.position, rows.c.state, rows.c.payload_id).where(*some)
        ):
            if payload_id in alike:
                found[position] = alike[payload_id] - (state == _IN_DOUBT)
    return found
