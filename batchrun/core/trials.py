"""Tries a way of reading on a column's sampled cells, by the same code that reads them in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchrun.core import mapping, targets
from batchrun.core.cells import Fault
from batchrun.core.column_samples import Column
from batchrun.core.schema import Schema
from batchrun.core.spec import Target
from batchrun.model import Cell, SheetInfo

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """What each cell becomes by some options of a target; `read` and `taken` count the sheet's cells.

    A cell that is read gives a value, one that is taken gives a value that the schema has nothing against.
    """

    target: str
    options: Options
    values: Mapping[Cell, Any]
    read: int
    taken: int
    refused: tuple[Cell, ...]

    def reading_of(self, cell: Cell) -> Any:
        """Give what a cell becomes; None where it becomes nothing."""
        value = self.values[cell]
        return None if isinstance(value, Fault) else value

    def fault_of(self, cell: Cell) -> str | None:
        """Say why a cell gives no value; None where it gives one."""
        value = self.values[cell]
        return value.message if isinstance(value, Fault) else None


def tried(column: Column, target: str, options: Options, schema: Schema) -> Trial:
    """Read every sampled cell of a column as a target of a job would."""
    source = {} if "expr" in options else {"column": column.name}
    info = SheetInfo("", None, 1, (column.name,), (0,))
    made = Target.model_validate({**source, **options})
    (field,) = mapping.compile_mapping({target: made}, info, schema.document, {}).fields
    values = {cell: _value(field, cell) for cell in column.cells}
    faulty = {cell for cell, value in values.items() if isinstance(value, Fault)}
    refused = {cell for cell, value in values.items() if cell not in faulty and not _takes(schema, field.path, value)}
    return Trial(
        target=target,
        options=options,
        values=values,
        read=sum(column.cells[cell] for cell in values if cell not in faulty),
        taken=sum(column.cells[cell] for cell in values if cell not in faulty | refused),
        refused=tuple(cell for cell in values if cell in faulty | refused),
    )


def _value(field: mapping.Field, cell: Cell) -> Any:
    return field.get((cell,))


def _takes(schema: Schema, path: targets.Path, value: Any) -> bool:
    """Tell whether the schema has nothing against a value at its own place, whatever else it misses."""
    data: dict[str, Any] = {}
    targets.place(data, path, value)
    there = [0 if isinstance(step, int) else step for step in path]
    errors = schema.validator.iter_errors(targets.close_up(data))
    return not any(list(error.instance_path)[: len(there)] == there for error in errors)
