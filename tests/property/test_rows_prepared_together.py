"""Rows that are prepared together are what each of them is alone: the short ways change nothing but the time."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchrun.core.prepare import Preparer, compile_preparer, prepare, prepare_all, selected_key
from batchrun.core.schema import compile_schema
from batchrun.core.selection import parse_rows
from batchrun.core.spec_faults import build
from batchrun.model import Cell, DressedNumber, Number, RowFault, SheetInfo, SourceRow, Unreadable

HEADER = ("K", "Text", "Note", "Amount", "Count", "Due", "Paid", "Price", "At", "Rush", "Tags", "Any")
LEAF = {
    "text": {"type": "string", "maxLength": 12},
    "note": {"type": ["string", "null"]},
    "amount": {"type": "number", "multipleOf": 0.01, "minimum": -5},
    "count": {"type": "integer"},
    "due": {"type": "string", "format": "date"},
    "paid": {"type": "string", "format": "date"},
    "price": {"type": "number"},
    "at": {"type": "string", "format": "date-time"},
    "rush": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "any": {},
    "fixed": {"type": "string"},
}
TARGETS: dict[str, Any] = {
    "text": "Text",
    "note": {"column": "Note", "blank": "null", "blank_values": ["-"]},
    "amount": "Amount",
    "count": {"column": "Count", "default": 7},
    "due": {"column": "Due", "blank": "error"},
    "paid": {"column": "Paid", "date_format": "%d/%m/%Y"},
    "price": {"column": "Price", "decimal": ",", "thousands": "."},
    "at": {"column": "At", "timezone": "Europe/Berlin"},
    "rush": {"column": "Rush", "map": {"Y": True, "N": False}},
    "tags": {"column": "Tags", "split": ";"},
    "any": {"expr": 'row["Any"]'},
    "fixed": {"value": "x"},
}
PLAIN: dict[str, list[Cell]] = {
    "K": ["a", "b ", "ü", "INV-1"],
    "Text": ["x", "Müller", "EUR", "a\nb"],
    "Note": ["n", "-", ""],
    "Amount": ["1", "12.50", "-3", "007", "1000000000000000000000.01"],
    "Count": ["1", "-2", "0012", ""],
    "Due": ["2026-10-31", "2024-02-29"],
    "Paid": ["31/10/2026", "01/01/2026"],
    "Price": ["1.234,50", "7", "0,5"],
    "At": ["2026-10-31T10:00:00", "2026-10-31T10:00:00Z"],
    "Rush": ["Y", "N"],
    "Tags": ["a;b", "c"],
    "Any": ["x", "1"],
}
ODD: list[Cell] = [
    "", " ", "x", "1E+5", "1E+5 ", "\ufffd", "\x85", "\0", "1\n2", "1\n", "2026-02-30", "2026-10-31\n2026-10-31", "1.x",
    "9" * 5000, "９", "true", "-", ";", "25/10/2026", "2026-10-25T02:30:00", "much longer than twelve",
    Number(Decimal("1")), Number(Decimal("1.0")), Number(Decimal(42), 5), DressedNumber(Decimal(3)), True, False, None,
    datetime(2026, 10, 31), datetime(2026, 10, 31, 8, 30), Unreadable("error-cell", "correct it", "#N/A"),
]  # fmt: skip


def made(targets: dict[str, str], rows: str | None = None, **source: Any) -> Preparer:
    """Compile a job whose payload has each field at the place that `targets` gives it."""
    document = {"job": "j", "procedure": {"id": "p"}, "source": {"file": "in.csv", **source}, "key": ["K"]} | {
        "schema": "s.json",
        "data": {place: TARGETS[name] for name, place in targets.items()},
        "results": {"totals": ["Amount", "Price"]},
    }
    spec, faults = build(document)
    assert spec is not None, faults
    schema: dict[str, Any] = {"type": "object", "properties": {name: LEAF[name] for name in targets}}
    if any("." in place or "[" in place for place in targets.values()):
        schema = NESTED
    compiled = compile_schema(json.loads(json.dumps(schema), parse_float=Decimal), "s.json")
    info = SheetInfo("in.csv", None, 1, HEADER, tuple(range(len(HEADER))))
    return compile_preparer(spec, info, compiled, {}, parse_rows(rows) if rows else ())


NESTED: dict[str, Any] = {
    "type": "object",
    "required": ["who"],
    "properties": {
        "who": {"type": "object", "properties": {name: LEAF[name] for name in ("text", "note", "due", "fixed")}},
        "lines": {"type": "array", "items": {"type": "object", "properties": LEAF}},
        **LEAF,
    },
}
FLAT = {name: name for name in TARGETS}
DEEP = {"text": "who.text", "amount": "amount", "note": "who.note", "due": "who.due", "count": "count"}
LISTED = {"text": "who.text", "amount": "lines[0].amount", "price": "lines[1].price", "fixed": "who.fixed"}
JOBS = {
    "flat": made(FLAT),
    "nested": made(DEEP),
    "lists": made(LISTED),
    "chosen": made(DEEP, rows="2-4,6", where='row["Text"] != "x"'),
    "text": made({"text": "text"}),
}


@st.composite
def sheets(draw: st.DrawFn) -> list[SourceRow]:
    """Draw a sheet most of whose columns are plain, so that the short ways are really taken."""
    count = draw(st.integers(0, 8))
    odd = draw(st.sets(st.sampled_from(HEADER), max_size=3))
    columns = []
    for name in HEADER:
        cells = st.sampled_from(PLAIN[name] + (ODD if name in odd else []))
        columns.append(draw(st.lists(cells, min_size=count, max_size=count)))
    broken = draw(st.sets(st.integers(2, 9), max_size=1))
    fault = (RowFault("too-few-cells", "the row is short"),)
    return [
        SourceRow(number, cells, fault if number in broken else ())
        for number, cells in enumerate(zip(*columns, strict=True), 2)
    ]


@pytest.mark.parametrize("name", JOBS)
@settings(max_examples=120, deadline=None)
@given(rows=sheets())
def test_rows_prepared_together_are_what_each_is_alone(name: str, rows: list[SourceRow]) -> None:
    alone = [prepare(JOBS[name], row) for row in rows]
    assert repr(prepare_all(JOBS[name], rows)) == repr(alone)
    assert [selected_key(JOBS[name], row) for row in rows] == [None if one is None else one.key for one in alone]


@pytest.mark.parametrize("cell", ODD)
@pytest.mark.parametrize("column", range(len(HEADER)))
def test_one_odd_cell_of_any_column_is_read_as_it_is_alone(column: int, cell: Cell) -> None:
    plain = [tuple(PLAIN[name][0] for name in HEADER)] * 3
    odd = tuple(cell if place == column else PLAIN[name][1] for place, name in enumerate(HEADER))
    rows = [SourceRow(number, cells) for number, cells in enumerate([*plain, odd, *plain], 2)]
    for job in JOBS.values():
        assert repr(prepare_all(job, rows)) == repr([prepare(job, row) for row in rows])
