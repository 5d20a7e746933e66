"""Takes payloads, cells and files of old batches out of the journal; what proves that nothing runs twice stays."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, bindparam, delete, exists, insert, not_, or_, select, update

from batchrun.core import purging
from batchrun.core.lifecycle import Event
from batchrun.io import journal_cells, journal_rows
from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_tables import (
    batches,
    corrections,
    decision_answers,
    decisions,
    deliveries,
    events,
    file_pieces,
    meta,
    purges,
    rows,
    run_ids,
)
from batchrun.model import State

AT_ONCE = 500
TO_ERASE = "purged_not_erased"  # while it is there, bytes of what was removed may still be in the file
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
# Words of batchrun's own, and of who settled a row: they are the audit trail. All others may repeat a cell's value.
_OWN_EVENTS = [event.value for event in (Event.RETRY, Event.NOT_RUN, Event.KEY_TAKEN)]
_OWN_WORDS = ("by webhook ", "settled by ")


class Purge(NamedTuple):
    """When a batch's payloads and cells were removed, and by whom."""

    at: str
    by: str


def purge_of(connection: Connection, batch_id: int) -> Purge | None:
    """Give when a batch was purged; None where it never was."""
    found = connection.execute(select(purges.c.at, purges.c.by).where(purges.c.batch_id == batch_id)).first()
    return None if found is None else Purge(*found)


def purged_at(connection: Connection, batch_id: int) -> str | None:
    """Give only the time of it."""
    found = purge_of(connection, batch_id)
    return None if found is None else found.at


def every(connection: Connection) -> dict[int, Purge]:
    """Give every purge, by batch id."""
    found = connection.execute(select(purges.c.batch_id, purges.c.at, purges.c.by))
    return {batch_id: Purge(at, by) for batch_id, at, by in found}


def purge(connection: Connection, batch: Batch, now: datetime, by: str) -> None:
    """Remove what a batch's rows hold besides keys, hashes, amounts, run ids, states and times; and its files."""
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    _clear_rows(connection, batch.id)
    _clear_trail(connection, batch.id)
    connection.execute(insert(purges).values(batch_id=batch.id, at=text_time(now), by=by))
    scrub_deliveries(connection, batch)
    _drop_files(connection, batch.id)
    note_to_erase(connection, True)


def _clear_rows(connection: Connection, batch_id: int) -> None:
    nothing = journal_cells.dump(())
    own = State.DUPLICATE.value, State.INVALID.value
    for some in journal_rows.stretches(connection, batch_id):
        these = rows.c.batch_id == batch_id, rows.c.position.between(some[0], some[-1])
        connection.execute(update(rows).where(*these).values(payload=None, cells=nothing, output=None))
        connection.execute(update(rows).where(*these, rows.c.state.not_in(own)).values(error=None))
        _clear_problems(connection, batch_id, select(rows.c.position, rows.c.problems).where(*these))
    connection.execute(
        update(corrections).where(corrections.c.batch_id == batch_id).values(payload=None, cells=nothing)
    )


def _clear_problems(connection: Connection, batch_id: int, wanted: Select[Any]) -> None:
    """Leave of each problem where it was and of which kind; its words may repeat the value."""
    found = connection.execute(wanted.where(rows.c.problems.is_not(None))).all()
    changes = [{"b": batch_id, "p": position, "left": _without_values(text)} for position, text in found]
    statement = update(rows).where(rows.c.batch_id == bindparam("b"), rows.c.position == bindparam("p"))
    if changes:
        connection.execute(statement.values(problems=bindparam("left")), changes)


def _without_values(text: str) -> str:
    return orjson.dumps([{**one, "value": None, "message": purging.REMOVED} for one in orjson.loads(text)]).decode()


