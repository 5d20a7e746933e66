"""Drafts a JSON Schema from a sample of a sheet: what its columns hold, where every sampled cell agrees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from batchrun.core import column_names
from batchrun.core.column_samples import Column, Sample
from batchrun.core.fitting import Fit, fit
from batchrun.core.matching import Match, Matching, settled
from batchrun.core.naming import slug
from batchrun.core.schema import DEFAULT_DIALECT, Schema, compile_schema
from batchrun.core.schema_leaves import leaves
from batchrun.model import Number

_KINDS: Mapping[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "date-time": {"type": "string", "format": "date-time"},
    "number": {"type": "number"},
    "string": {"type": "string"},
}
_FILLED_WITH_ZEROS = re.compile(r"[-+]?0\d")
# Whoever writes these never means to count.
_NAMING = {"number", "reference", "key", "id", "code", "phone", "account", "iban", "bic", "tax", "vat", "card"}
_DAYS = {"date", "due", "day", "valid"}


def draft_schema(sample: Sample, key: str | None, title: str, file_name: str) -> Schema:
    """Draft a schema of one field a column; nothing is required but the key, and more may come."""
    names = property_names(sample)
    fields = {names[column.name]: _field(column, is_key=column.name == key) for column in sample.columns}
    document = {
        "$schema": DEFAULT_DIALECT,
        "$comment": f"DRAFT by batchrun init, from {sample.rows} rows of {file_name}. It says what the sheet holds, "
        "not what the procedure wants: put the procedure's own input schema in its place.",
        "title": f"DRAFT: {title}",
        "type": "object",
        "properties": fields,
        "required": [names[key]] if key is not None else [],
        "additionalProperties": True,
    }
    return compile_schema(document, "the draft")


def matched_by_draft(sample: Sample, schema: Schema) -> Matching:
    """Match each column with the field that was drafted for it."""
    fields = {leaf.path: leaf for leaf in leaves(schema.document)}
    names = property_names(sample)
    places = [(column, fields[names[column.name],]) for column in sample.columns]
    pairs = [Match(column, leaf, fit(column, leaf, schema), 1.0) for column, leaf in places]
    return settled(
        sample, tuple(fields.values()), [one for one in pairs if one.good], [one for one in pairs if not one.good]
    )


def property_names(sample: Sample) -> dict[str, str]:
    """Give each column's field name: `Invoice No` is invoiceNo."""
    names: dict[str, str] = {}
    for place, column in enumerate(sample.columns, 1):
        first, *others = slug(column.name.replace("ß", "ss")).split("-")
        name = first + "".join(word.capitalize() for word in others)
        name = name if name[:1].isalpha() else f"column{place}"
        names[column.name] = name if name not in names.values() else f"{name}Column{place}"
    return names


def _field(column: Column, *, is_key: bool) -> dict[str, Any]:
    if not column.filled:
        return {}
    for kind, wanted in _KINDS.items():
        if _may_be(kind, column, is_key=is_key) and _agrees(kind, _fit_to(wanted, column)):
            return dict(wanted)
    return {}


def _fit_to(wanted: dict[str, Any], column: Column) -> Fit:
    schema = compile_schema({"type": "object", "properties": {"field": wanted}}, "the draft")
    (leaf,) = leaves(schema.document)
    return fit(column, leaf, schema)


def _agrees(kind: str, found: Fit) -> bool:
    """Tell whether every sampled cell is of a kind; words such as Y and N are text until a schema says otherwise."""
    if kind == "date-time" and "timezone" in found.options:
        return True
    return found.share == 1 and "map" not in found.options and "expr" not in found.options


def _may_be(kind: str, column: Column, *, is_key: bool) -> bool:
    words = set(column_names.words_of(column.name))
    if kind == "number":
        return not is_key and not words & _NAMING and not _is_zero_filled(column)
    if kind == "date" and any(isinstance(cell, str) and cell.isdigit() for cell in column.cells):
        return bool(words & _DAYS)  # 20261031 may well count something
    return True


def _is_zero_filled(column: Column) -> bool:
    """Tell whether zeros stand in front of a cell's number, typed or by its format: such a number is a name."""
    return any(
        _FILLED_WITH_ZEROS.match(cell) if isinstance(cell, str) else isinstance(cell, Number) and cell.width > 0
        for cell in column.cells
    )
