"""Holds rows and control totals against what was expected and, on live, against limits, before anything leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from batchrun.core.totals import Totals, counted, grouped
from batchrun.errors import BadCommandLine, ExpectationFailed
from batchrun.flows.loading import LoadedJob
from batchrun.flows.preparing import Pass
from batchrun.model import ControlTotal, State

IN_JOB = "expect in the job"


def check_expectations(through: Pass, totals: Totals) -> None:
    """Hold rows and control totals against what was expected; raise ExpectationFailed with both figures."""
    for rows, where in ((through.job.choice.expect_rows, "--expect-rows"), (through.job.spec.expect.rows, IN_JOB)):
        if rows is not None and rows != through.rows:
            raise ExpectationFailed(
                f"{rows:,} rows were expected ({where}), and the sheet has {through.rows:,}; nothing was sent"
            )
    found = {control.column: control for control in totals.controls()}
    for column, text, where in _expected_totals(through.job):
        _check_total(column, text, where, found.get(column))


def _expected_totals(job: LoadedJob) -> Iterator[tuple[str, str, str]]:
    for column, text in job.choice.expect_totals.items():
        yield column, text, "--expect-total"
    for column, text in job.spec.expect.totals.items():
        yield column, text, IN_JOB


def _check_total(column: str, text: str, where: str, control: ControlTotal | None) -> None:
    try:
        expected = Decimal(text)
    except InvalidOperation:
        raise BadCommandLine(f'--expect-total: "{text}" is no amount; write for example {column}=48210.55') from None
    if control is None:
        raise BadCommandLine(f'{where}: "{column}" is no control total; add it to results.totals in the job')
    if control.unreadable:
        raise ExpectationFailed(
            f"{counted(control.unreadable, 'amount')} of {column} cannot be read, so the total cannot be compared "
            f"with {text}; nothing was sent"
        )
    if expected != control.input:
        decimals = max(control.decimals, -int(expected.as_tuple().exponent))
        raise ExpectationFailed(
            f"the total of {column} was expected to be {grouped(expected, decimals)}, "
            f"and the sheet's is {grouped(control.input, decimals)}: "
            f"a difference of {grouped(control.input - expected, decimals)}; nothing was sent"
        )


def check_limits(through: Pass, counts: Mapping[State, int], totals: Totals) -> None:
    """Hold what would be sent on live against the job's caps; raise ExpectationFailed with both figures."""
    limits = through.job.spec.limits
    if through.job.choice.environment != "live":
        return
    ready = counts.get(State.READY, 0)
    if limits.rows is not None and ready > limits.rows:
        raise _beyond(f"{ready:,} rows would be sent", f"{limits.rows:,}")
    for control in totals.controls():
        _check_limits_of(control, limits.total.get(control.column), limits.each.get(control.column), through)


def _check_limits_of(control: ControlTotal, total: str | None, each: str | None, through: Pass) -> None:
    column, decimals = control.column, control.decimals
    if control.unreadable and (total is not None or each is not None):
        raise ExpectationFailed(
            f"{counted(control.unreadable, 'amount')} of {column} cannot be read, so the job's limits cannot be held; "
            "nothing was sent",
            code="limit",
        )
    ready = control.by_state.get(State.READY, Decimal(0))
    if total is not None and ready > Decimal(total):
        raise _beyond(f"the total of {column} is {grouped(ready, decimals)}", f"{Decimal(total):,}")
    if each is not None and column in through.largest and through.largest[column][0] > Decimal(each):
        amount, row = through.largest[column]
        where = through.job.preparer.info.row_address(row)
        raise _beyond(f"{where} has {column} {grouped(amount, decimals)}", f"{Decimal(each):,} for one row")


def _beyond(told: str, limit: str) -> ExpectationFailed:
    return ExpectationFailed(f"{told}, and the job allows {limit} on live (limits); nothing was sent", code="limit")
