"""A drafted schema says what every sampled cell says, and no more."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from small_sheets import pairs, sample

from batchrun.core.schema_draft import draft_schema, matched_by_draft, property_names
from batchrun.model import Cell, Number

TEXT, NUMBER, BOOLEAN = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
DATE, TIME = {**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}


def number(text: str, width: int = 0) -> Number:
    return Number(Decimal(text), width)


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("Code_of", ["00123", "7"], TEXT),
        ("Size", ["12", "7"], NUMBER),
        ("Size", ["012", "7"], TEXT),
        ("Size", ["0", "0.5"], NUMBER),
        ("Plant", [number("42", 5)], TEXT),
        ("Amount", ["19.90", "5"], NUMBER),
        ("Amount", ["1.234,50"], NUMBER),
        ("Amount", ["1,234"], TEXT),  # which of two numbers it is, nobody knows
        ("Amount", ["19.90", "n/a"], TEXT),
        ("Amount", [number("1.5")], NUMBER),
        ("Amount", [number("1.5"), "n/a"], {}),
        ("Invoice_No", ["10007"], TEXT),
        ("Phone", ["4930123"], TEXT),
        ("Open", ["TRUE", "false"], BOOLEAN),
        ("Open", [True], BOOLEAN),
        ("Rush", ["Y", "N"], TEXT),
        ("Size", ["1", "0"], NUMBER),
        ("Due", ["2026-10-31"], DATE),
        ("Due", ["31.10.2026"], DATE),
        ("Due", ["20261031"], DATE),
        ("Size", ["20261031"], NUMBER),
        ("Due", ["01/02/2026"], TEXT),
        ("Due", [datetime(2026, 10, 31)], DATE),
        ("At", [datetime(2026, 10, 31, 14, 30)], TIME),
        ("At", ["2026-10-31T14:30:00Z"], TIME),
        ("Empty", [""], {}),
    ],
)
def test_a_type_is_drafted_only_where_every_sampled_cell_agrees(
    name: str, given: list[Cell], wanted: dict[str, Any]
) -> None:
    seen = sample(**{name: given})
    (drafted,) = draft_schema(seen, None, "t", "in.csv").document["properties"].values()
    assert drafted == wanted


def test_a_draft_says_that_it_is_one_and_requires_the_key_alone() -> None:
    document = draft_schema(sample(Size=["1", "2"], Name=["a", "b"]), "Size", "payouts", "in.csv").document
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$comment"].startswith("DRAFT by batchrun init, from 2 rows of in.csv.")
    assert document["title"] == "DRAFT: payouts"
    assert document["properties"]["size"] == TEXT  # a key names, and does not count
    assert (document["required"], document["additionalProperties"]) == (["size"], True)


def test_fields_are_named_after_columns() -> None:
    seen = sample(
        **{"Invoice No": ["1"], "Straße": ["a"], "Größe (m²)": ["1"], "🙂": ["x"], "1st": ["y"], "invoice no": ["2"]}
    )
    assert list(property_names(seen).values()) == [
        *("invoiceNo", "strasse", "grosseM2", "column4", "column5", "invoiceNoColumn6"),
    ]


def test_each_column_feeds_its_own_field_and_what_needs_a_person_is_near() -> None:
    seen = sample(No=["1", "2"], Amount=["1,50", "2"], At=[datetime(2026, 1, 1, 1), datetime(2026, 1, 1, 2)])
    made = matched_by_draft(seen, draft_schema(seen, "No", "t", "in.csv"))
    assert pairs(made) == {"no": "No", "amount": "Amount"}
    assert made.near["at"].fit.options == {"timezone": "CHANGE_ME"}
