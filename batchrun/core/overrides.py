"""The `_override.<field>` cells of a row: typed by the job's `review.outputs` schema, else by the cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchrun.core import schema_types, targets, validation
from batchrun.core.mapping import RowMapper, compile_mapping, map_row
from batchrun.core.review import OVERRIDE, Fault
from batchrun.core.schema import Schema
from batchrun.core.spec import Target
from batchrun.model import Cell, Problem, SheetInfo, SourceRow

DEEPEST = 4
_SPECIAL = re.compile(r"[.\[\]\\]")


class OverrideReader:
    """Reads the overrides of one sheet, whose columns it is made for; a blank cell overrides nothing."""

    def __init__(self, header: Sequence[str], schema: Schema | None) -> None:
        self._columns = tuple(name for name in header if name.startswith(OVERRIDE))
        self._schema = schema
        self.faults = tuple(_column_faults(self._columns))
        self._mapper = None if self.faults else _mapper(self._columns, schema)

    def __call__(self, cells: Mapping[str, Cell]) -> tuple[Mapping[str, Any], list[Fault]]:
        """Give what a row overrides, and what is wrong with it."""
        typed = tuple(_filled(cells.get(name)) for name in self._columns)
        if self._mapper is None or all(cell is None for cell in typed):
            return {}, []
        row = SourceRow(1, typed)
        mapped = map_row(self._mapper, row)
        problems = mapped.problems
        if self._schema is not None:
            problems += validation.problems_of(self._schema, self._mapper, row, mapped)
        return mapped.data, [_fault(problem) for problem in problems]


def _filled(cell: Cell) -> Cell:
    return None if isinstance(cell, str) and not cell.strip() else cell


def _mapper(columns: Sequence[str], schema: Schema | None) -> RowMapper:
    info = SheetInfo("", None, 1, tuple(columns), tuple(range(len(columns))))
    data = {name.removeprefix(OVERRIDE): Target(column=name) for name in columns}
    return compile_mapping(data, info, schema.document if schema is not None else {}, {})


def _fault(problem: Problem) -> Fault:
    """Name the column at fault; where a field is missing there is none, and its own would be the place to fill in."""
    column = problem.column or OVERRIDE + (problem.path or "/").lstrip("/").replace("/", ".")
    return Fault(column.split(", ")[0], problem.message)


def _column_faults(columns: Sequence[str]) -> Iterator[Fault]:
    paths: dict[targets.Path, str] = {}
    for name in columns:
        try:
            paths[targets.parse(name.removeprefix(OVERRIDE))] = name
        except ValueError:
            yield Fault(name, f"the header names no field; write one as {OVERRIDE}amount")
    for first, second in targets.clashes({path: name.removeprefix(OVERRIDE) for path, name in paths.items()}):
        yield Fault(paths[second], f"does not go together with the column {paths[first]}")


def fields_of(schema: Schema) -> tuple[str, ...]:
    """Give the fields for which a workbook has override columns: the leaves of the objects that the schema names."""
    return tuple(_leaves(schema.document, ()))


def _leaves(document: Mapping[str, Any], path: targets.Path) -> Iterator[str]:
    for name in dict.fromkeys(schema_types.names_at(document, path)):
        below = (*path, name)
        if len(below) < DEEPEST and schema_types.names_at(document, below):
            yield from _leaves(document, below)
        else:
            yield ".".join(_SPECIAL.sub(r"\\\g<0>", str(step)) for step in below)
