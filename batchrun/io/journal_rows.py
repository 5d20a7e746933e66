"""Rows in the journal: staged in bulk, stepped by compare-and-set, read as streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, insert, or_, select, update

from batchrun.core import payloads
from batchrun.core.duplicates import Taken
from batchrun.core.latencies import Course
from batchrun.core.lifecycle import ENDED, TAKES_KEY, TAKES_KEY_ON_LIVE
from batchrun.core.prepare import Prepared
from batchrun.core.review import LIVE, DecisionState
from batchrun.io import journal_cells
from batchrun.io.journal_batches import Batch, parse_time
from batchrun.io.journal_tables import batches, decisions, events, purges, rows
from batchrun.model import Amount, Cell, Environment, Problem, State

AT_ONCE = 2_000
OTHER_PAYLOAD = ", with another payload than this row's"


@dataclass(frozen=True, slots=True)
class RowRecord:
    """One row as the journal holds it."""

    position: int
    number: int
    state: State
    key: tuple[str, ...]
    cells: tuple[Cell, ...]
    amounts: tuple[Amount, ...]
    problems: tuple[Problem, ...]
    attempts: int
    run_id: str | None
    output: Any
    error: str | None
    sent_at: datetime | None
    finished_at: datetime | None
    payload: bytes | None
    leader: int | None = None

    @property
    def owner(self) -> int:
        """The position of the row that bears the payload, the run and the history: in a group its first row."""
        return self.position if self.leader is None else self.leader

    @property
    def bare(self) -> RowRecord:
        """The row without what is large: of many rows, it is kept where they are only counted, named and stepped."""
        return replace(self, cells=(), problems=(), output=None, payload=None)


def staged_values(
    batch_id: int,
    position: int,
    prepared: Prepared,
    world: str,
    period: Sequence[tuple[str, str]],
    leader: int | None = None,
) -> dict[str, Any]:
    """Give a prepared row as values to insert; `leader` is the position of the row whose payload it is a part of."""
    ready = not prepared.is_invalid
    return {
        "batch_id": batch_id,
        "position": position,
        "number": prepared.row.number,
        "state": State.READY.value if ready else State.INVALID.value,
        "key": orjson.dumps(prepared.key).decode(),
        "key_id": payloads.key_id(world, prepared.key, period) if prepared.key else None,
        "payload": prepared.payload,
        "payload_id": payloads.payload_id(prepared.payload) if prepared.payload is not None else None,
        "cells": journal_cells.dump(prepared.row.cells),
        "amounts": journal_cells.dump_amounts(prepared.amounts),
        "problems": orjson.dumps(prepared.problems).decode() if prepared.problems else None,
        "attempts": 0,
        "leader": leader,
        "error": prepared.note,
    }


def insert_rows(connection: Connection, values: Sequence[dict[str, Any]]) -> None:
    """Insert staged rows, each with the same columns."""
    if values:
        # As the driver takes them: to have each row's values looked at again took half of the time of an insert.
        statement = insert(rows).compile(dialect=connection.dialect, column_keys=list(values[0]))
        in_order = itemgetter(*(statement.positiontup or ()))
        connection.exec_driver_sql(str(statement), [in_order(one) for one in values])


def make_invalid(connection: Connection, batch_id: int, found: Iterable[tuple[int, Sequence[Problem]]]) -> None:
    """Make staged rows invalid, by row number, and keep why."""
    changes = [{"b": batch_id, "n": number, "why": orjson.dumps(list(problems)).decode()} for number, problems in found]
    if changes:
        statement = update(rows).where(rows.c.batch_id == bindparam("b"), rows.c.number == bindparam("n"))
        connection.execute(statement.values(state=State.INVALID.value, problems=bindparam("why")), changes)


def takes_key(row: Any, environment: Environment) -> ColumnElement[bool]:
    """Give the condition under which a row takes its key in its world."""
    states = sorted(state.value for state in (TAKES_KEY_ON_LIVE if environment == "live" else TAKES_KEY))
    return or_(row.c.state.in_(states), was_rejected(row))


def was_rejected(row: Any) -> ColumnElement[bool]:
    """Give the condition under which a row's run failed at its review: a rejection never frees a key.

    A run that was approved and failed before it was read again looks the same, and is treated with the same caution;
    so is one of which nobody knows who decided it, and how.
    """
    at_review = (events.c.before == State.AWAITING_REVIEW.value) & (events.c.after == State.FAILED.value)
    same_row = (events.c.batch_id == row.c.batch_id) & (events.c.position == row.c.position)
    same_attempt = events.c.attempt == row.c.attempts
    failed_there = select(events.c.id).where(same_row, same_attempt, at_review).exists()
    told_no = decisions.c.approved.is_(False) & decisions.c.state.in_([state.value for state in sorted(LIVE)])
    unknown = decisions.c.state.in_([DecisionState.CONFLICT.value, DecisionState.UNCLEAR.value])
    same_run = (decisions.c.batch_id == row.c.batch_id) & (decisions.c.run_id == row.c.run_id)
    rejected_by_us = select(decisions.c.id).where(same_run, or_(told_no, unknown)).exists()
    return and_(row.c.state == State.FAILED.value, or_(failed_there, rejected_by_us))


def rejected(connection: Connection, batch: Batch) -> set[int]:
    """Give the positions of a batch's rows whose run failed at its review."""
    wanted = select(rows.c.position).where(rows.c.batch_id == batch.id, was_rejected(rows))
    return {position for (position,) in connection.execute(wanted)}


