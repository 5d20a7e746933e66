"""One source row to one prepared row: selected, keyed, mapped, validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchrun.core import cells, keys, mapping, payloads, selection, totals, validation
from batchrun.core.cells import Fault, Reading
from batchrun.core.expressions import Expression
from batchrun.core.mapping import RowMapper
from batchrun.core.schema import Schema
from batchrun.core.spec import JobSpec
from batchrun.model import Amount, Cell, Problem, SheetInfo, SourceRow, SplitAmount, Summed, Unreadable


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row that is ready to be journalled: `payload` is the JSON of `data`, None where the row is invalid.

    `amounts` has one entry for each control total, zero where the cell is empty, None where it cannot be read; a split
    total's tells the value, too.
    `member_of` is the number of the row whose payload this one is a part of; `note` says why a row without problems
    of its own is invalid.
    """

    row: SourceRow
    key: tuple[str, ...]
    payload: bytes | None
    problems: tuple[Problem, ...]
    amounts: tuple[Amount, ...]
    member_of: int | None = None
    note: str | None = None

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
    return _prepared(preparer, row)


def _prepared(preparer: Preparer, row: SourceRow) -> Prepared:
    mapped = mapping.map_row(preparer.mapper, row)
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

    def amount(row: SourceRow) -> Decimal | None:
        cell = row.cells[column]
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
