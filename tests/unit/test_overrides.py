"""The `_override.<field>` cells: typed by the schema where there is one, else by the cell."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchrun.core.overrides import OverrideReader, fields_of
from batchrun.core.schema import Schema, compile_schema
from batchrun.model import Cell, Number, Unreadable

AMOUNT, PAYEE, OK = "_override.amount", "_override.payee.name", "_override.ok"
HEADER = ("Vendor", "_decision", AMOUNT, PAYEE, OK)
DOCUMENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0},
        "payee": {"type": "object", "properties": {"name": {"type": "string"}}},
        "ok": {"type": "boolean"},
        "a.b": {"type": "string"},
        "tags": {"type": "array"},
    },
    "required": ["amount"],
}


def schema(document: dict[str, Any] = DOCUMENT) -> Schema:
    return compile_schema(document, "outputs.json")


def test_a_schema_types_the_cells() -> None:
    read = OverrideReader(HEADER, schema())
    assert read({AMOUNT: "19.90", PAYEE: Number(Decimal(7)), OK: "true"}) == (
        {"amount": Decimal("19.90"), "payee": {"name": "7"}, "ok": True},
        [],
    )


def test_without_a_schema_the_cell_says_what_it_is() -> None:
    read = OverrideReader(HEADER, None)
    assert read({AMOUNT: "00123", PAYEE: Number(Decimal("19.90")), OK: True}) == (
        {"amount": "00123", "payee": {"name": Decimal("19.90")}, "ok": True},
        [],
    )


@pytest.mark.parametrize("cell", [None, "", "  "])
def test_a_blank_cell_overrides_nothing(cell: Cell) -> None:
    assert OverrideReader(HEADER, schema())({AMOUNT: cell}) == ({}, [])


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({AMOUNT: "a lot"}, AMOUNT),
        ({AMOUNT: Number(Decimal(-1))}, AMOUNT),
        ({AMOUNT: Unreadable("error-cell", "the cell shows the error #REF!")}, AMOUNT),
        ({OK: True}, AMOUNT),
    ],
)
def test_a_value_that_does_not_fit_is_told_by_its_column(cells: dict[str, Cell], column: str) -> None:
    _, faults = OverrideReader(HEADER, schema())(cells)
    assert [fault.column for fault in faults] == [column]


def test_a_missing_field_without_a_column_is_told_by_the_name_it_would_have() -> None:
    _, faults = OverrideReader((OK,), schema())({OK: True})
    assert [fault.column for fault in faults] == [AMOUNT]


@pytest.mark.parametrize("header", [("_override.",), ("_override.a..b",), ("_override.a", "_override.a.b")])
def test_a_header_that_names_no_field_is_told(header: tuple[str, ...]) -> None:
    read = OverrideReader(header, None)
    assert [fault.column for fault in read.faults] == [header[-1]]
    assert read({header[-1]: "x"}) == ({}, [])


def test_the_fields_of_a_schema_are_its_leaves() -> None:
    assert fields_of(schema()) == ("amount", "payee.name", "ok", "a\\.b", "tags")
