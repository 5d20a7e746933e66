"""Reviewers' decisions in the journal: each with its idempotency key before its first byte, and all that came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Row, func, insert, select, update

from batchrun.core import leading_json, payloads
from batchrun.core.review import LIVE, Decision, DecisionState, Recorded, Standing
from batchrun.io import journal_steps
from batchrun.io.journal_batches import Batch, parse_time, text_time
from batchrun.io.journal_steps import Step, Stepped
from batchrun.io.journal_tables import decision_answers, decisions, events, rows
from batchrun.model import State

_COUNTS = [state.value for state in sorted(LIVE)]
_AT_ONCE = 500


class Made(NamedTuple):
    """A decision that is to be recorded: whose row, of which run and pause, and what it says."""

    position: int
    run_id: str
    pause: int
    decision: Decision


class Answer(NamedTuple):
    """What came of sending a decision: its state now, the HTTP status, and the line of the table that said so."""

    state: DecisionState
    at: datetime
    status: int | None
    line: str
    detail: str | None = None


def standings(connection: Connection, batch: Batch) -> Iterator[Standing]:
    """Give what is known of the rows whose present run has ever waited for a review, in the source's order."""
    known = _recorded(connection, batch)
    pauses = _pauses(connection, batch)
    wanted = (
        select(rows.c.position, rows.c.number, rows.c.state, rows.c.run_id, rows.c.leader)
        .where(rows.c.batch_id == batch.id, rows.c.run_id.is_not(None))
        .order_by(rows.c.position)
    )
    for position, number, state, run_id, leader in connection.execute(wanted.execution_options(yield_per=_AT_ONCE)):
        owner = position if leader is None else leader
        if owner in pauses:
            recorded = tuple(one for run, one in known.get(owner, ()) if run == run_id)
            yield Standing(owner, number, State(state), run_id, pauses[owner], recorded)


def _pauses(connection: Connection, batch: Batch, position: int | None = None) -> dict[int, int]:
    """Count, by position, how often a row's present run came to wait for a review."""
    wanted = (
        select(events.c.position, func.count())
        .join(rows, (rows.c.batch_id == events.c.batch_id) & (rows.c.position == events.c.position))
        .where(events.c.batch_id == batch.id, events.c.after == State.AWAITING_REVIEW.value)
        .where(events.c.before != events.c.after, events.c.attempt == rows.c.attempts)
        .group_by(events.c.position)
    )
    if position is not None:
        wanted = wanted.where(events.c.position == position)
    return {found.position: found[1] for found in connection.execute(wanted)}


def _recorded(connection: Connection, batch: Batch) -> dict[int, list[tuple[str, Recorded]]]:
    wanted = select(decisions).where(decisions.c.batch_id == batch.id).order_by(decisions.c.id)
    found: dict[int, list[tuple[str, Recorded]]] = {}
    for row in connection.execute(wanted):
        found.setdefault(row.position, []).append((row.run_id, _record(row)))
    return found


def of_row(connection: Connection, batch: Batch, position: int) -> list[Recorded]:
    """Give every decision about a row, the first first."""
    wanted = select(decisions).where(decisions.c.batch_id == batch.id, decisions.c.position == position)
    return [_record(row) for row in connection.execute(wanted.order_by(decisions.c.id))]


def _record(row: Row[Any]) -> Recorded:
    decided_at = parse_time(row.decided_at)
    assert decided_at is not None  # noqa: S101  # the column holds no null
    outputs = None if row.outputs is None else leading_json.parse(row.outputs)
    return Recorded(
        id=row.id,
        decision=Decision(row.approved, row.rejection_reason, outputs, row.reviewer),
        state=DecisionState(row.state),
        pause=row.pause,
        key=row.idempotency_key,
        decided_at=decided_at,
        answered_at=parse_time(row.answered_at),
        detail=row.detail,
    )


