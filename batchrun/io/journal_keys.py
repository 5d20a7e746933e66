"""One key over all batches of the journal: found by its hash in every world, and its whole text looked through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row, func, select

from batchrun.core.near_keys import Key
from batchrun.core.review import Recorded
from batchrun.io import journal_batches, journal_decisions, journal_purges
from batchrun.io.journal_batches import Batch, parse_time
from batchrun.io.journal_rows import takes_key
from batchrun.io.journal_tables import batches, corrections, events, rows, run_ids
from batchrun.model import State

AT_ONCE = 400
PAGE = 2_000


class Place(NamedTuple):
    """Where a row stands in the journal."""

    batch_id: int
    position: int


class Searched(NamedTuple):
    """How many batches a journal holds, and when the first and the last of them were made."""

    batches: int
    first: str | None
    last: str | None


class ToldRow(NamedTuple):
    """One row as a list names it; `at` is when it was sent, or its batch made."""

    place: Place
    batch: str
    environment: str
    simulated: bool
    number: int
    key: Key
    state: State
    at: str


class Attempt(NamedTuple):
    """One run of a row: which attempt it was, and the state in which the journal saw it last."""

    number: int
    run_id: str
    state: State


class CorrectedFrom(NamedTuple):
    """When a row was corrected, by whom, and from which file."""

    at: str
    by: str
    file_name: str
    file_sha256: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One row that has a key, in one batch. `payload` is None for a part of a group, and once it was purged."""

    batch: Batch
    position: int
    number: int
    state: State
    key: Key
    key_id: bytes | None
    payload: bytes | None
    payload_id: bytes | None
    attempts: int
    run_id: str | None
    output: bytes | None
    error: str | None
    sent_at: datetime | None
    finished_at: datetime | None
    takes_key: bool
    purged_at: str | None
    runs: tuple[Attempt, ...] = ()
    decisions: tuple[Recorded, ...] = ()
    corrections: tuple[CorrectedFrom, ...] = ()


def searched(connection: Connection) -> Searched:
    """Say how many batches there are, and between which times they were made."""
    wanted = select(func.count(), func.min(batches.c.created_at), func.max(batches.c.created_at))
    return Searched(*connection.execute(wanted.where(batches.c.name.is_not(None))).one())


def worlds(connection: Connection) -> list[tuple[str, Mapping[str, str]]]:
    """Give every world of the journal with every choice of params in it: a key is hashed with both."""
    wanted = select(batches.c.world, batches.c.params).where(batches.c.name.is_not(None)).distinct()
    return [(world, orjson.loads(params)) for world, params in connection.execute(wanted)]


def by_hashes(connection: Connection, key_ids: Sequence[bytes]) -> set[Place]:
    """Find the rows of sealed batches whose keys have these hashes; an index does it."""
    found: set[Place] = set()
    for start in range(0, len(key_ids), AT_ONCE):
        wanted = (
            select(rows.c.batch_id, rows.c.position)
            .join(batches, batches.c.id == rows.c.batch_id)
            .where(rows.c.key_id.in_(key_ids[start : start + AT_ONCE]), batches.c.name.is_not(None))
        )
        found.update(Place(*place) for place in connection.execute(wanted))
    return found


def texts(connection: Connection) -> Iterator[Sequence[Row[str, int, int]]]:
    """Give every row's key as JSON text, with its place, a page at a time; it reads through the whole table."""
    wanted = select(rows.c.key, rows.c.batch_id, rows.c.position).execution_options(yield_per=PAGE)
    yield from connection.execute(wanted).partitions()


def sightings(connection: Connection, places: Sequence[Place]) -> list[Sighting]:
    """Read the rows at some places of sealed batches, the oldest batch first."""
    known: dict[int, Batch | None] = {}
    found = [one for place in sorted(places) if (one := _sighting(connection, place, known)) is not None]
    return sorted(found, key=lambda one: (one.batch.created_at, one.batch.id, one.position))


def _sighting(connection: Connection, place: Place, known: dict[int, Batch | None]) -> Sighting | None:
    if place.batch_id not in known:
        known[place.batch_id] = journal_batches.by_id(connection, place.batch_id)
    batch = known[place.batch_id]
    if batch is None:
        return None
    row = _row(connection, place, batch)
    owner = row if row.leader is None else _row(connection, Place(batch.id, row.leader), batch)
    return Sighting(
        batch=batch,
        position=row.position,
        number=row.number,
        state=State(row.state),
        key=tuple(orjson.loads(row.key)),
        key_id=row.key_id,
        payload=owner.payload,
        payload_id=owner.payload_id,
        attempts=row.attempts,
        run_id=row.run_id,
        output=row.output,
        error=row.error,
        sent_at=parse_time(row.sent_at),
        finished_at=parse_time(row.finished_at),
        takes_key=bool(owner.takes_key),
        purged_at=journal_purges.purged_at(connection, batch.id),
        runs=tuple(_runs(connection, batch, owner)),
        decisions=tuple(journal_decisions.of_row(connection, batch, owner.position)),
        corrections=tuple(_corrections(connection, Place(batch.id, row.position))),
    )


def _row(connection: Connection, place: Place, batch: Batch) -> Row[Any]:
    wanted = select(rows, takes_key(rows, batch.environment).label("takes_key"))
    return connection.execute(wanted.where(*_at(rows, place))).one()


def _at(table: Any, place: Place) -> tuple[Any, Any]:
    return table.c.batch_id == place.batch_id, table.c.position == place.position


def _runs(connection: Connection, batch: Batch, owner: Row[Any]) -> Iterator[Attempt]:
    """Give every run that a row ever had, with its last state; one that a webhook told may bear no event."""
    place = Place(batch.id, owner.position)
    wanted = select(run_ids.c.attempt, run_ids.c.run_id).where(*_at(run_ids, place), run_ids.c.origin == batch.world)
    for attempt, run_id in connection.execute(wanted.order_by(run_ids.c.attempt)):
        of_attempt = select(events.c.after).where(*_at(events, place), events.c.attempt == attempt)
        # What was made ready again belongs to the attempt that ended; its end is what counts.
        ended = of_attempt.where(events.c.after != State.READY.value).order_by(events.c.id.desc()).limit(1)
        last = connection.execute(ended).scalar()
        state = owner.state if run_id == owner.run_id or last is None else last
        yield Attempt(attempt, run_id, State(state))


def _corrections(connection: Connection, place: Place) -> Iterator[CorrectedFrom]:
    wanted = select(corrections.c.at, corrections.c.by, corrections.c.file_name, corrections.c.file_sha256).where(
        *_at(corrections, place)
    )
    yield from (CorrectedFrom(*one) for one in connection.execute(wanted.order_by(corrections.c.id)))


def told_at(connection: Connection, places: Sequence[Place]) -> list[ToldRow]:
    """Give what a list of rows says of some, leaving out those of batches that are not sealed."""
    found: list[ToldRow] = []
    for place in places:
        wanted = (
            select(
                batches.c.name,
                batches.c.environment,
                batches.c.simulated,
                rows.c.number,
                rows.c.key,
                rows.c.state,
                func.coalesce(rows.c.sent_at, batches.c.created_at),
            )
            .join(batches, batches.c.id == rows.c.batch_id)
            .where(batches.c.name.is_not(None), *_at(rows, place))
        )
        for name, environment, simulated, number, key, state, at in connection.execute(wanted):
            found.append(
                ToldRow(place, name, environment, simulated, number, tuple(orjson.loads(key)), State(state), at)
            )
    return found