def _clear_trail(connection: Connection, batch_id: int) -> None:
    """Keep every step and decision with its time; drop the words that came from outside."""
    own = or_(events.c.event.in_(_OWN_EVENTS), *(events.c.detail.startswith(words) for words in _OWN_WORDS))
    foreign = events.c.batch_id == batch_id, events.c.detail.is_not(None), not_(own)
    for some in journal_rows.stretches(connection, batch_id):
        these = events.c.position.between(some[0], some[-1])
        connection.execute(update(events).where(*foreign, these).values(detail=None))
    of_batch = decisions.c.batch_id == batch_id
    connection.execute(update(decisions).where(of_batch).values(rejection_reason=None, outputs=None, detail=None))
    about = decision_answers.c.decision_id.in_(select(decisions.c.id).where(of_batch))
    connection.execute(update(decision_answers).where(about).values(detail=None))


def scrub_deliveries(connection: Connection, batch: Batch, since: str = "") -> int:
    """Leave of the webhooks about a batch's runs, since a time, what tells a state; give how many were changed."""
    about = run_ids.c.batch_id == batch.id, run_ids.c.origin == batch.world
    its_runs = select(run_ids.c.run_id).where(*about)
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    return _scrub(connection, deliveries.c.run_id.in_(its_runs), deliveries.c.received_at >= since)


def scrub_strangers(connection: Connection, before: datetime) -> int:
    """Do the same with webhooks that came before a time and name no run of this journal."""
    known = exists().where(run_ids.c.run_id == deliveries.c.run_id)
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    return _scrub(connection, not_(known), deliveries.c.received_at < text_time(before))


def _scrub(connection: Connection, *which: Any) -> int:
    numbers = array("q", connection.execute(select(deliveries.c.id).where(*which)).scalars())
    statement = update(deliveries).where(deliveries.c.id == bindparam("d")).values(body=bindparam("left"))
    changed = 0
    for start in range(0, len(numbers), AT_ONCE):
        wanted = select(deliveries.c.id, deliveries.c.body).where(deliveries.c.id.in_(numbers[start : start + AT_ONCE]))
        changes = [
            {"d": number, "left": left}
            for number, body in connection.execute(wanted)
            if (left := purging.bare_delivery(body)) != body
        ]
        if changes:
            connection.execute(statement, changes)
        changed += len(changes)
    return changed


def _drop_files(connection: Connection, batch_id: int) -> None:
    """Drop the files that purged batches refer to, and no other one, sealed or not."""
    connection.execute(
        delete(file_pieces).where(file_pieces.c.sha256.in_(bindparam("dropped", expanding=True))),
        {"dropped": sorted(_files_of(connection, [batch_id]) - _files_of(connection, _unpurged(connection)))},
    )


def _unpurged(connection: Connection) -> list[int]:
    wanted = select(batches.c.id).where(batches.c.id.not_in(select(purges.c.batch_id)))
    return [batch_id for (batch_id,) in connection.execute(wanted)]


def _files_of(connection: Connection, batch_ids: Sequence[int]) -> set[str]:
    """Give the files that batches refer to: in columns of their own, or named in their settings."""
    found: set[str] = set()
    for start in range(0, len(batch_ids), AT_ONCE):
        found.update(_files_of_some(connection, batch_ids[start : start + AT_ONCE]))
    return found


def _files_of_some(connection: Connection, batch_ids: Sequence[int]) -> Iterator[str]:
    held = select(batches.c.input_sha256, batches.c.spec_sha256, batches.c.schema_sha256, batches.c.settings).where(
        batches.c.id.in_(batch_ids)
    )
    for *named, settings in connection.execute(held):
        yield from named
        yield from _SHA256.findall(settings)
    for table, column in ((decisions, "workbook_sha256"), (corrections, "file_sha256")):
        wanted = select(table.c[column]).where(table.c.batch_id.in_(batch_ids)).distinct()
        yield from (sha256 for (sha256,) in connection.execute(wanted))


def note_to_erase(connection: Connection, is_left: bool) -> None:
    """Note that bytes of what was removed may still be in the file, or that they are gone."""
    connection.execute(delete(meta).where(meta.c.name == TO_ERASE))
    if is_left:
        connection.execute(insert(meta).values(name=TO_ERASE, value="1"))


def is_to_erase(connection: Connection) -> bool:
    """Tell whether a purge was interrupted before the file was written anew."""
    return connection.execute(select(meta.c.value).where(meta.c.name == TO_ERASE)).first() is not None
