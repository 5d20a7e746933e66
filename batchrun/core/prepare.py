"""One source row to one prepared row: selected, keyed, mapped, validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from typing import Any, Final, NamedTuple

from batchrun.core import cells, keys, mapping, payloads, selection, totals, validation
from batchrun.core.cells import Fault, Reading
from batchrun.core.expressions import Expression
from batchrun.core.mapping import Mapped, RowMapper
from batchrun.core.schema import Schema
from batchrun.core.spec import JobSpec
from batchrun.model import Amount, Cell, Problem, SheetInfo, SourceRow, SplitAmount, Summed, Unreadable


class Prepared(NamedTuple):
    """A row that is ready to be journalled: `payload` is the JSON of `data`, None where the row is invalid.

    `amounts` has one entry for each control total, zero where the cell is empty, None where it cannot be read; a split
    total's tells the value, too.
    `member_of` is the number of the row whose payload this one is a part of; `note` says why a row without problems
    of its own is invalid. `more` tells that further rows of its group follow.
    """

    row: SourceRow
    key: tuple[str, ...]
    payload: bytes | None
    problems: tuple[Problem, ...]
    amounts: tuple[Amount, ...]
    member_of: int | None = None
    note: str | None = None
    more: bool = False

    @property
    def is_invalid(self) -> bool:
        """Tell whether nothing can be sent of this row."""
        return self.payload is None and self.member_of is None


@dataclass(frozen=True, slots=True)
class Preparer:
    """All that is compiled once for a job and a sheet."""

    info: SheetInfo
    mapper: RowMapper
    schema: Schema
    key_columns: tuple[int, ...]
    amounts: tuple[Callable[[SourceRow], Amount], ...]
    where: Callable[[SourceRow], Any] | None
    rows: tuple[range, ...] = ()
    group_columns: tuple[int, ...] = ()


def compile_preparer(
    spec: JobSpec, info: SheetInfo, schema: Schema, params: Mapping[str, str], rows: tuple[range, ...] = ()
) -> Preparer:
    """Compile a job for one sheet. The spec's checks have passed."""
    places = {name: index for index, name in enumerate(info.header)}
    return Preparer(
        info=info,
        mapper=mapping.compile_mapping(spec.data, info, schema.document, params),
        schema=schema,
        key_columns=tuple(places[name] for name in spec.key),
        amounts=tuple(_amount(spec, one, places) for one in spec.results.summed),
        where=_where(spec, places, params),
        rows=rows,
        group_columns=tuple(places[name] for name in spec.group_by),
    )


def prepare(preparer: Preparer, row: SourceRow) -> Prepared | None:
    """Prepare a row; None where it is not selected."""
    early = _set_aside(preparer, row)
    return _prepared(preparer, row, mapping.map_row(preparer.mapper, row)) if isinstance(early, _GoesOn) else early


def selected_key(preparer: Preparer, row: SourceRow) -> tuple[str, ...] | None:
    """Give the key of a row, which may be no good one; None where the row is not selected."""
    early = _set_aside(preparer, row)
    return keys.key_of(row, preparer.key_columns) if isinstance(early, _GoesOn) else early and early.key


def prepare_all(preparer: Preparer, rows: Sequence[SourceRow]) -> list[Prepared | None]:
    """Give what `prepare` gives for each of some rows, in much less time where most of them are valid."""
    early = [_set_aside(preparer, row) for row in rows]
    chosen = [one is _GOES_ON for one in early]
    if all(chosen):
        return [*_prepared_rows(preparer, rows)]
    made = iter(_prepared_rows(preparer, list(compress(rows, chosen))))
    return [next(made) if isinstance(one, _GoesOn) else one for one in early]


class _GoesOn:
    """Marks a row that is to be mapped."""


_GOES_ON: Final = _GoesOn()


def _set_aside(preparer: Preparer, row: SourceRow) -> Prepared | _GoesOn | None:
    """Give what a row is that is not mapped: None where it is not selected."""
    if preparer.rows and not selection.selects(preparer.rows, row.number):
        return None
    if row.faults:
        return _broken(preparer, row)
    if preparer.where is not None:
        wanted = preparer.where(row)
        if wanted is False:
            return None
        if wanted is not True:
            return _unsure(preparer, row, wanted)
    return _GOES_ON


