"""Rows to payloads: blanks, maps, lists, params, forms, and what the schema asks for."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from small_jobs import fields, job, payload, prepared, told, value_through

from batchrun.core.mapping import columns_fed
from batchrun.model import Cell, Number, Unreadable

TEXT = {"type": "string"}


def num(text: str, width: int = 0) -> Number:
    return Number(Decimal(text), width)


@pytest.mark.parametrize(
    ("target", "cell", "value"),
    [
        ("A", "", "omitted"),
        ("A", None, "omitted"),
        ({"column": "A", "blank": "omit"}, "", "omitted"),
        ({"column": "A", "blank": "null"}, "", None),
        ({"column": "A", "blank": None}, "", None),
        ({"column": "A", "blank": "error"}, "", "blank: the cell is empty, and the job asks for a value"),
        ({"column": "A", "default": "d"}, "", "d"),
        ({"column": "A", "default": None}, "", None),
        ({"column": "A", "default": "d"}, "x", "x"),
        ({"column": "A", "blank_values": ["NA", "-"], "default": "d"}, "NA", "d"),
        ({"column": "A", "blank_values": ["NA", "-"]}, "na", "na"),
        ({"column": "A", "blank_values": ["42"]}, num("42"), "42"),
    ],
)
def test_an_empty_cell_does_what_the_target_says(target: Any, cell: Cell, value: object) -> None:
    assert value_through(target, {"type": ["string", "null"]}, cell) == value


@pytest.mark.parametrize(
    ("wanted", "cell", "value"),
    [
        ({"type": "string"}, "00123", "00123"),
        ({"type": "string"}, num("42", 5), "00042"),
        ({"type": "number"}, "19.90", Decimal("19.90")),
        ({"type": ["integer", "null"]}, "5", 5),
        ({"type": ["integer", "number"]}, num("5.5"), Decimal("5.5")),
        ({"type": "boolean"}, "TRUE", True),
        ({"type": "string", "format": "date"}, datetime(2026, 10, 31), "2026-10-31"),
        ({"type": "string", "format": "date-time"}, "2026-10-31T14:30:00Z", "2026-10-31T14:30:00+00:00"),
        ({"type": ["string", "integer"]}, num("5"), 5),
        ({"type": ["string", "integer"]}, "5", "5"),
        ({}, "5", "5"),
        ({}, num("5"), 5),
        ({"type": "null"}, "x", "schema-type: nothing is expected"),
    ],
)
def test_a_cell_becomes_the_type_that_the_schema_asks_for(wanted: Any, cell: Cell, value: object) -> None:
    assert value_through("A", wanted, cell) == value


@pytest.mark.parametrize(
    ("target", "cell", "value"),
    [
        ({"type": "number"}, "5.0", Decimal("5.0")),
        ({"type": "string"}, num("5"), "5"),
        ({"type": "date"}, datetime(2026, 10, 31), "2026-10-31"),
        ({"date_format": "%d/%m/%Y"}, "31/10/2026", "31/10/2026"),
        ({"decimal": ",", "thousands": "."}, "1.234,50", "1.234,50"),
        ({"type": "number", "decimal": ",", "thousands": "."}, "1.234,50", Decimal("1234.50")),
    ],
)
def test_a_declared_type_overrides_the_schema(target: Any, cell: Cell, value: object) -> None:
    assert value_through({"column": "A", **target}, {}, cell) == value


def test_a_form_of_dates_or_a_zone_says_what_a_text_is() -> None:
    assert value_through({"column": "A", "date_format": "%d/%m/%Y"}, TEXT, "31/10/2026") == "2026-10-31"
    zoned = {"column": "A", "timezone": "Europe/Berlin"}
    assert value_through(zoned, TEXT, datetime(2026, 10, 31, 14)) == "2026-10-31T14:00:00+01:00"


WORDS = {"column": "A", "map": {"Y": True, "N": False, "42": "num", "true": "yes", "2026-10-31": "day"}}


@pytest.mark.parametrize(
    ("cell", "value"),
    [("Y", True), ("N", False), (num("42"), "num"), (True, "yes"), (datetime(2026, 10, 31), "day"), ("", "omitted")],
)
def test_a_map_says_what_words_mean(cell: Cell, value: object) -> None:
    assert value_through(WORDS, {}, cell) == value


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("y", "not-in-map: not among the words that the job maps (Y, N, 42, true, 2026-10-31)"),
        (False, "not-in-map: not among the words that the job maps (Y, N, 42, true, 2026-10-31)"),
        (Unreadable("error-cell", "correct it", "#N/A"), "error-cell: correct it"),
    ],
)
def test_a_word_that_is_not_mapped_is_no_value(cell: Cell, message: str) -> None:
    assert value_through(WORDS, {}, cell) == message


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("a;b", ["a", "b"]),
        (" a ; b ", ["a", "b"]),
        ("a;", ["a"]),
        ("a", ["a"]),
        (num("5"), ["5"]),
        ("", "omitted"),
        ("a;;b", 'empty-item: there is nothing between two ";"; take one of them out'),
        (";a", 'empty-item: there is nothing between two ";"; take one of them out'),
        (True, "not-text: this is a TRUE/FALSE cell, but text is expected; add a `map:` for it"),
    ],
)
def test_a_split_cell_is_a_list(cell: Cell, value: object) -> None:
    assert value_through({"column": "A", "split": ";"}, {"type": "array", "items": TEXT}, cell) == value


def test_the_items_of_a_split_cell_have_the_type_of_items() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    assert value_through({"column": "A", "split": ","}, numbers, "1,2") == [1, 2]
    assert value_through({"column": "A", "split": ","}, numbers, "1,x") == "not-a-number: not a number"


def test_the_items_of_a_split_cell_can_be_mapped() -> None:
    target = {"column": "A", "split": "/", "map": {"a": 1, "b": 2}}
    assert value_through(target, {"type": "array"}, "b/a") == [2, 1]
    assert value_through(target, {"type": "array"}, "b/c") == "not-in-map: not among the words that the job maps (a, b)"


def test_fixed_values_stand_as_they_are_and_params_become_the_type_that_is_asked_for() -> None:
    data = {"c": {"value": "EUR"}, "n": {"value": Decimal("19.90")}, "y": {"param": "year"}, "p": {"param": "period"}}
    wanted = fields(c=TEXT, n={"type": "number"}, y={"type": "integer"}, p=TEXT)
    made = job(data, [], wanted, params={"year": "2026", "period": "2026-10"})
    assert payload(made) == {"c": "EUR", "n": Decimal("19.90"), "y": 2026, "p": "2026-10"}


def test_dots_build_objects_and_brackets_build_lists_whose_gaps_close_up() -> None:
    data = {"payee.name": "A", "lines[0].sku": "B", "lines[1].sku": "C", "tags[1]": "D"}
    schema: Any = {"type": "object"}
    typed = {path: {"column": column, "type": "string"} for path, column in data.items()}
    made = job(typed, "ABCD", schema)
    assert payload(made, "x", "", "c", "d") == {"payee": {"name": "x"}, "lines": [{"sku": "c"}], "tags": ["d"]}
    assert payload(made, "x", "", "", "") == {"payee": {"name": "x"}}


LINES = fields(lines={"type": "array", "items": fields(q={"type": "integer", "minimum": 0})})


@pytest.mark.parametrize(
    ("cells", "places"),
    [
        (("", "-1"), [("in.csv!C2", "/lines/1/q", "schema-minimum")]),
        (("x", "-1"), [("in.csv!B2", "/lines/0/q", "not-a-number"), ("in.csv!C2", "/lines/1/q", "schema-minimum")]),
        (("-1", ""), [("in.csv!B2", "/lines/0/q", "schema-minimum")]),
    ],
)
def test_a_problem_in_a_closed_up_list_names_the_cell_that_fed_it(
    cells: tuple[str, str], places: list[tuple[str, str, str]]
) -> None:
    made = prepared(job({"lines[0].q": "A", "lines[1].q": "B"}, "AB", LINES), *cells)
    assert [where[:3] for where in told(made)] == places


def expr(text: str, **more: Any) -> dict[str, Any]:
    return {"expr": text, **more}


@pytest.mark.parametrize(
    ("target", "wanted", "cell", "value"),
    [
        (expr('row["A"] | upper'), TEXT, "x", "X"),
        (expr('(row["A"] | number) * 1.19'), {"type": "number"}, "100.00", Decimal("119.0000")),
        (expr('row["A"] | number'), TEXT, "42", "42"),
        (expr('row["A"]'), {"type": "integer"}, "42", 42),
        (expr('row["A"] == "Y"'), {"type": "boolean"}, "Y", True),
        (expr('row["A"].split("/")'), {"type": "array"}, "a/b", ["a", "b"]),
        (expr('{"n": row["A"]}'), {"type": "object"}, "a", {"n": "a"}),
        (expr('row["A"]'), {"type": "string", "format": "date"}, datetime(2026, 10, 31), "2026-10-31"),
        (expr('row["A"]', map={"a": "b"}), TEXT, "a", "b"),
        (expr('row["A"]', default="d"), TEXT, "", "d"),
        (expr('row["A"]', blank="error"), TEXT, "", "blank: the cell is empty, and the job asks for a value"),
        (expr('row["A"]'), TEXT, "", "omitted"),
        (expr("none"), TEXT, "", "omitted"),
        (expr('row["A"]'), TEXT, Unreadable("error-cell", "correct it"), "error-cell: correct it"),
    ],
)
def test_what_an_expression_gives_goes_the_way_of_a_cell(target: Any, wanted: Any, cell: Cell, value: object) -> None:
    columns_all = "AB"
    made = prepared(job({"v": target}, columns_all, fields(v=wanted)), cell, "b")
    if made.payload is None:
        (problem,) = made.problems
        assert f"{problem.code}: {problem.message}" == value
        assert (problem.cell, problem.column) in {("in.csv!B2", "A"), ("in.csv!2", None)}
    else:
        assert payload(job({"v": target}, columns_all, fields(v=wanted)), cell, "b").get("v", "omitted") == value


def test_an_expression_that_uses_the_row_as_a_whole_names_all_its_cells() -> None:
    made = prepared(job({"v": expr('row.values() | join("") | number')}, "AB", fields(v={})), "x", "y")
    assert made.problems[0].cell == "in.csv!A2, in.csv!B2, in.csv!C2"
    assert made.problems[0].value == "k, x, y"


def test_a_value_that_no_column_fed_is_a_problem_of_its_row() -> None:
    made = prepared(job({"v": {"value": 5}}, [], fields(v=TEXT)))
    assert told(made) == [("in.csv!2", "/v", "schema-type", "text is expected")]


def test_the_columns_that_are_sent_are_named_once_in_the_job_s_order() -> None:
    targets = {"b": "B", "v": {"value": 1}, "c": {"expr": 'row["C"] ~ row["B"]'}, "k": "K"}
    preparer = job(targets, ["A", "B", "C"], {"type": "object"})
    assert [preparer.info.header[column] for column in columns_fed(preparer.mapper)] == ["B", "C", "K"]
