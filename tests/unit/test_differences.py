"""The fields in which two rows with one key differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from small_jobs import fields, job

from batchrun.core import differences
from batchrun.core.differences import Content, text_of
from batchrun.core.prepare import Preparer
from batchrun.model import Cell, Number

TEXT = {"type": "string"}
DATA = {
    "id": "K",
    "payee.name": "Vendor",
    "amount": "Amount",
    "tags": {"column": "Tags", "split": ";"},
    "method": {"value": "bank"},
    "label": {"expr": 'row["Vendor"] ~ row["Amount"]'},
    "lines[0].text": "Text",
}
SCHEMA = fields(
    id=TEXT,
    payee=fields(name=TEXT),
    amount={"type": "number"},
    tags={"type": "array", "items": TEXT},
    method=TEXT,
    label=TEXT,
    lines={"type": "array", "items": fields(text=TEXT)},
)
COLUMNS = ("Vendor", "Amount", "Tags", "Text", "Remark", "Open")
HEADER = ("K", *COLUMNS)


def preparer() -> Preparer:
    return job(DATA, COLUMNS, SCHEMA)


def content(data: Any = None, cells: Sequence[Cell] = ()) -> Content:
    return Content(None if data is None else json.dumps(data).encode(), cells)


def found(old: Content, new: Content, before: Sequence[str] = HEADER, *, grouped: bool = False) -> list[Any]:
    look = differences.watch(preparer().mapper, before, grouped=grouped)
    return list(differences.changes(look, old, new))


def test_a_sent_field_names_its_columns_and_its_place() -> None:
    old = content({"payee": {"name": "Ann"}, "amount": 1, "label": "Ann1"})
    new = content({"payee": {"name": "Bob"}, "amount": 2, "label": "Bob2"})
    assert found(old, new) == [
        ("Vendor", "/payee/name", "Ann", "Bob"),
        ("Amount", "/amount", Decimal(1), Decimal(2)),
        ("Vendor, Amount", "/label", "Ann1", "Bob2"),
    ]


def test_what_the_job_puts_into_every_payload_is_no_difference_of_a_row() -> None:
    assert found(content({"method": "bank"}), content({"method": "cash"})) == []


def test_numbers_are_compared_by_value() -> None:
    assert found(Content(b'{"amount":19.90}', ()), Content(b'{"amount":19.9}', ())) == []


def test_a_list_is_one_place_and_is_told_as_json() -> None:
    old, new = content({"tags": ["a"], "lines": []}), content({"tags": ["a", "b"], "lines": [{"text": "x"}]})
    assert found(old, new) == [
        ("Tags", "/tags", '["a"]', '["a","b"]'),
        ("Text", "/lines", "[]", '[{"text":"x"}]'),
    ]


def test_a_field_that_is_not_there_is_nothing_and_null_is_a_value() -> None:
    assert found(content({"payee": 1, "id": None}), content({"payee": {"name": "Ann"}})) == [
        ("K", "/id", "null", None),
        ("Vendor", "/payee/name", None, "Ann"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [(None, {"amount": 2}), ({"amount": 1}, None), ({"amount": 1}, {"amount": 1})],
    ids=["no payload then", "no payload now", "the same"],
)
def test_payloads_are_compared_where_both_are_there_and_differ(old: Any, new: Any) -> None:
    assert found(content(old), content(new)) == []


def test_columns_that_are_not_sent_are_compared_by_what_they_show() -> None:
    old: list[Cell] = ["1", "Ann", "1", "", "", "late ", True]
    new: list[Cell] = ["1", "Bob", "2", "x", "y", "late", False]
    assert found(content(None, old), content(None, new)) == [("Open", None, True, False)]
    moved = [*new[:5], Number(Decimal("1.5")), True]
    assert found(content(None, old), content(None, moved)) == [("Remark", None, "late", Decimal("1.5"))]


def test_a_number_with_its_zeros_and_a_date_are_told_as_the_sheet_shows_them() -> None:
    old: list[Cell] = ["1", "", "", "", "", Number(Decimal(42), 5), datetime(2026, 10, 31)]
    assert found(content(None, old), content(None, old[:5])) == [
        ("Remark", None, "00042", None),
        ("Open", None, "2026-10-31", None),
    ]


def test_columns_stand_where_each_sheet_has_them_and_new_ones_are_left_out() -> None:
    assert found(content(None, ["late"]), content(None, ["1", "", "", "", "", "soon", True]), ("Remark",)) == [
        ("Remark", None, "late", "soon")
    ]


def test_of_groups_only_what_is_sent_is_compared() -> None:
    old, new = content({"amount": 1}, ["1"] * 7), content({"amount": 2}, ["2"] * 7)
    assert found(old, new, grouped=True) == [("Amount", "/amount", Decimal(1), Decimal(2))]


@pytest.mark.parametrize(
    ("value", "text"), [(Decimal("1E+2"), "100"), ("x", "x"), (True, "true"), (None, None), (Decimal("1.50"), "1.50")]
)
def test_a_change_is_told_in_plain_text(value: Any, text: str | None) -> None:
    assert text_of(value) == text
