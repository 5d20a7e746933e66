"""What a sample proves is written down; what it leaves open is left to a person."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from small_jobs import schema_of
from small_sheets import fitted, sample

from batchrun.core.fitting import fit
from batchrun.core.schema_leaves import leaves
from batchrun.model import Cell, Number, Unreadable

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
DATE = {"type": "string", "format": "date"}
TIME = {"type": "string", "format": "date-time"}
TAGS = {"type": "array", "items": TEXT}

PROVED: list[tuple[dict[str, Any], list[Cell], dict[str, Any]]] = [
    (TEXT, ["00123", "NA"], {}),
    (NUMBER, ["19.99", "1234"], {}),
    (NUMBER, [Number(Decimal("1.5"))], {}),
    (NUMBER, ["19,90", "5"], {"decimal": ","}),
    (NUMBER, ["1.234,50", "5"], {"decimal": ",", "thousands": "."}),
    (NUMBER, ["1,234.50"], {"thousands": ","}),
    (NUMBER, ["1.000.000", "12"], {"decimal": ",", "thousands": "."}),
    (NUMBER, ["1'234.50"], {"thousands": "'"}),
    (NUMBER, ["0.125", "0.250"], {}),
    ({"type": "integer"}, ["7", "12"], {}),
    (DATE, ["2026-10-31"], {}),
    (DATE, [datetime(2026, 10, 31)], {}),
    (DATE, ["31/10/2026", "01/02/2026"], {"date_format": "%d/%m/%Y"}),
    (DATE, ["10/31/2026"], {"date_format": "%m/%d/%Y"}),
    (DATE, ["01.02.2026"], {"date_format": "%d.%m.%Y"}),
    (DATE, ["03/03/2026"], {"date_format": "%d/%m/%Y"}),
    (BOOLEAN, ["TRUE", "false"], {}),
    (BOOLEAN, [True, False], {}),
    (BOOLEAN, ["Y", "N"], {"map": {"Y": True, "N": False}}),
    (BOOLEAN, ["yes", "No", ""], {"map": {"yes": True, "No": False}}),
    (BOOLEAN, [Number(Decimal(1)), Number(Decimal(0))], {"map": {"1": True, "0": False}}),
    ({"enum": ["EUR", "USD"]}, ["EUR"], {}),
    (
        {"enum": ["wrong_item", "damaged"]},
        ["Wrong item", "Damaged"],
        {"map": {"Wrong item": "wrong_item", "Damaged": "damaged"}},
    ),
    ({"type": "string", "pattern": "^[A-Z0-9]+$"}, ["DE 12"], {"expr": 'row["Value"] | replace(" ", "")'}),
    ({"type": "string", "pattern": "^[A-Z0-9]+$"}, ["de 12"], {"expr": 'row["Value"] | replace(" ", "") | upper'}),
    (TIME, ["2026-10-31T14:30:00+01:00"], {}),
    (TAGS, ["a;b", "c"], {"split": ";"}),
    (TAGS, ["a, b"], {"split": ","}),
    ({}, ["a", Number(Decimal("1.5"))], {}),
    (NUMBER, [], {}),
]


@pytest.mark.parametrize(("wanted", "given", "options"), PROVED)
def test_what_every_sampled_cell_bears_out_is_taken(
    wanted: dict[str, Any], given: list[Cell], options: dict[str, Any]
) -> None:
    found = fitted(wanted, *given)
    assert (found.options, found.share, found.amiss) == (options, 1, "")


OPEN: list[tuple[dict[str, Any], list[Cell], str]] = [
    (NUMBER, ["1.000", "12"], "\"1.000\" may mean 1.000 or 1000; say which, as in decimal: ',', thousands: '.'"),
    (NUMBER, ["1,234"], "\"1,234\" may mean 1234 or 1.234; say which, as in decimal: ','"),
    (NUMBER, ["19.99", "19,99"], 'the cells are not all written in one way: "19,99" is unlike others'),
    (NUMBER, ["€ 5"], '"€ 5": not a number'),
    (NUMBER, [Unreadable("formula", "the formula has no value", "=A1")], '"=A1": the formula has no value'),
    (
        DATE,
        ["01/02/2026", "03/04/2026"],
        "\"01/02/2026\" may mean 2026-02-01 or 2026-01-02; say which, as in date_format: '%m/%d/%Y'",
    ),
    (
        DATE,
        ["13/01/2026", "14/01/2026", "01/15/2026"],
        'the cells are not all written in one way: "01/15/2026" is unlike others',
    ),
    (
        DATE,
        ["31.11.2026"],
        '"31.11.2026": the calendar has no such day; correct the cell',
    ),
    (BOOLEAN, ["maybe"], '"maybe": neither true nor false; say what it means, as in `map: {Y: true, N: false}`'),
    (
        {"enum": ["late_delivery"]},
        ["Late"],
        '"Late": not among the words of the schema (late_delivery); say by a `map:` what is meant',
    ),
    (
        {"enum": ["1", "2"], "type": "string"},
        ["a", "b", "c", "d"],
        '"a", "b", "c" and 1 more: not among the words of the schema (1, 2); say by a `map:` what is meant',
    ),
    ({"enum": [1, 2]}, ["x"], '"x": not a number'),
    ({"type": "string", "maxLength": 2}, ["a b c"], '"a b c": the schema does not take it'),
    ({"type": "string", "maxLength": 2}, ["abc", Number(Decimal(1))], '"abc": the schema does not take it'),
    (TEXT, [True], '"true": this is a TRUE/FALSE cell, but text is expected; add a `map:` for it'),
    (TAGS, ["a;b|c"], '";" and "|" may be what separates the values; say which'),
    ({"type": "array", "items": NUMBER}, ["1,5"], '"," may be what separates the values; say which'),
    ({"type": "object"}, ["x"], "the schema wants an object without naming its fields"),
    (TIME, ["soon"], '"soon": not a date-time such as 2026-10-31T14:30:00+01:00'),
    (TIME, [datetime(2026, 10, 31, 14, 30)], "the times have no zone; write yours, such as Europe/Berlin"),
    (TIME, ["31.10.2026 14:30"], "the times have no zone; write yours, such as Europe/Berlin"),
    (
        TIME,
        ["01/02/2026 14:30"],
        '"01/02/2026 14:30" may mean 2026-02-01T14:30:00+00:00 or 2026-01-02T14:30:00+00:00; '
        "say which, as in date_format: '%m/%d/%Y %H:%M'; the times have no zone",
    ),
]


@pytest.mark.parametrize(("wanted", "given", "amiss"), OPEN)
def test_what_would_be_a_guess_is_left_open_and_told(wanted: dict[str, Any], given: list[Cell], amiss: str) -> None:
    found = fitted(wanted, *given)
    assert found.amiss.startswith(amiss)
    assert found.share < 1


def test_a_few_bad_cells_are_told_and_counted() -> None:
    found = fitted(NUMBER, *["1"] * 9, "n/a")
    assert found.share == 0.9
    assert found.amiss == '"n/a": not a number'
    assert fitted(DATE, *["2026-10-31"] * 9, "01.11.2026").share == 0.9


def test_the_zone_is_for_a_person_to_fill_in() -> None:
    assert fitted(TIME, "31.10.2026 14:30").options == {"date_format": "%d.%m.%Y %H:%M", "timezone": "CHANGE_ME"}


def test_notes_show_what_is_read_by_an_example() -> None:
    assert fitted(NUMBER, "1.234,50").note == '"1.234,50" is read as 1234.50'
    assert fitted(DATE, "31.10.2026").note == '"31.10.2026" is read as 2026-10-31'
    assert fitted(BOOLEAN, "Y").note == "the sheet's words, and what the schema calls them"
    assert fitted(TAGS, "a;b").note == "one cell holds several values"
    assert fitted(TAGS).note == "the column was empty in the rows looked at"
    assert fitted({"type": "string", "pattern": "^[A-Z]+$"}, "A B").note == "the schema takes it only without blanks"


def test_a_list_of_single_cells_fills_its_first_place() -> None:
    found = fitted(TAGS, "a", "b")
    assert (found.target, found.options, found.note) == ("value[0]", {}, "a list; each cell here holds one value")


def test_a_second_place_of_a_list_is_judged_by_its_own_rules() -> None:
    line = {"type": "object", "properties": {"sku": {"type": "string", "minLength": 3}}}
    schema = schema_of({"type": "object", "properties": {"lines": {"type": "array", "items": line}}})
    second = leaves(schema.document, 2)[1]
    (column,) = sample(V=["abc", "x"]).columns
    assert fit(column, second, schema).share == 0.5


def test_no_expression_is_made_of_a_name_that_would_need_escapes() -> None:
    schema = schema_of({"type": "object", "properties": {"v": {"type": "string", "pattern": "^[A-Z]+$"}}})
    (leaf,) = leaves(schema.document)
    (column,) = sample(**{'say "V"': ["A B"]}).columns
    assert fit(column, leaf, schema).options == {}
