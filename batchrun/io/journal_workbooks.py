"""The results workbooks that were written, in the journal: whose each is, and how it was when it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_tables import batches, workbooks


@dataclass(frozen=True, slots=True)
class WrittenWorkbook:
    """A workbook as it was written.

    `widths` are the widths that its columns would have by themselves, in characters, by header. `kept` says that
    something of a person's was carried over into it.
    """

    batch: str
    sha256: str
    widths: Mapping[str, float]
    kept: bool


def note(
    connection: Connection,
    batch: Batch,
    path: Path,
    sha256: str,
    widths: Mapping[str, float],
    now: datetime,
    *,
    kept: bool,
) -> None:
    """Note a workbook that was just written."""
    values = {
        "batch_id": batch.id,
        "sha256": sha256,
        "widths": orjson.dumps(dict(widths)).decode(),
        "kept": kept,
        "written_at": text_time(now),
    }
    statement = insert(workbooks).values(path=str(path), **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[workbooks.c.path], set_=values))


def written_at(connection: Connection, path: Path) -> WrittenWorkbook | None:
    """Give what was written at a place last; None where nothing was."""
    wanted = (
        select(batches.c.name, workbooks.c.sha256, workbooks.c.widths, workbooks.c.kept)
        .join(batches, batches.c.id == workbooks.c.batch_id)
        .where(workbooks.c.path == str(path))
    )
    found = connection.execute(wanted).first()
    return None if found is None else WrittenWorkbook(found.name, found.sha256, orjson.loads(found.widths), found.kept)
