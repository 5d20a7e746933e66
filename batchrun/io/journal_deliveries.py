"""Webhook deliveries in the journal: kept as they came, folded into the rows whose runs they name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from batchrun.core import webhooks
from batchrun.core.lifecycle import Event
from batchrun.core.readings import version_of
from batchrun.core.review import DecisionState
from batchrun.core.webhooks import Delivery
from batchrun.io import journal_steps
from batchrun.io.journal_batches import Batch, parse_time, text_time
from batchrun.io.journal_steps import Step
from batchrun.io.journal_tables import decisions, deliveries, events, meta, rows, run_ids
from batchrun.model import State

LISTENER = "listener_seen_at"
AT_ONCE = 500


class Folded(NamedTuple):
    """A row whose state a delivery has told."""

    position: int
    before: State
    state: State


def keep(connection: Connection, delivery: Delivery, body: bytes, now: datetime) -> bool:
    """Keep a delivery; False where it was kept before."""
    values = {
        "delivery_id": delivery.delivery_id,
        "received_at": text_time(now),
        "created_at": None if delivery.created_at is None else text_time(delivery.created_at),
        "event": delivery.event_name,
        "run_id": delivery.run_id,
        "procedure_id": delivery.procedure_id,
        "environment": delivery.environment,
        "body": body,
    }
    made = connection.execute(insert_or_ignore(deliveries).values(**values).on_conflict_do_nothing())
    return made.rowcount == 1


def anything_to_fold(connection: Connection, batch: Batch) -> bool:
    """Tell whether a delivery names a run of the batch and was not folded yet."""
    return connection.execute(_to_fold(batch).limit(1)).first() is not None


def fold(connection: Connection, batch: Batch, now: datetime) -> list[Folded]:
    """Fold what has arrived into a batch's rows; repeats, late ones and unknown events change nothing."""
    found = list(connection.execute(_to_fold(batch).order_by(deliveries.c.id).limit(AT_ONCE)))
    left = left_reviews(connection, batch, [row.position for row in found if row.event == webhooks.REVIEW_REQUESTED])
    steps = [step for step in (_step(row, now, left.get(row.position)) for row in found) if step is not None]
    done = journal_steps.apply(connection, batch, steps) if steps else []
    if found:
        ids = [row.id for row in found]
        connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(folded_at=text_time(now)))
    return [Folded(one.position, one.before, one.state) for one in done if one.moved]


def _to_fold(batch: Batch) -> Any:
    return (
        select(
            deliveries.c.id,
            deliveries.c.event,
            deliveries.c.body,
            run_ids.c.position,
            (run_ids.c.attempt == rows.c.attempts).label("of_this_attempt"),
        )
        .join(run_ids, run_ids.c.run_id == deliveries.c.run_id)
        .join(rows, (rows.c.batch_id == run_ids.c.batch_id) & (rows.c.position == run_ids.c.position))
        .where(deliveries.c.folded_at.is_(None), run_ids.c.batch_id == batch.id, run_ids.c.origin == batch.world)
    )


def left_reviews(connection: Connection, batch: Batch, positions: Sequence[int]) -> dict[int, datetime]:
    """Give, by position, up to when a request for a review is late: of rows that have left one in this attempt.

    That is the time at which the row was seen to leave it, or at which it was decided where that was our doing: the
    request for a next review may be there before the decision's answer is. And it is never before the request that
    the row had then: the API's clock may be ahead of ours.
    """
    left = (
        select(events.c.position, func.max(events.c.at).label("at"), func.count().label("pause"))
        .join(rows, (rows.c.batch_id == events.c.batch_id) & (rows.c.position == events.c.position))
        .where(events.c.batch_id == batch.id, events.c.position.in_(positions))
        .where(events.c.before == State.AWAITING_REVIEW.value, events.c.attempt == rows.c.attempts)
        .group_by(events.c.position)
        .subquery()
    )
    asked = (
        select(func.max(deliveries.c.created_at))
        .join(run_ids, run_ids.c.run_id == deliveries.c.run_id)
        .where(run_ids.c.batch_id == batch.id, run_ids.c.origin == batch.world, run_ids.c.position == left.c.position)
        .where(deliveries.c.event == webhooks.REVIEW_REQUESTED, deliveries.c.folded_at <= left.c.at)
        .scalar_subquery()
    )
    decided = (
        select(func.max(decisions.c.decided_at))
        .join(rows, (rows.c.batch_id == decisions.c.batch_id) & (rows.c.position == decisions.c.position))
        .where(decisions.c.batch_id == batch.id, decisions.c.position == left.c.position)
        .where(decisions.c.run_id == rows.c.run_id, decisions.c.state == DecisionState.ACCEPTED.value)
        .where(decisions.c.pause == left.c.pause)
        .scalar_subquery()
    )
    found = connection.execute(select(left.c.position, left.c.at, asked, decided)).all() if positions else []
    return {position: _latest(decided_at or at, told) for position, at, told, decided_at in found}