def mark_duplicates(connection: Connection, batch_id: int, environment: Environment) -> int:
    """Make those staged rows duplicates whose key is taken in their world, and say by what."""
    other = rows.alias("other")
    wanted = (
        select(
            rows.c.position,
            batches.c.name,
            other.c.number,
            other.c.state,
            other.c.sent_at,
            other.c.run_id,
            (other.c.payload_id == rows.c.payload_id).label("same_payload"),
            purges.c.at.label("purged_at"),
        )
        .join(other, (other.c.key_id == rows.c.key_id) & (other.c.batch_id != rows.c.batch_id))
        .join(batches, batches.c.id == other.c.batch_id)
        .outerjoin(purges, purges.c.batch_id == other.c.batch_id)
        .where(rows.c.batch_id == batch_id, rows.c.state == State.READY.value, batches.c.name.is_not(None))
        .where(takes_key(other, environment))
    )
    statement = update(rows).where(rows.c.batch_id == bindparam("b"), rows.c.position == bindparam("p"))
    statement = statement.values(state=State.DUPLICATE.value, error=bindparam("why"))
    marked = 0
    for some in stretches(connection, batch_id):
        found = {
            row.position: _taken_by(row) + ("" if row.same_payload else OTHER_PAYLOAD)
            for row in connection.execute(wanted.where(rows.c.position.between(some[0], some[-1])))
        }
        if found:
            connection.execute(
                statement, [{"b": batch_id, "p": position, "why": why} for position, why in found.items()]
            )
        marked += len(found)
    return marked


def stretches(connection: Connection, batch_id: int) -> Iterator[range]:
    """Give the positions of a batch's rows, some at a time: what changes all of them at once is held in memory."""
    last = connection.execute(select(func.max(rows.c.position)).where(rows.c.batch_id == batch_id)).scalar()
    for first in range(0, 0 if last is None else last + 1, AT_ONCE):
        yield range(first, first + AT_ONCE)


def _taken_by(row: Any) -> str:
    state = row.state.replace("_", " ")
    sent = f", sent {row.sent_at[:10]}" if row.sent_at else ""
    run = f", run {row.run_id}" if row.run_id else ""
    purged = f", payload and cells removed on {row.purged_at[:10]}" if row.purged_at else ""
    return f"the key is taken by row {row.number} of {row.name} ({state}{sent}{run}{purged})"


def changed_duplicates(connection: Connection, batch_id: int) -> list[int]:
    """Give the row numbers of duplicates whose key was sent with another payload."""
    wanted = select(rows.c.number).where(rows.c.batch_id == batch_id, rows.c.state == State.DUPLICATE.value)
    found = connection.execute(wanted.where(rows.c.error.endswith(OTHER_PAYLOAD)).order_by(rows.c.position))
    return [number for (number,) in found]


def taken_keys(connection: Connection, key_ids: Sequence[bytes], environment: Environment) -> dict[bytes, str]:
    """Give those of some keys that are taken, and say by what; for `check`, which records nothing."""
    found = rows.join(batches, batches.c.id == rows.c.batch_id).outerjoin(purges, purges.c.batch_id == rows.c.batch_id)
    told = (batches.c.name, rows.c.number, rows.c.state, rows.c.sent_at, rows.c.run_id, purges.c.at.label("purged_at"))
    wanted = select(rows.c.key_id, *told).select_from(found)
    wanted = wanted.where(rows.c.key_id.in_(key_ids), takes_key(rows, environment))
    return {row.key_id: _taken_by(row) for row in connection.execute(wanted)}


def duplicates(connection: Connection, batch_id: int, most: int) -> list[Taken]:
    """Give a batch's first duplicates, and what took their keys."""
    wanted = select(rows.c.number, rows.c.key, rows.c.error).where(
        rows.c.batch_id == batch_id, rows.c.state == State.DUPLICATE.value
    )
    found = connection.execute(wanted.order_by(rows.c.position).limit(most))
    return [Taken(number, tuple(orjson.loads(key)), error or "") for number, key, error in found]


