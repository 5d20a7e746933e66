"""The hot path of the journal: intents and answers of one batch, applied together in one durable commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from batchrun.core import lifecycle, payloads
from batchrun.core.lifecycle import ENDED, OPEN, Event
from batchrun.io import journal_statements as statements
from batchrun.io import journal_versions
from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_tables import batches, rows, run_ids
from batchrun.model import State

_STATES = {state.value: state for state in State}


class Step(NamedTuple):
    """One step that a row is to take, and what is known with it."""

    position: int
    event: Event
    at: datetime
    status: int | None = None
    run_id: str | None = None
    output: Any = None
    error: str | None = None
    line: str | None = None
    finished_at: datetime | None = None
    note: str | None = None  # for the trail alone: who decided, and why
    version_id: str | None = None  # the procedure's version, where a reading of the run tells it
    expected: State | None = None  # the state that the row must still have


class Stepped(NamedTuple):
    """The row's state before and after a step; `moved` is False where another had moved the row first.

    `known_run` says that the run id belongs to another row already.
    """

    position: int
    state: State
    moved: bool = True
    known_run: bool = False
    before: State = State.READY


def apply(connection: Connection, batch: Batch, steps: Sequence[Step]) -> list[Stepped]:
    """Take steps, each a compare-and-set on its row; intents meet the other rows of their keys first."""
    now = _current(connection, batch.id, [step.position for step in steps])
    taken = _taken(connection, batch, [step.position for step in steps if step.event is Event.INTENT])
    done, changes, trail = [], [], []
    for asked in steps:
        state, attempts = now[asked.position]
        if asked.expected not in (None, state):
            done.append(Stepped(asked.position, state, moved=False, before=state))
            continue
        step, known = _checked(connection, batch, asked, attempts, asked.position in taken)
        if not lifecycle.may(state, step.event):
            done.append(Stepped(step.position, state, moved=False, before=state))
            continue
        after = lifecycle.step(state, step.event)
        attempts += step.event is Event.INTENT
        if after is not state or step.event is Event.INTENT:
            trail.append(_event(batch, step, state, after, attempts))
        changes.append(_change(batch, step, after, attempts))
        now[step.position] = (after, attempts)
        done.append(Stepped(step.position, after, known_run=known, before=state))
    _write(connection, changes, trail)
    journal_versions.keep(connection, batch, [(step.version_id, step.position, step.at) for step in steps])
    if changes and batch.settings.get("grouped"):
        _mirror(connection, batch, [change["p"] for change in changes])
    return done


def _mirror(connection: Connection, batch: Batch, leaders: Sequence[int]) -> None:
    """Let the other rows of a group be what the row is that bears their payload."""
    leader = rows.alias("leader")
    its_leader = (leader.c.batch_id == rows.c.batch_id) & (leader.c.position == rows.c.leader)
    same = {name: select(leader.c[name]).where(its_leader).scalar_subquery() for name in _MIRRORED}
    members = rows.c.batch_id == batch.id, rows.c.leader.in_(list(dict.fromkeys(leaders)))
    connection.execute(update(rows).where(*members).values(**same))


_MIRRORED = ("state", "attempts", "run_id", "output", "error", "sent_at", "finished_at")


def _checked(connection: Connection, batch: Batch, step: Step, attempts: int, taken: bool) -> tuple[Step, bool]:
    """Turn an intent whose key is taken into its own event, and an answer with another row's run into a doubt."""
    if taken:
        return step._replace(event=Event.KEY_TAKEN, error="the key is taken by a row of another batch"), False
    if step.run_id is None or _claim(connection, batch, step, attempts):
        return step, False
    told = f"{_GAVE}{step.run_id}{_OF_ANOTHER}"
    return step._replace(event=Event.DOUBT, run_id=None, error=told, output=None), True


_GAVE, _OF_ANOTHER = "the API gave the run id ", ", which belongs to another row already"


def _claim(connection: Connection, batch: Batch, step: Step, attempts: int) -> bool:
    """Note that a run id is this row's; False where it is another's. The write lock keeps others from claiming it."""
    holder = statements.HOLDER.all(connection, origin=batch.world, run_id=step.run_id)
    if holder:
        return holder[0] == (batch.id, step.position)
    mine = {"batch_id": batch.id, "position": step.position, "attempt": attempts}
    statements.CLAIM.each(connection, [{"origin": batch.world, "run_id": step.run_id, **mine}])
    return True


def _current(connection: Connection, batch_id: int, positions: Sequence[int]) -> dict[int, tuple[State, int]]:
    found = statements.CURRENT.all(connection, batch=batch_id, positions=_listed(positions))
    return {position: (_STATES[state], attempts) for position, state, attempts in found}


def _taken(connection: Connection, batch: Batch, positions: Sequence[int]) -> set[int]:
    """Give the rows whose key another batch has taken meanwhile; this is where two batches at once meet."""
    if not positions or batch.settings.get("allow_duplicates"):
        return set()
    found = statements.TAKEN[batch.environment].all(connection, batch=batch.id, positions=_listed(positions))
    return {position for (position,) in found}


def _event(batch: Batch, step: Step, before: State, after: State, attempt: int) -> dict[str, Any]:
    return {
        "batch_id": batch.id,
        "position": step.position,
        "at": text_time(step.at),
        "attempt": attempt,
        "event": step.event.value,
        "before": before.value,
        "after": after.value,
        "status": step.status,
        "run_id": step.run_id,
        "line": step.line,
        "detail": step.note or step.error,
    }


