"""One source row to one prepared row: selected, keyed, mapped, validated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_jobs import fields, job, prepared, told

from batchrun.core.prepare import prepare, prepare_all, selected_key
from batchrun.core.selection import parse_rows
from batchrun.model import Number, RowFault, SourceRow, SplitAmount, Unreadable

SCHEMA = fields(k={"type": "string"}, a={"type": "number"})
DATA = {"k": "K", "a": "A"}


def test_a_good_row_has_its_key_its_payload_and_its_amounts() -> None:
    made = prepared(job(DATA, "A", SCHEMA, results={"totals": ["A"]}), "19.90", key=" k1 ")
    assert (made.key, made.payload, made.problems) == (("k1",), b'{"k":" k1 ","a":19.90}', ())
    assert made.amounts == (Decimal("19.90"),)


@pytest.mark.parametrize(
    ("cell", "amount"),
    [("", Decimal(0)), (None, Decimal(0)), ("x", None), (Unreadable("error-cell", "why"), None)],
)
def test_an_amount_is_zero_where_the_cell_is_empty_and_unknown_where_it_cannot_be_read(
    cell: Any, amount: Decimal | None
) -> None:
    assert prepared(job(DATA, "A", SCHEMA, results={"totals": ["A"]}), cell).amounts == (amount,)


def test_an_amount_is_read_as_its_target_declares() -> None:
    data: dict[str, Any] = {"k": "K", "a": {"column": "A", "decimal": ",", "thousands": ".", "blank_values": ["-"]}}
    made = job(data, "AB", SCHEMA, results={"totals": ["A", "B"]})
    assert prepared(made, "1.234,50", "7.5").amounts == (Decimal("1234.50"), Decimal("7.5"))
    assert prepared(made, "-", "1,5").amounts == (Decimal(0), None)


def test_a_number_that_the_column_declares_to_mean_empty_is_no_amount() -> None:
    data: dict[str, Any] = {"k": "K", "a": {"column": "A", "blank_values": ["999"]}}
    made = job(data, "A", SCHEMA, results={"totals": ["A"]})
    assert prepared(made, "999").amounts == (Decimal(0),)
    assert prepared(made, "998").amounts == (Decimal(998),)


def test_rows_that_are_not_chosen_are_not_prepared() -> None:
    made = job(DATA, "A", SCHEMA, rows=parse_rows("3-4"))
    assert prepare(made, SourceRow(2, ("k", "1"), (RowFault("short", "x"),))) is None
    assert prepare(made, SourceRow(3, ("k", "1"))) is not None


def where(text: str) -> Any:
    return job(DATA, "A", SCHEMA, source={"file": "in.csv", "where": text}, results={"totals": ["A"]})


def test_where_leaves_out_the_rows_for_which_it_is_false() -> None:
    made = where('row["A"] == "1"')
    assert prepare(made, SourceRow(2, ("k", "2"))) is None
    assert prepared(made, "1").problems == ()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('row["A"]', "where-failed", "`where` gives neither true nor false here"),
        ("1", "where-failed", "`where` gives neither true nor false here"),
        ("none", "where-failed", "`where` gives neither true nor false here"),
        ("1 / 0 == 1", "expression-failed", "the expression '1 / 0 == 1' fails here: division by zero"),
    ],
)
def test_a_row_of_which_where_cannot_tell_is_a_problem_not_left_out(text: str, code: str, message: str) -> None:
    made = prepared(where(text), "1")
    assert told(made) == [("in.csv!2", None, code, message)]
    assert (made.payload, made.key, made.amounts) == (None, ("k",), (Decimal(1),))


def test_a_broken_row_has_its_faults_and_nothing_else() -> None:
    made = prepare(where("true"), SourceRow(7, ("k",), (RowFault("too-short", "two cells are missing"),)))
    assert made is not None
    assert told(made) == [("in.csv!7", None, "too-short", "two cells are missing")]
    assert (made.key, made.payload, made.amounts) == ((), None, (None,))


def test_a_bad_cell_that_is_key_and_value_is_told_once() -> None:
    required = {**SCHEMA, "required": ["k", "a"]}
    assert told(prepared(job(DATA, "A", required), "1", key="")) == [
        ("in.csv!A2", None, "key-missing", "the key that names this row is empty")
    ]
    made = prepared(job(DATA, "A", SCHEMA), "1", key=Unreadable("error-cell", "correct it", "#N/A"))
    assert told(made) == [("in.csv!A2", "/k", "error-cell", "correct it")]


def test_a_key_with_another_fault_than_its_value_is_told_as_the_key() -> None:
    numeric = fields(k={"type": "integer"}, a={"type": "number"})
    assert [code for _, _, code, _ in told(prepared(job(DATA, "A", numeric), "1", key="M\ufffd"))] == ["damaged-text"]


def test_one_bad_cell_that_feeds_two_values_is_one_line_and_two_bad_items_are_two() -> None:
    two = job({"a": "A", "b": "A"}, "A", fields(a={"type": "number"}, b={"type": "number"}))
    assert len(prepared(two, "x").problems) == 1
    items = job({"v": {"column": "A", "split": ";"}}, "A", fields(v={"items": {"type": "string", "maxLength": 1}}))
    assert [problem.value for problem in prepared(items, "a;bc;d;ef").problems] == ["bc", "ef"]


def test_a_long_integer_is_sent_digit_for_digit() -> None:
    made = job({"n": "A"}, "A", fields(n={"type": "integer"}))
    assert prepared(made, "9" * 40).payload == b'{"n":' + b"9" * 40 + b"}"
    assert prepared(made, Number(Decimal(5))).payload == b'{"n":5}'


def test_an_amount_is_split_by_what_another_column_shows() -> None:
    totals = {"totals": {"sum": "A", "by": "C"}}
    made = job({"a": "A", "c": {"column": "C", "blank_values": ["n/a"]}}, ["A", "C"], {}, results=totals)
    spoilt = Unreadable("error-cell", "an error", "#N/A")
    for cell, value in ((" EUR\xa0", "EUR"), (Number(Decimal(7), 3), "007"), (None, ""), (" ", ""), ("n/a", "")):
        assert prepared(made, "1.50", cell).amounts == (SplitAmount(Decimal("1.50"), value),)
    assert prepared(made, "1.50", spoilt).amounts == (SplitAmount(Decimal("1.50"), None),)
    assert prepared(made, "1,50", "EUR").amounts == (SplitAmount(None, "EUR"),)
    broken = prepare(made, SourceRow(2, ("k", "1", "EUR"), (RowFault("too-few-cells", "x"),)))
    assert broken is not None
    assert broken.amounts == (None,)


def test_rows_are_prepared_together_as_each_alone() -> None:
    schema = fields(k={"type": "string"}, a={"type": "number", "maximum": 100})
    rows = [
        SourceRow(2, ("k2", "1.50")),
        SourceRow(3, ("k3", "x")),
        SourceRow(4, ("", "4")),
        SourceRow(5, ("k5", "101")),
        SourceRow(6, ("k6", ""), (RowFault("short", "x"),)),
        SourceRow(7, ("k7", Number(Decimal(7)))),
    ]
    for made in (
        job(DATA, "A", schema, results={"totals": ["A"]}),
        job(DATA, "A", schema, rows=parse_rows("3-7")),
        job({"l[1]": "K", "l[2]": "A"}, "A", {"type": "object"}),
    ):
        alone = [prepare(made, row) for row in rows]
        for first, last in ((0, 6), (0, 1), (5, 6), (4, 5), (2, 2)):
            assert prepare_all(made, rows[first:last]) == alone[first:last]
        assert [selected_key(made, row) for row in rows] == [None if one is None else one.key for one in alone]