def stream(connection: Connection, batch: Batch, states: Sequence[State] = ()) -> Iterator[RowRecord]:
    """Give a batch's rows in the source's order, a few at a time."""
    wanted = select(rows).where(rows.c.batch_id == batch.id).order_by(rows.c.position)
    if states:
        wanted = wanted.where(rows.c.state.in_([state.value for state in states]))
    for row in connection.execute(wanted.execution_options(yield_per=500)):
        yield _record(row)


def group_of(connection: Connection, batch: Batch, owner: int) -> list[RowRecord]:
    """Give a row, and those that are of its group."""
    wanted = select(rows).where(rows.c.batch_id == batch.id, (rows.c.position == owner) | (rows.c.leader == owner))
    return [_record(row) for row in connection.execute(wanted.order_by(rows.c.position))]


def by_number(connection: Connection, batch: Batch, number: int) -> RowRecord | None:
    """Find one row by the sheet's row number."""
    found = connection.execute(select(rows).where(rows.c.batch_id == batch.id, rows.c.number == number)).first()
    return None if found is None else _record(found)


def amounts_by_state(connection: Connection, batch_id: int) -> Iterator[tuple[State, list[Amount]]]:
    """Give every row's state and control amounts."""
    wanted = select(rows.c.state, rows.c.amounts).where(rows.c.batch_id == batch_id)
    for state, amounts in connection.execute(wanted.execution_options(yield_per=2000)):
        yield State(state), journal_cells.load_amounts(amounts)


def problems(connection: Connection, batch_id: int) -> Iterator[Problem]:
    """Give every problem of a batch's rows."""
    wanted = select(rows.c.problems).where(rows.c.batch_id == batch_id, rows.c.problems.is_not(None))
    for (text,) in connection.execute(wanted.order_by(rows.c.position).execution_options(yield_per=500)):
        yield from (Problem(**problem) for problem in orjson.loads(text))


def history(connection: Connection, batch_id: int, position: int) -> list[dict[str, Any]]:
    """Give every step of one row, the first first."""
    wanted = select(events).where(events.c.batch_id == batch_id, events.c.position == position).order_by(events.c.id)
    return [dict(row._mapping) for row in connection.execute(wanted)]


def _record(row: Row[Any]) -> RowRecord:
    return RowRecord(
        position=row.position,
        number=row.number,
        state=State(row.state),
        key=tuple(orjson.loads(row.key)),
        cells=journal_cells.load(row.cells),
        amounts=tuple(journal_cells.load_amounts(row.amounts)),
        problems=tuple(Problem(**problem) for problem in orjson.loads(row.problems)) if row.problems else (),
        attempts=row.attempts,
        run_id=row.run_id,
        output=parsed_output(row.output),
        error=row.error,
        sent_at=parse_time(row.sent_at),
        finished_at=parse_time(row.finished_at),
        payload=row.payload,
        leader=row.leader,
    )


def parsed_output(content: bytes | None) -> Any:
    """Read a run's output back, with exact numbers."""
    from batchrun.core import leading_json

    return None if content is None else leading_json.parse(content)


def outputs(connection: Connection, batch_id: int) -> Iterator[Any]:
    """Give every output of a batch's runs."""
    wanted = select(rows.c.output).where(rows.c.batch_id == batch_id, rows.c.output.is_not(None))
    for (content,) in connection.execute(wanted.order_by(rows.c.position).execution_options(yield_per=500)):
        yield parsed_output(content)


def course(connection: Connection, batch_id: int) -> Course:
    """Give when a batch's runs left and ended."""
    sent = (rows.c.batch_id == batch_id) & rows.c.sent_at.is_not(None) & rows.c.leader.is_(None)
    start = parse_time(connection.execute(select(func.min(rows.c.sent_at)).where(sent)).scalar_one())
    has_ended = sent & rows.c.finished_at.is_not(None) & rows.c.state.in_([state.value for state in ENDED])
    end = parse_time(connection.execute(select(func.max(rows.c.finished_at)).where(has_ended)).scalar_one())
    found = Course(start, end)
    wanted = select(rows.c.sent_at, rows.c.finished_at).where(has_ended)
    for left, finished in connection.execute(wanted.execution_options(yield_per=2000)):
        found.add(datetime.fromisoformat(left), datetime.fromisoformat(finished))
    return found


def count_payloads(connection: Connection, batch_id: int) -> int:
    """Count the rows that have a payload: each of them is one run, at the most."""
    # By its hash: a purge removes the payload itself.
    wanted = select(func.count()).where(rows.c.batch_id == batch_id, rows.c.payload_id.is_not(None))
    return int(connection.execute(wanted).scalar_one())
