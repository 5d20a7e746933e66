"""The versions of a procedure that the runs of batches were seen to have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, literal_column, select
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_tables import batches, rows, versions_seen

AS_KEPT: ColumnElement[int] = literal_column("versions_seen.rowid")  # the order that counts: clocks are set back


class Seen(NamedTuple):
    """A version, and the sheet's number of the row in whose run it was seen first."""

    version_id: str
    number: int


def keep(connection: Connection, batch: Batch, told: Iterable[tuple[str | None, int, datetime]]) -> None:
    """Keep the versions that are new to a batch: each with the position of its row, and when it was seen."""
    values = [
        {"batch_id": batch.id, "version_id": version, "position": position, "at": text_time(at)}
        for version, position, at in told
        if version is not None
    ]
    if values:
        connection.execute(insert_or_ignore(versions_seen).on_conflict_do_nothing(), values)


def seen(connection: Connection, batch: Batch) -> list[Seen]:
    """Give the versions of a batch's runs, the one that was seen first first."""
    its_row = (rows.c.batch_id == versions_seen.c.batch_id) & (rows.c.position == versions_seen.c.position)
    wanted = select(versions_seen.c.version_id, rows.c.number).join(rows, its_row)
    found = connection.execute(wanted.where(versions_seen.c.batch_id == batch.id).order_by(AS_KEPT))
    return [Seen(version, number) for version, number in found]


def of_last_batch(connection: Connection, batch: Batch) -> tuple[str, str] | None:
    """Give the last batch before this one, in its world, of which a version is known: its name and last new version."""
    wanted = (
        select(batches.c.name, versions_seen.c.version_id)
        .join(batches, batches.c.id == versions_seen.c.batch_id)
        .where(batches.c.world == batch.world, batches.c.id < batch.id, batches.c.name.is_not(None))
        .order_by(batches.c.id.desc(), AS_KEPT.desc())
        .limit(1)
    )
    found = connection.execute(wanted).first()
    return None if found is None else (found[0], found[1])
