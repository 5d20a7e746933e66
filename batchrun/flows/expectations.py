"""Holds rows and control totals against what was expected and, on live, against limits, before anything leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from batchrun.core.cells import cut
from batchrun.core.spec_totals import Limits
from batchrun.core.spec_types import as_header, is_amount
from batchrun.core.total_checks import no_total
from batchrun.core.totals import (
    MOST_VALUES,
    Totals,
    counted,
    decimals_of,
    decimals_of_columns,
    grouped,
    is_of_unreadable,
    split_of,
)
from batchrun.errors import BadCommandLine, BadInput, ExpectationFailed
from batchrun.flows.loading import LoadedJob
from batchrun.flows.preparing import Pass
from batchrun.io import system
from batchrun.model import ControlTotal, State, Summed

IN_JOB = "expect in the job"


class _Expected(NamedTuple):
    """An amount that a control total must have; `told` says in the message who expects it."""

    name: str
    amount: Decimal
    told: str = ""


def check_expectations(through: Pass, totals: Totals) -> None:
    """Hold rows and control totals against what was expected; raise ExpectationFailed with both figures."""
    _refuse_too_many_values(totals)
    for rows, where in ((through.job.choice.expect_rows, "--expect-rows"), (through.job.spec.expect.rows, IN_JOB)):
        _check_rows(rows, where, through.rows)
    for expected in _expected_totals(through.job, totals.entries):
        _check_total(expected, totals)
    check_trailer(through)


def check_trailer(through: Pass) -> None:
    """Hold all rows of the sheet against what its trailer tells of them; raise ExpectationFailed with both figures."""
    trailer = through.trailer
    if trailer is None:
        return
    if trailer.told_rows is not None:
        _check_rows(int(trailer.told_rows.amount), f"the trailer, {trailer.told_rows.address}", trailer.rows)
    for name, figure in trailer.told_totals.items():
        _check_total(_Expected(name, figure.amount, f" (the trailer, {figure.address})"), trailer.totals)


def _refuse_too_many_values(totals: Totals) -> None:
    for one, controls in totals.by_entry():
        if len(controls) > MOST_VALUES:
            raise BadInput(
                f"{one.column} is added up by {one.by}, in which there are {len(controls):,} different values, and "
                f"{MOST_VALUES} are the most; name another column in results.totals. Nothing was sent"
            )


def _check_rows(expected: int | None, where: str, found: int) -> None:
    if expected is not None and expected != found:
        raise ExpectationFailed(
            f"{counted(expected, 'row')} {'was' if expected == 1 else 'were'} expected ({where}), and the sheet has "
            f"{found:,}; nothing was sent"
        )


def _expected_totals(job: LoadedJob, entries: Sequence[Summed]) -> Iterator[_Expected]:
    for given, text in job.choice.expect_totals.items():
        name = as_header(given)
        if not is_amount(text):
            raise BadCommandLine(f'--expect-total: "{cut(text)}" is no amount; write for example {_example(name)}')
        told = no_total(name, entries)
        if told is not None:
            raise BadCommandLine(f"--expect-total: {told}")
        yield _Expected(name, Decimal(text))
    for name, text in job.spec.expect.totals.items():
        yield _Expected(name, Decimal(text))


def _example(name: str) -> str:
    return system.shell_word(f"{name}=48210.55")


def _check_total(expected: _Expected, totals: Totals) -> None:
    name, amount, told = expected
    control = next((one for one in totals.controls() if one.column == name), None)
    one = split_of(name, totals.entries)
    _refuse_unreadable(expected, control, one, totals)
    found, decimals = (control.input, control.decimals) if control is not None else (Decimal(0), 0)
    if amount != found:
        decimals = max(decimals, decimals_of(amount))
        none = f" (there is no row of that {one.by})" if control is None and one is not None else ""
        raise ExpectationFailed(
            f"the total of {name} was expected to be {grouped(amount, decimals)}{told}, "
            f"and the sheet's is {grouped(found, decimals)}{none}: "
            f"a difference of {grouped(found - amount, decimals)}; nothing was sent"
        )


def _refuse_unreadable(expected: _Expected, control: ControlTotal | None, one: Summed | None, totals: Totals) -> None:
    compared = f"so the total cannot be compared with {grouped(expected.amount, decimals_of(expected.amount))}"
    if control is not None and control.unreadable:
        raise ExpectationFailed(
            f"{counted(control.unreadable, 'amount')} of {expected.name} cannot be read, {compared}{expected.told}; "
            "nothing was sent"
        )
    if one is not None and (control is None or control.of is not None) and _has_unreadable_values(one, totals):
        raise ExpectationFailed(
            f"in some rows {one.by} cannot be read, and they may be of {expected.name}, {compared}{expected.told}; "
            "nothing was sent"
        )


def _has_unreadable_values(one: Summed, totals: Totals) -> bool:
    return any(is_of_unreadable(control, one) for control in totals.controls())


def check_limits(through: Pass, counts: Mapping[State, int], totals: Totals) -> None:
    """Hold what would be sent on live against the job's caps; raise ExpectationFailed with both figures."""
    limits = through.job.spec.limits
    if through.job.choice.environment != "live":
        return
    ready = counts.get(State.READY, 0)
    if limits.rows is not None and ready > limits.rows:
        raise _beyond(f"{counted(ready, 'row')} would be sent", f"{limits.rows:,}")
    check_amounts(limits, totals, through.largest, through.job.preparer.info.row_address)


def check_amounts(
    limits: Limits, totals: Totals, largest: Mapping[str, tuple[Decimal, int]], address: Callable[[int], str]
) -> None:
    """Hold the totals of what is ready, and the largest amounts with their rows, against caps."""
    for one, controls in totals.by_entry():
        _refuse_unreadable_below_limits(one, controls, limits)
        for control in controls:
            total = limits.total.get(control.column)
            ready = control.by_state.get(State.READY, Decimal(0))
            if total is not None and ready > Decimal(total):
                raise _beyond(
                    f"the total of {control.column} is {grouped(ready, control.decimals)}", f"{Decimal(total):,}"
                )
    controls = totals.controls()
    decimals = {**decimals_of_columns(controls), **{one.column: one.decimals for one in controls}}
    for name, each in limits.each.items():
        if name in largest and largest[name][0] > Decimal(each):
            amount, row = largest[name]
            told = f"{address(row)} has {name} {grouped(amount, decimals[name])}"
            raise _beyond(told, f"{Decimal(each):,} for one row")


def _refuse_unreadable_below_limits(one: Summed, controls: Sequence[ControlTotal], limits: Limits) -> None:
    """Raise where a limit cannot be held, since an amount, or the value that it belongs to, cannot be read."""
    capped = {*limits.total, *limits.each}
    named = [name for name in capped if name == one.column or (one.by is not None and split_of(name, [one]))]
    for control in controls:
        whole = control.column in capped or (one.column in limits.each)
        if control.unreadable and whole:
            raise ExpectationFailed(
                f"{counted(control.unreadable, 'amount')} of {control.column} cannot be read, so the job's limits "
                "cannot be held; nothing was sent",
                code="limit",
            )
        if is_of_unreadable(control, one) and any(name != one.column for name in named):
            raise ExpectationFailed(
                f"in some rows {one.by} cannot be read, so the job's limits of {one.column} cannot be held; "
                "nothing was sent",
                code="limit",
            )


def _beyond(told: str, limit: str) -> ExpectationFailed:
    return ExpectationFailed(f"{told}, and the job allows {limit} on live (limits); nothing was sent", code="limit")