def _prepared_rows(preparer: Preparer, rows: Sequence[SourceRow]) -> list[Prepared]:
    """Prepare rows: those that are valid together, the others one by one, which says what is wrong."""
    mapped = mapping.map_rows(preparer.mapper, rows)
    of_keys = keys.keys_of(rows, preparer.key_columns)
    is_valid = preparer.schema.validator.is_valid
    good = [
        not one.problems and key is not None and is_valid(one.data) for one, key in zip(mapped, of_keys, strict=True)
    ]
    bodies = iter(payloads.all_to_json([one.data for one in compress(mapped, good)]))
    return [
        Prepared(row, key, next(bodies), (), amounts_of(preparer, row))
        if is_good and key is not None
        else _prepared(preparer, row, one)
        for row, one, key, is_good in zip(rows, mapped, of_keys, good, strict=True)
    ]


def _prepared(preparer: Preparer, row: SourceRow, mapped: Mapped) -> Prepared:
    of_key = keys.key_problems(preparer.info, row, preparer.key_columns)
    of_data = (*mapped.problems, *validation.problems_of(preparer.schema, preparer.mapper, row, mapped))
    problems: tuple[Problem, ...] = _one_a_cause(of_key, of_data) if of_key or of_data else ()
    return Prepared(
        row=row,
        key=keys.key_of(row, preparer.key_columns),
        payload=None if problems else payloads.to_json(mapped.data),
        problems=problems,
        amounts=amounts_of(preparer, row),
    )


def _one_a_cause(of_key: tuple[Problem, ...], of_data: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Keep one problem for each cause: a key's bad cell is told once, though it feeds the payload too."""
    keyed = {problem.cell: problem.code for problem in of_key}
    fed = {(problem.cell, problem.code) for problem in of_data}
    problems = (
        *(problem for problem in of_key if (problem.cell, problem.code) not in fed),
        *(problem for problem in of_data if keyed.get(problem.cell, problem.code) == problem.code),
    )
    return tuple({(problem.cell, problem.code, problem.value): problem for problem in problems}.values())


def _broken(preparer: Preparer, row: SourceRow) -> Prepared:
    where = preparer.info.row_address(row.number)
    problems = tuple(Problem(row.number, where, None, None, None, fault.code, fault.message) for fault in row.faults)
    return Prepared(row, (), None, problems, amounts_of(preparer, row))


def _unsure(preparer: Preparer, row: SourceRow, answer: Any) -> Prepared:
    fault = answer if isinstance(answer, Fault) else Fault("where-failed", "`where` gives neither true nor false here")
    where = preparer.info.row_address(row.number)
    problem = Problem(row.number, where, None, None, None, fault.code, fault.message)
    return Prepared(row, keys.key_of(row, preparer.key_columns), None, (problem,), amounts_of(preparer, row))


def amounts_of(preparer: Preparer, row: SourceRow) -> tuple[Amount, ...]:
    """Give what a row adds to each control total; of one whose cells are not where they belong nobody can tell."""
    if row.faults:
        return tuple(None for _ in preparer.amounts)
    return tuple([amount(row) for amount in preparer.amounts])


def _where(spec: JobSpec, places: Mapping[str, int], params: Mapping[str, str]) -> Callable[[SourceRow], Any] | None:
    if spec.source.where is None:
        return None
    expression = Expression(spec.source.where)
    return lambda row: expression.value(places, row.cells, params)


def _amount(spec: JobSpec, one: Summed, places: Mapping[str, int]) -> Callable[[SourceRow], Amount]:
    reading, column = reading_of_column(spec, one.column), places[one.column]
    is_plain = reading.is_plain and not reading.blanks

    def amount(row: SourceRow) -> Decimal | None:
        cell = row.cells[column]
        if is_plain and type(cell) is str and cells.is_plain_number(cell):
            return Decimal(cell)
        if cells.is_blank(cell, reading):
            return Decimal(0)
        value = cells.as_number(cell, reading)
        return None if isinstance(value, Fault) else value

    return amount if one.by is None else _split(amount, places[one.by], reading_of_column(spec, one.by))


def _split(
    amount: Callable[[SourceRow], Decimal | None], column: int, reading: Reading
) -> Callable[[SourceRow], SplitAmount]:
    def split(row: SourceRow) -> SplitAmount:
        return SplitAmount(amount(row), _splitting(row.cells[column], reading))

    return split


def _splitting(cell: Cell, reading: Reading) -> str | None:
    """Give the value of a cell that splits a total; None where nobody can tell it."""
    if isinstance(cell, Unreadable):
        return None
    return "" if cells.is_blank(cell, reading) else totals.value_shown(cells.shown(cell))


def reading_of_column(spec: JobSpec, name: str) -> Reading:
    """Give how the job reads a column."""
    return next((mapping.reading_of(target) for target in spec.data.values() if target.column == name), Reading())
