"""Batches in the journal: staged, sealed once their last row is committed, found again by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Exists, Row, delete, func, insert, select, update

from batchrun.core import naming
from batchrun.core.lifecycle import NEVER_SENT
from batchrun.io.journal_tables import batches, events, rows, run_ids
from batchrun.model import Environment, Mode, SheetInfo, State

UNTOUCHED = [state.value for state in (*sorted(NEVER_SENT), State.READY, State.REFUSED)]
_JSON = ("params", "settings", "knobs", "notes")


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a batch is besides its rows."""

    job: str
    stem: str
    world: str
    environment: Environment
    base_url: str
    review_url: str
    simulated: bool
    knobs: Mapping[str, Any]
    procedure_id: str
    procedure_version: str | None
    mode: Mode
    timeout_ms: int | None
    params: Mapping[str, str]
    settings: Mapping[str, Any]
    identity: bytes
    input_name: str
    input_path: str
    input_sha256: str
    spec_path: str
    spec_sha256: str
    schema_name: str
    schema_sha256: str
    sheet: SheetInfo
    notes: Sequence[str]
    made_by: str
    host: str
    made_with: str
    workbook: str


@dataclass(frozen=True, slots=True)
class Batch(Draft):
    """A sealed batch."""

    id: int
    name: str
    created_at: str
    workbook_sha256: str | None
    stopped: str | None

    @property
    def is_live(self) -> bool:
        """Tell whether what it sends takes effect: on live, and no rehearsal."""
        return self.environment == "live" and not self.simulated


