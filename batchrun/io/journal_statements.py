"""The statements of the journal's hot path, each compiled once; the parameters are named in them."""

from __future__ import annotations

from functools import partial
from typing import Any, cast, get_args

from sqlalchemy import ColumnElement, Insert, Select, Table, Update, case, func, insert, select, update

from batchrun.io.journal_prepared import Prepared, given
from batchrun.io.journal_rows import takes_key
from batchrun.io.journal_tables import events, rows, run_ids
from batchrun.model import Environment


def _among(column: Any) -> ColumnElement[bool]:
    """Give the condition that a column is among the `positions`, of which there may be any number."""
    listed = func.json_each(given("positions")).table_valued("value")
    return cast(ColumnElement[bool], column.in_(select(listed.c.value)))


def _states_of() -> Select[Any]:
    wanted = select(rows.c.position, rows.c.state, rows.c.attempts)
    return wanted.where(rows.c.batch_id == given("batch"), _among(rows.c.position))


def _taken_by_others(environment: Environment) -> Select[Any]:
    other = rows.alias("other")
    return (
        select(rows.c.position)
        .join(other, (other.c.key_id == rows.c.key_id) & (other.c.batch_id != rows.c.batch_id))
        .where(rows.c.batch_id == given("batch"), _among(rows.c.position))
        .where(takes_key(other, environment))
    )


def _changed() -> Update:
    return (
        update(rows)
        .where(rows.c.batch_id == given("b"), rows.c.position == given("p"))
        .values(
            state=given("new_state"),
            attempts=given("new_attempts"),
            run_id=case((given("keep"), func.coalesce(given("new_run_id"), rows.c.run_id)), else_=None),
            output=given("new_output"),
            error=given("new_error"),
            sent_at=func.coalesce(given("new_sent_at"), rows.c.sent_at),
            finished_at=given("new_finished_at"),
        )
    )


def _inserted(table: Table) -> Insert:
    return insert(table).values({column.name: given(column.name) for column in table.c if column.name != "id"})


def _holder() -> Select[Any]:
    its_own = (run_ids.c.origin == given("origin")) & (run_ids.c.run_id == given("run_id"))
    return select(run_ids.c.batch_id, run_ids.c.position).where(its_own)


CURRENT = Prepared(_states_of)
TAKEN = {environment: Prepared(partial(_taken_by_others, environment)) for environment in get_args(Environment)}
HOLDER = Prepared(_holder)
CLAIM = Prepared(partial(_inserted, run_ids))
CHANGE = Prepared(_changed)
TRAIL = Prepared(partial(_inserted, events))