def record(
    connection: Connection,
    batch: Batch,
    made: Sequence[Made],
    *,
    sent_by: str,
    workbook_sha256: str,
    now: datetime,
    again: Sequence[int] = (),
) -> list[int]:
    """Record decisions, each with a new UUID v4; give the positions for which somebody was quicker.

    `again` names decisions that never arrived, or were refused, and are begun once more, with the keys that they have.
    """
    for decision_id in again:
        _begin_again(connection, decision_id)
    taken = _taken(connection, batch)
    values = [
        {
            "batch_id": batch.id,
            "position": one.position,
            "run_id": one.run_id,
            "pause": one.pause,
            "approved": one.decision.approved,
            "rejection_reason": one.decision.rejection_reason,
            "outputs": None if one.decision.outputs is None else payloads.to_json(one.decision.outputs),
            "reviewer": one.decision.reviewer,
            "sent_by": sent_by,
            "workbook_sha256": workbook_sha256,
            "idempotency_key": str(uuid4()),
            "decided_at": text_time(now),
            "state": DecisionState.OPEN.value,
        }
        for one in made
        if (one.position, one.run_id, one.pause) not in taken
    ]
    if values:
        connection.execute(insert(decisions), values)
    return [one.position for one in made if (one.position, one.run_id, one.pause) in taken]


def _begin_again(connection: Connection, decision_id: int) -> None:
    """Open a decision of which nothing counts, unless its pause has another one that counts by now."""
    other = decisions.alias("other")
    same_pause = (
        (other.c.batch_id == decisions.c.batch_id)
        & (other.c.position == decisions.c.position)
        & (other.c.run_id == decisions.c.run_id)
        & (other.c.pause == decisions.c.pause)
    )
    counts = select(other.c.id).where(same_pause, other.c.state.in_(_COUNTS)).exists()
    void = decisions.c.state.in_([DecisionState.UNSENT.value, DecisionState.REFUSED.value])
    connection.execute(
        update(decisions).where(decisions.c.id == decision_id, void, ~counts).values(state=DecisionState.OPEN.value)
    )


def _taken(connection: Connection, batch: Batch) -> set[tuple[int, str, int]]:
    wanted = select(decisions.c.position, decisions.c.run_id, decisions.c.pause)
    found = connection.execute(wanted.where(decisions.c.batch_id == batch.id, decisions.c.state.in_(_COUNTS)))
    return {(position, run_id, pause) for position, run_id, pause in found}


def answer(
    connection: Connection, batch: Batch, decision_id: int, answer: Answer, steps: Sequence[Step] = ()
) -> list[Stepped]:
    """Keep what came of a decision and, in the same commit, the steps that its row takes by it."""
    connection.execute(
        insert(decision_answers).values(
            decision_id=decision_id,
            at=text_time(answer.at),
            status=answer.status,
            line=answer.line,
            detail=answer.detail,
        )
    )
    # One that was accepted stays so, whatever a later answer says: the API gives the first decision back for its key.
    known = decisions.c.id == decision_id, decisions.c.state != DecisionState.ACCEPTED.value
    now = {"state": answer.state.value, "answered_at": text_time(answer.at), "detail": answer.detail}
    connection.execute(update(decisions).where(*known).values(**now))
    if not steps or not _is_present(connection, batch, decision_id):
        return []
    return journal_steps.apply(connection, batch, steps)


def _is_present(connection: Connection, batch: Batch, decision_id: int) -> bool:
    """Tell whether a row still waits at the pause that a decision is for: its run may have come to another since."""
    found = connection.execute(select(decisions).where(decisions.c.id == decision_id)).one()
    row = rows.c.batch_id == batch.id, rows.c.position == found.position
    run_id = connection.execute(select(rows.c.run_id).where(*row)).scalar()
    pause = _pauses(connection, batch, found.position).get(found.position, 0)
    return bool(run_id == found.run_id and pause <= found.pause)


def answers(connection: Connection, decision_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Give every answer to some decisions, the first first."""
    wanted = select(decision_answers).where(decision_answers.c.decision_id.in_(decision_ids))
    return [dict(row._mapping) for row in connection.execute(wanted.order_by(decision_answers.c.id))]
