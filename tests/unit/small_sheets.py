"""Small sheets for tests of drafting: columns as plain values, and schemas of one field."""

from __future__ import annotations

from typing import Any

from small_jobs import schema_of, sheet

from batchrun.core.column_samples import Column, Sample, sample_of
from batchrun.core.fitting import Fit, fit
from batchrun.core.matching import Matching, match
from batchrun.core.schema_leaves import leaves
from batchrun.model import Cell, SourceRow


def sample(**columns: list[Cell]) -> Sample:
    """Make a sample; `Invoice_No` stands for `Invoice No`."""
    rows = [SourceRow(number, cells) for number, cells in enumerate(zip(*columns.values(), strict=True), 2)]
    return sample_of(sheet(*(name.replace("_", " ") for name in columns)), rows)


def column(*cells: Cell) -> Column:
    return sample(Value=list(cells)).columns[0]


def fitted(wanted: dict[str, Any], *cells: Cell) -> Fit:
    """Fit a column named Value to a field of the wanted schema."""
    schema = schema_of({"type": "object", "properties": {"value": wanted}})
    (leaf,) = leaves(schema.document)
    return fit(column(*cells), leaf, schema)


def matched(properties: dict[str, Any], seen: Sample, required: tuple[str, ...] = (), places: int = 1) -> Matching:
    schema = schema_of({"type": "object", "properties": properties, "required": list(required)})
    return match(seen, leaves(schema.document, places), schema)


def pairs(matching: Matching) -> dict[str, str]:
    """Give what was matched: targets to columns."""
    return {pair.fit.target: pair.column.name for pair in matching.matched}
