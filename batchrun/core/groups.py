"""Several rows, one payload: rows that agree in the group's columns, each an item of the lists that `[]` names.

All that is known of a row is told by that row's own cells: a group is mapped and validated as one long row, whose
cells know where they came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from batchrun.core import cells, keys, mapping, payloads, prepare, validation
from batchrun.core.cells import Fault
from batchrun.core.mapping import OMIT, Field, RowMapper
from batchrun.core.prepare import Prepared, Preparer
from batchrun.core.settling import same_value
from batchrun.core.targets import EACH, pointer
from batchrun.model import Cell, Problem, SheetInfo, SourceRow


@dataclass(frozen=True, slots=True)
class GroupInfo(SheetInfo):
    """Names the cells of a group's rows laid end to end; `row_of` remembers of which row each named cell is."""

    numbers: tuple[int, ...] = ()
    row_of: dict[str, int] = field(default_factory=dict)

    def cell_address(self, number: int, column: int) -> str:  # noqa: ARG002  # each cell knows its row
        """Name a cell by its index in the long row; its own row's number counts."""
        place, own = divmod(column, len(self.header) // len(self.numbers))
        address = super(GroupInfo, self).cell_address(self.numbers[place], own)
        self.row_of[address] = self.numbers[place]
        return address


def takes_part(preparer: Preparer, row: SourceRow) -> bool:
    """Tell whether the job's `where` takes a row, or cannot say."""
    return bool(row.faults) or preparer.where is None or preparer.where(row) is not False


def alone(preparer: Preparer, row: SourceRow) -> Prepared:
    """Prepare a row that can be in no group: it is broken, its group is unknown, or `where` cannot say."""
    every = replace(preparer, rows=())
    if row.faults or (preparer.where is not None and preparer.where(row) is not True):
        made = prepare.prepare(every, row)
        assert made is not None  # noqa: S101  # such a row is not left out
        return made
    problems = keys.key_problems(preparer.info, row, preparer.group_columns)
    told = tuple(replace(one, code=f"group{one.code.removeprefix('key')}", message=_of_group(one)) for one in problems)
    return Prepared(row, keys.key_of(row, preparer.key_columns), None, told, _amounts(every, row))


def _of_group(problem: Problem) -> str:
    return "the row's group is empty" if problem.code == "key-missing" else problem.message


def _amounts(preparer: Preparer, row: SourceRow) -> tuple[Any, ...]:
    return tuple(amount(row) for amount in preparer.amounts)


def prepared(
    preparer: Preparer, rows: Sequence[SourceRow], note: str | None = None, long_rows: LongRows | None = None
) -> list[Prepared]:
    """Prepare one group: its first row bears the payload, the others are its members.

    `note` says why the group may not be whole; it is a problem then, and is not sent.
    """
    first = rows[0]
    info = _info(preparer.info, rows)
    mapper = RowMapper(info, (long_rows or LongRows(preparer.mapper)).fields(len(rows)))
    long_row = SourceRow(first.number, tuple(cell for row in rows for cell in row.cells))
    mapped = mapping.map_row(mapper, long_row)
    refused = (*mapped.problems, *validation.problems_of(preparer.schema, mapper, long_row, mapped))
    differing = tuple(_disagreements(preparer, rows))
    problems = [
        *keys.key_problems(preparer.info, first, preparer.key_columns),
        *differing,
        *(replace(one, row=info.row_of.get(one.cell.split(", ")[0], first.number)) for one in refused),
    ]
    if note is not None:
        problems.append(_of_the_whole(preparer.info, first, note))
    payload = None if problems else payloads.to_json(mapped.data)
    return list(_members(preparer, rows, payload, problems))


def _of_the_whole(info: SheetInfo, first: SourceRow, note: str) -> Problem:
    return Problem(first.number, info.row_address(first.number), None, None, None, "group-incomplete", note)


def _members(
    preparer: Preparer, rows: Sequence[SourceRow], payload: bytes | None, problems: Sequence[Problem]
) -> Iterator[Prepared]:
    leader = rows[0].number
    faulty = next((problem.row for problem in problems), None)
    for row in rows:
        own = tuple({(one.cell, one.code): one for one in problems if one.row == row.number}.values())
        yield Prepared(
            row=row,
            key=keys.key_of(rows[0], preparer.key_columns),
            payload=payload if row is rows[0] else None,
            problems=own,
            amounts=_amounts(preparer, row),
            member_of=None if payload is None or row is rows[0] else leader,
            note=None if payload is not None or own else f"not sent, because row {faulty} of its group has a problem",
            more=row is not rows[-1],
        )


def _info(info: SheetInfo, rows: Sequence[SourceRow]) -> GroupInfo:
    return GroupInfo(
        file_name=info.file_name,
        sheet=info.sheet,
        header_row=info.header_row,
        header=info.header * len(rows),
        positions=info.positions,
        numbers=tuple(row.number for row in rows),
    )


class LongRows:
    """The targets of a job as those of long rows, of so many rows each."""

    def __init__(self, mapper: RowMapper) -> None:
        self._fields, self._width = mapper.fields, len(mapper.info.header)
        self._known: dict[int, tuple[Field, ...]] = {}

    def fields(self, count: int) -> tuple[Field, ...]:
        """Give the targets of a group of so many rows; those of small groups are kept."""
        known = self._known.get(count)
        if known is None:
            known = tuple(self._made(count))
            if count <= _MOST_KEPT:
                self._known[count] = known
        return known

    def _made(self, count: int) -> Iterator[Field]:
        for one in self._fields:
            if EACH in one.path:
                yield from (_item(one, place, self._width) for place in range(count))
            else:
                yield one


_MOST_KEPT = 100


def _item(one: Field, place: int, width: int) -> Field:
    path = tuple(place if step == EACH else step for step in one.path)
    start = place * width

    def get(values: Sequence[Cell]) -> Any:
        return one.get(values[start : start + width])

    return Field(path, pointer(path), get, tuple(start + column for column in one.columns))


def agrees(preparer: Preparer, rows: Sequence[SourceRow]) -> bool:
    """Tell whether the rows of a group agree in all that a group says once."""
    return next(_disagreements(preparer, rows), None) is None


def _disagreements(preparer: Preparer, rows: Sequence[SourceRow]) -> Iterator[Problem]:
    """Give where a row says something else than its group's first row, of what a group says once."""
    first, info = rows[0], preparer.info
    key = keys.key_of(first, preparer.key_columns)
    shared = [one for one in preparer.mapper.fields if EACH not in one.path and one.columns]
    for row in rows[1:]:
        for one in shared:
            value, wanted = one.get(row.cells), one.get(first.cells)
            if (
                isinstance(wanted, Fault)
                or value is wanted
                or (OMIT not in (value, wanted) and same_value(value, wanted))
            ):
                continue
            yield _disagreement(info, row, first, one.columns, one.pointer, value)
        if keys.key_of(row, preparer.key_columns) != key:
            yield _disagreement(info, row, first, preparer.key_columns, None, None)


def _disagreement(
    info: SheetInfo, row: SourceRow, first: SourceRow, columns: Sequence[int], path: str | None, value: Any
) -> Problem:
    where = mapping.cells_named(info, first.number, columns)
    said = ", ".join(cells.shown(first.cells[column]) for column in columns)
    told = f'the rows of a group must agree here, and {where} says "{cells.cut(said)}"'
    return Problem(
        row=row.number,
        cell=mapping.cells_named(info, row.number, columns),
        column=mapping.columns_named(info, columns),
        path=path,
        value=cells.cut(", ".join(cells.shown(row.cells[column]) for column in columns)) or None,
        code=value.code if isinstance(value, Fault) else "group-differs",
        message=value.message if isinstance(value, Fault) else told,
    )


def repeated(preparer: Preparer, one: Prepared, numbers: tuple[int, ...]) -> Prepared:
    """Make a row of a group invalid whose key other groups have, too; `numbers` are their first rows."""
    problem = keys.repeated(preparer.info, one.row, preparer.key_columns, numbers)
    return one._replace(payload=None, member_of=None, problems=(*one.problems, problem), note=None)