def text_time(moment: datetime) -> str:
    """Write an aware time as the journal holds it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str | None) -> datetime | None:
    """Read a time of the journal."""
    return None if text is None else datetime.fromisoformat(text)


def stage(connection: Connection, draft: Draft, now: datetime) -> int:
    """Begin a batch that does not exist until it is sealed."""
    values = {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
    values |= {name: orjson.dumps(values[name]).decode() for name in _JSON}
    values["sheet"] = orjson.dumps(draft.sheet).decode()
    made = connection.execute(insert(batches).values(created_at=text_time(now), **values))
    key = made.inserted_primary_key
    assert key is not None  # noqa: S101  # SQLite gives the id of what it inserted
    return int(key[0])


def amend(connection: Connection, batch_id: int, **values: Any) -> None:
    """Set columns of a batch that are not its history: workbook, stopped, notes, settings."""
    values = {name: orjson.dumps(value).decode() if name in _JSON else value for name, value in values.items()}
    connection.execute(update(batches).where(batches.c.id == batch_id).values(**values))


def seal(connection: Connection, batch_id: int, now: datetime) -> str:
    """Give a staged batch its name; from here on it exists."""
    stem = connection.execute(select(batches.c.stem).where(batches.c.id == batch_id)).scalar_one()
    named = select(batches.c.name).where(batches.c.stem == stem, batches.c.name.is_not(None))
    numbers = [int(name.rsplit("-", 1)[1]) for (name,) in connection.execute(named)]
    name = naming.batch_name(stem, max(numbers, default=0) + 1)
    connection.execute(update(batches).where(batches.c.id == batch_id).values(name=name, sealed_at=text_time(now)))
    return name


def discard(connection: Connection, batch_id: int) -> None:
    """Remove a batch that was never sealed; leave one alone that was sealed meanwhile."""
    if batch_id not in unsealed(connection):
        return
    for table in (run_ids, events, rows):
        connection.execute(delete(table).where(table.c.batch_id == batch_id))
    connection.execute(delete(batches).where(batches.c.id == batch_id, batches.c.name.is_(None)))


def unsealed(connection: Connection) -> list[int]:
    """Give the batches that were staged and not sealed: being made now, or left by a crash."""
    return [number for (number,) in connection.execute(select(batches.c.id).where(batches.c.name.is_(None)))]


def find(connection: Connection, name: str) -> Batch | None:
    """Find a sealed batch by its name."""
    found = connection.execute(select(batches).where(batches.c.name == name)).first()
    return None if found is None else _batch(found)


def by_id(connection: Connection, batch_id: int) -> Batch | None:
    """Find a sealed batch by its number."""
    found = connection.execute(select(batches).where(batches.c.id == batch_id, batches.c.name.is_not(None))).first()
    return None if found is None else _batch(found)


def find_by_workbook(connection: Connection, path: str) -> Batch | None:
    """Find the batch whose results workbook lies at a path."""
    wanted = select(batches).where(batches.c.workbook == path, batches.c.name.is_not(None))
    found = connection.execute(wanted.order_by(batches.c.id.desc())).first()
    return None if found is None else _batch(found)


def last(connection: Connection) -> Batch | None:
    """Find the batch that was created last."""
    wanted = select(batches).where(batches.c.name.is_not(None)).order_by(batches.c.id.desc()).limit(1)
    found = connection.execute(wanted).first()
    return None if found is None else _batch(found)


def every(connection: Connection) -> list[Batch]:
    """Give all sealed batches, the newest first."""
    wanted = select(batches).where(batches.c.name.is_not(None)).order_by(batches.c.id.desc())
    return [_batch(found) for found in connection.execute(wanted)]


def names(connection: Connection) -> list[str]:
    """Give the names of all sealed batches."""
    return [name for (name,) in connection.execute(select(batches.c.name).where(batches.c.name.is_not(None)))]


def twin(connection: Connection, identity: bytes, world: str, *, untouched: bool = False) -> Batch | None:
    """Find the last batch that is the same in all that is sent, and of which something may have arrived.

    `untouched` finds one of which nothing can have arrived, too.
    """
    same = select(batches).where(batches.c.identity == identity, batches.c.world == world, batches.c.name.is_not(None))
    found = connection.execute((same if untouched else same.where(_touched())).order_by(batches.c.id.desc())).first()
    return None if found is None else _batch(found)


def _touched() -> Exists:
    return select(rows.c.batch_id).where(rows.c.batch_id == batches.c.id, rows.c.state.not_in(UNTOUCHED)).exists()


def of_sheet(connection: Connection, input_sha256: str, world: str) -> list[Batch]:
    """Give the batches of a sheet's very bytes of which something may have arrived, the newest first."""
    same = select(batches).where(batches.c.input_sha256 == input_sha256, batches.c.world == world)
    found = same.where(batches.c.name.is_not(None), _touched()).order_by(batches.c.id.desc())
    return [_batch(row) for row in connection.execute(found)]


def any_in_world(connection: Connection, world: str) -> bool:
    """Tell whether the journal holds any batch of a world."""
    wanted = select(batches.c.id).where(batches.c.world == world, batches.c.name.is_not(None))
    return connection.execute(wanted.limit(1)).first() is not None


def counts(connection: Connection, batch_ids: Iterable[int], *, payloads: bool = False) -> dict[int, dict[State, int]]:
    """Count each batch's rows by state, in the order of the states; `payloads` counts a group of rows as one."""
    wanted = (
        select(rows.c.batch_id, rows.c.state, func.count())
        .where(rows.c.batch_id.in_(list(batch_ids)))
        .group_by(rows.c.batch_id, rows.c.state)
    )
    if payloads:
        wanted = wanted.where(rows.c.leader.is_(None))
    found: dict[int, dict[State, int]] = {}
    for batch_id, state, count in connection.execute(wanted):
        found.setdefault(batch_id, {})[State(state)] = count
    return {
        batch_id: {state: by_state[state] for state in State if state in by_state}
        for batch_id, by_state in found.items()
    }


def _batch(row: Row[Any]) -> Batch:
    values = {name: getattr(row, name) for name in Batch.__dataclass_fields__}
    values |= {name: orjson.loads(values[name]) for name in _JSON}
    sheet: dict[str, Any] = orjson.loads(row.sheet)
    read: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in sheet.items()}
    values["sheet"] = SheetInfo(**read)
    return Batch(**values)
