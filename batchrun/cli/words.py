"""How counts, totals, problems and batches read on a screen of 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from batchrun.core.causes import Cause, cause_of
from batchrun.core.moments import to_the_minute
from batchrun.core.totals import grouped, unreadable
from batchrun.model import ControlTotal, Problem, State

if TYPE_CHECKING:
    from batchrun.flows.outcome import Outcome
    from batchrun.flows.status import BatchLine

WIDTH = 80
SHOWN = 20  # problems that are all told; causes of which some are
EXAMPLES = 3  # of each cause, where there are more problems
SEE_EACH = "To see each in its cell: {} --report bad-cells.xlsx"


def table(lines: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Set cells in columns; the places in `right` are set to the right."""
    numbers = set(right)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def states(counts: Mapping[State, int], totals: Sequence[ControlTotal]) -> list[str]:
    """Set counts and control totals by state, with their sums below; more totals than fit stand one below the other."""
    lines = _by_state(counts, totals)
    if len(totals) > 1 and max(map(len, lines)) > WIDTH:
        lines = [*_by_state(counts, ()), "", *_by_total(counts, totals)]
    return [*lines, *unreadable(totals)]


def _by_state(counts: Mapping[State, int], totals: Sequence[ControlTotal]) -> list[str]:
    heads = ["state", "rows", *(control.column for control in totals)]
    lines = [heads]
    for state, count in counts.items():
        amounts = [_amount(control, state) for control in totals]
        lines.append([_word(state), f"{count:,}", *amounts])
    if len(counts) > 1:
        sums = [grouped(control.input, control.decimals) for control in totals]
        lines.append(["all", f"{sum(counts.values()):,}", *sums])
    return table(lines, right=range(1, len(heads)))


def _by_total(counts: Mapping[State, int], totals: Sequence[ControlTotal]) -> list[str]:
    heads = ["total", *map(_word, counts), "all"]
    lines = [heads]
    for control in totals:
        amounts = [_amount(control, state) for state in counts]
        lines.append([control.column, *amounts, grouped(control.input, control.decimals)])
    return table(lines, right=range(1, len(heads)))


def _word(state: State) -> str:
    return state.value.replace("_", " ")


def _amount(control: ControlTotal, state: State) -> str:
    amount = control.by_state.get(state)
    return "" if amount is None else grouped(amount, control.decimals)


def outcome(one: Outcome, bold: Callable[[str], str]) -> list[str]:
    """Say how a batch stands."""
    lines = [bold(f"{one.batch} ({one.environment})"), *states(one.counts, one.totals)]
    if one.disproof:
        lines += ["", one.disproof]
    if one.workbook:
        lines += ["", f"Workbook: {one.workbook}"]
    if one.next:
        lines += [f"Next: {one.next}"]
    return lines


def batches(lines: Sequence[BatchLine]) -> list[str]:
    """Set batches of one job, a line each: its params, its name, when it was made, how its rows stand."""
    heads = table([[_params(line), line.name, f"{to_the_minute(line.created_at)} UTC"] for line in lines])
    heads = heads if any(line.params for line in lines) else [head.lstrip() for head in heads]
    return [text for head, line in zip(heads, lines, strict=True) for text in _batch(f"  {head}", line)]


def _params(line: BatchLine) -> str:
    return ", ".join(f"{name} {value}" for name, value in line.params.items())


def _batch(head: str, line: BatchLine) -> list[str]:
    """Set one batch; what does not fit beside its name stands below it."""
    stands = ", ".join(f"{count:,} {state.value.replace('_', ' ')}" for state, count in line.counts.items())
    stands += " (sending now)" if line.sending else " (stopped)" if line.stopped else ""
    stands += f" (purged {line.purged_at[:10]})" if line.purged_at else ""
    if len(head) + 2 + len(stands) <= WIDTH:
        return [f"{head}  {stands}"]
    indent = " " * 6
    below = wrap(stands, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    if len(head) <= WIDTH:
        return [head, *below]
    return [*wrap(head, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False), *below]


def problems(found: Sequence[Problem], counts: Mapping[Cause, int], hint: str = "") -> list[str]:
    """Set problems by their causes, the commonest first; of many only some of each cause, and then a hint.

    `found` holds the first problems of each cause in the order of the sheet, and `counts` how many there are.
    """
    of_cause: dict[Cause, list[Problem]] = {}
    for problem in found:
        of_cause.setdefault(cause_of(problem), []).append(problem)
    several = sorted((cause for cause in of_cause if counts[cause] > 1), key=lambda cause: -counts[cause])
    is_many = sum(counts.values()) > SHOWN
    lines: list[str] = []
    for place, cause in enumerate(several):
        shown = EXAMPLES if is_many else SHOWN
        lines += _cause(cause, counts[cause], of_cause[cause][:shown] if place < SHOWN else ())
    alone = [problem for problem in found if counts[cause_of(problem)] == 1]
    if alone and several:
        lines.append("Another problem:" if len(alone) == 1 else "Other problems:")
    lines += [line for problem in alone for line in _problem(problem)]
    return [*lines, hint] if is_many and several and hint else lines


def _cause(cause: Cause, count: int, shown: Sequence[Problem]) -> list[str]:
    """Set one cause with its count; some of its problems follow."""
    column, code = cause
    lines = [f"{column or 'Whole rows'}: {count:,} problems ({code})"]
    lines += [line for problem in shown for line in _problem(problem)]
    return [*lines, f"  and {count - len(shown):,} more"] if 0 < len(shown) < count else lines


def _problem(problem: Problem) -> list[str]:
    column = f" {problem.column}" if problem.column else ""
    value = f' "{problem.value}"' if problem.value else ""
    return wrap(
        f"{problem.cell}{column}{value}: {problem.message}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