def _latest(*times: str | None) -> datetime:
    return max(moment for moment in map(parse_time, times) if moment is not None)


def _step(row: Row[Any], now: datetime, left_at: datetime | None) -> Step | None:
    delivery = webhooks.parse_delivery(row.body)
    event = None if delivery is None else webhooks.event_of(delivery)
    if delivery is None or event is None or not row.of_this_attempt:
        return None
    if event is Event.AWAITING_REVIEW and webhooks.is_late(delivery.created_at, left_at):
        return None
    return Step(
        row.position,
        event,
        now,
        output=delivery.data.get("output"),
        error=webhooks.error_of(delivery),
        finished_at=delivery.created_at,
        note=f"by webhook {delivery.delivery_id}",
        version_id=version_of(delivery.data.get("procedureVersionId")),  # not documented; taken where it is told
    )


def review_requests(connection: Connection, batch: Batch) -> dict[int, tuple[str | None, Any]]:
    """Give, by position, the title and data of the last review that was asked for in a row's present attempt.

    A row that waits for its next review, of which no request has come yet, is left out: the last one is not its own.
    """
    wanted = (
        select(run_ids.c.position, rows.c.state, deliveries.c.body)
        .join(run_ids, run_ids.c.run_id == deliveries.c.run_id)
        .join(rows, (rows.c.batch_id == run_ids.c.batch_id) & (rows.c.position == run_ids.c.position))
        .where(run_ids.c.attempt == rows.c.attempts)
        .where(deliveries.c.event == webhooks.REVIEW_REQUESTED)
        .where(run_ids.c.batch_id == batch.id, run_ids.c.origin == batch.world)
        .order_by(deliveries.c.created_at, deliveries.c.id)
    )
    last: dict[int, tuple[str, Delivery]] = {}
    for position, state, body in connection.execute(wanted):
        delivery = webhooks.parse_delivery(body)
        if delivery is not None:
            last[position] = (state, delivery)
    waiting = [position for position, (state, _) in last.items() if state == State.AWAITING_REVIEW.value]
    left: dict[int, datetime] = {}
    for start in range(0, len(waiting), AT_ONCE):
        left |= left_reviews(connection, batch, waiting[start : start + AT_ONCE])
    return {
        position: (delivery.data.get("reviewTitle"), delivery.data.get("reviewData"))
        for position, (_, delivery) in last.items()
        if position not in left or not webhooks.is_late(delivery.created_at, left[position])
    }


def unknown_runs(connection: Connection, batch: Batch, since: datetime) -> list[str]:
    """Give the runs of a batch's procedure that deliveries name and no row has, since a time."""
    known = select(run_ids.c.run_id).where(run_ids.c.run_id == deliveries.c.run_id).exists()
    wanted = (
        select(deliveries.c.run_id)
        .where(deliveries.c.procedure_id == batch.procedure_id, deliveries.c.environment == batch.environment)
        .where(deliveries.c.run_id.is_not(None), deliveries.c.received_at >= text_time(since), ~known)
        .distinct()
    )
    return [run_id for (run_id,) in connection.execute(wanted)]


def say_listening(connection: Connection, now: datetime | None) -> None:
    """Note that a listener is at work, or with None that it has ended."""
    connection.execute(meta.delete().where(meta.c.name == LISTENER))
    if now is not None:
        connection.execute(insert(meta).values(name=LISTENER, value=text_time(now)))


def listening_since(connection: Connection) -> datetime | None:
    """Give when a listener was last at work."""
    return parse_time(connection.execute(select(meta.c.value).where(meta.c.name == LISTENER)).scalar())