def _change(batch: Batch, step: Step, after: State, attempts: int) -> dict[str, Any]:
    ended = after in ENDED or after is State.REFUSED
    return {
        "b": batch.id,
        "p": step.position,
        "new_state": after.value,
        "new_attempts": attempts,
        "new_run_id": step.run_id,
        "new_output": None if step.output is None else payloads.to_json(step.output),
        "new_error": step.error,
        "new_sent_at": text_time(step.at) if step.event is Event.INTENT else None,
        "new_finished_at": text_time(step.finished_at or step.at) if ended else None,
        "keep": after in OPEN or after in ENDED,
    }


def _write(connection: Connection, changes: list[dict[str, Any]], trail: list[dict[str, Any]]) -> None:
    if changes:
        statements.CHANGE.each(connection, changes)
    if trail:
        statements.TRAIL.each(connection, trail)


def _listed(positions: Sequence[int]) -> str:
    return f"[{','.join(map(str, positions))}]"


def ready_rows(connection: Connection, batch: Batch, after: int, limit: int) -> list[tuple[int, int, bytes]]:
    """Give the next rows to send: position, row number and payload."""
    wanted = (
        select(rows.c.position, rows.c.number, rows.c.payload)
        .where(rows.c.batch_id == batch.id, rows.c.state == State.READY.value, rows.c.position > after)
        .where(rows.c.leader.is_(None))
        .order_by(rows.c.position)
        .limit(limit)
    )
    return [(position, number, payload) for position, number, payload in connection.execute(wanted)]


def open_runs(connection: Connection, batch: Batch, states: Sequence[State]) -> list[tuple[int, str, State]]:
    """Give the runs that have not ended, the oldest first: position, run id, state."""
    wanted = (
        select(rows.c.position, rows.c.run_id, rows.c.state)
        .where(rows.c.batch_id == batch.id, rows.c.state.in_([state.value for state in states]))
        .where(rows.c.leader.is_(None))
        .order_by(rows.c.sent_at, rows.c.position)
    )
    return [(position, run_id, State(state)) for position, run_id, state in connection.execute(wanted)]


def doubt_what_was_sending(connection: Connection, batch: Batch, now: datetime) -> int:
    """Put every row that a dead sender left `sending` in doubt."""
    wanted = select(rows.c.position).where(
        rows.c.batch_id == batch.id, rows.c.state == State.SENDING.value, rows.c.leader.is_(None)
    )
    told = "the program ended while the request was under way, so nobody knows whether it arrived"
    steps = [Step(position, Event.DOUBT, now, error=told) for (position,) in connection.execute(wanted)]
    return len(apply(connection, batch, steps)) if steps else 0


def accepted_before(connection: Connection, batch: Batch) -> bool:
    """Tell whether the API has accepted any row of a batch."""
    wanted = select(run_ids.c.run_id).where(run_ids.c.batch_id == batch.id).limit(1)
    return connection.execute(wanted).first() is not None


def holder_of(connection: Connection, batch: Batch, run_id: str) -> tuple[str, int] | None:
    """Give the batch and row number to which a run id belongs; None where the journal does not know it."""
    wanted = (
        select(batches.c.name, rows.c.number)
        .join(rows, (rows.c.batch_id == run_ids.c.batch_id) & (rows.c.position == run_ids.c.position))
        .join(batches, batches.c.id == run_ids.c.batch_id)
        .where(run_ids.c.origin == batch.world, run_ids.c.run_id == run_id)
    )
    found = connection.execute(wanted).first()
    return None if found is None else (found[0], found[1])


def was_given_anothers_run(connection: Connection, batch: Batch) -> bool:
    """Tell whether a row of a batch is in doubt because its answer named a run that another row has."""
    says_so = rows.c.error.startswith(_GAVE, autoescape=True) & rows.c.error.endswith(_OF_ANOTHER, autoescape=True)
    wanted = select(rows.c.position).where(rows.c.batch_id == batch.id, rows.c.state == State.IN_DOUBT.value, says_so)
    return connection.execute(wanted.limit(1)).first() is not None


def any_run_id(connection: Connection, batch: Batch) -> str | None:
    """Give the last run id that is known in the batch's world, for a probe."""
    wanted = select(run_ids.c.run_id).where(run_ids.c.origin == batch.world).order_by(run_ids.c.attempt.desc()).limit(1)
    return connection.execute(wanted).scalar()


def cancel_asked(connection: Connection, batch: Batch) -> bool:
    """Tell whether somebody asked for a batch to be cancelled since its sender began."""
    wanted = select(batches.c.cancel_asked_at).where(batches.c.id == batch.id)
    return connection.execute(wanted).scalar() is not None


def ask_to_cancel(connection: Connection, batch_id: int, now: datetime | None) -> None:
    """Ask the sender of a batch to stop; None takes the question back."""
    value = None if now is None else text_time(now)
    connection.execute(update(batches).where(batches.c.id == batch_id).values(cancel_asked_at=value))


def mark_stopped(connection: Connection, batch_id: int, reason: str | None) -> None:
    """Keep why sending stopped."""
    connection.execute(update(batches).where(batches.c.id == batch_id).values(stopped=reason))
