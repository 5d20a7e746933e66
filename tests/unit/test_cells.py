"""How a cell becomes a value: the schema asks, the cell answers, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from batchrun.core.cells import (
    COERCERS,
    Fault,
    Reading,
    as_boolean,
    as_date,
    as_date_time,
    as_integer,
    as_it_is,
    as_number,
    as_text,
    cut,
    damage_in,
    is_blank,
    number_text,
    shown,
)
from batchrun.model import Cell, DressedNumber, Number, Unreadable

PLAIN = Reading()
BROKEN = Unreadable("error-cell", "correct the cell in Excel", "#N/A")


def num(text: str, width: int = 0) -> Number:
    return Number(Decimal(text), width)


def code(value: Any) -> str:
    assert isinstance(value, Fault), value
    return value.code


@pytest.mark.parametrize("text", ["NA", "N/A", "None", "null", "nan", "-", " ", "NO", "00123", "1E5", "1e+5", "=1+1"])
def test_text_is_kept_as_stored(text: str) -> None:
    assert as_text(text, PLAIN) == text
    assert not is_blank(text, PLAIN)


def test_only_the_empty_cell_is_blank_and_what_the_column_declares() -> None:
    declared = Reading(blanks=frozenset({"NA"}))
    assert [is_blank(cell, declared) for cell in (None, "", "NA", "na", num("0"), False)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (num("42"), "42"),
        (num("42", 5), "00042"),
        (num("-42", 5), "-00042"),
        (num("42.000"), "42"),
        (num("1E+2"), "100"),
        (num("999999999999999"), "999999999999999"),
    ],
)
def test_a_whole_number_is_text_as_the_sheet_shows_it(number: Number, text: str) -> None:
    assert as_text(number, PLAIN) == text


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (num("1.5"), "not-text"),
        (num("1000000000000000"), "too-many-digits"),
        (num("-1000000000000000"), "too-many-digits"),
        (True, "not-text"),
        (datetime(2026, 10, 31), "not-text"),
        ("1.23457E+11", "scientific-text"),
        ("1,23457E+11", "scientific-text"),
        ("-5E-05", "scientific-text"),
        ("M\ufffdller", "damaged-text"),
        ("a\0b", "damaged-text"),
        ("\x93quoted\x94", "damaged-text"),
        ("\ud83d", "damaged-text"),
        (BROKEN, "error-cell"),
        (None, "empty"),
    ],
)
def test_what_is_no_certain_text_is_refused(cell: Cell, fault: str) -> None:
    assert code(as_text(cell, PLAIN)) == fault


def test_damage_is_named_by_its_character() -> None:
    assert damage_in("plain\ttext\n") is None
    assert damage_in("Müller 😀") is None
    found = damage_in("ü\ufffd")
    assert found is not None
    assert "U+FFFD" in found.message


@pytest.mark.parametrize(
    ("cell", "reading", "value"),
    [
        ("19.90", PLAIN, "19.90"),
        ("-0.5", PLAIN, "-0.5"),
        ("007", PLAIN, "7"),
        ("12345678901234567890.12", PLAIN, "12345678901234567890.12"),
        (num("19.9"), PLAIN, "19.9"),
        (num("1E+2"), PLAIN, "100"),
        ("1.234,56", Reading(decimal=",", thousands="."), "1234.56"),
        ("1234,56", Reading(decimal=",", thousands="."), "1234.56"),
        ("-1.234.567", Reading(decimal=",", thousands="."), "-1234567"),
        ("1,234.56", Reading(thousands=","), "1234.56"),
        ("1'234.5", Reading(thousands="'"), "1234.5"),
        ("1 234", Reading(thousands=" "), "1234"),
        ("1\u00a0234\u202f567", Reading(thousands=" "), "1234567"),
    ],
)
def test_a_number_is_exact(cell: Cell, reading: Reading, value: str) -> None:
    assert as_number(cell, reading) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+5",
        "1e3",
        ".5",
        "5.",
        "1,234",
        "1 234",
        " 5",
        "5\n",
        "٣",
        "５",
        "0x1F",
        "1_000",
        "NaN",
        "Infinity",
        "inf",
        "--5",
        "5-",
        "(5)",
        "5 EUR",
    ],
)
def test_nothing_else_is_a_number(text: str) -> None:
    assert code(as_number(text, PLAIN)) == "not-a-number"


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("1,23", Reading(thousands=",")),
        ("1,2345", Reading(thousands=",")),
        ("1234,567", Reading(thousands=",")),
        (",123", Reading(thousands=",")),
        ("1.5", Reading(decimal=",")),
        ("1,2,3", Reading(decimal=",")),
        ("1.23,4", Reading(decimal=",", thousands=".")),
        ("1,234.567.890", Reading(decimal=",", thousands=".")),
        ("1٬234", Reading(thousands=",")),
    ],
)
def test_groups_and_signs_are_checked_not_dropped(text: str, reading: Reading) -> None:
    assert code(as_number(text, reading)) == "not-a-number"


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("1.23457E+11", "scientific-text"),
        (num("1234567890123456"), "too-many-digits"),
        (True, "not-a-number"),
        (datetime(2026, 1, 1), "not-a-number"),
        (BROKEN, "error-cell"),
        (None, "empty"),
    ],
)
def test_a_number_that_was_damaged_or_is_none_is_refused(cell: Cell, fault: str) -> None:
    assert code(as_number(cell, PLAIN)) == fault
    assert code(as_integer(cell, PLAIN)) == fault


@pytest.mark.parametrize(
    ("text", "reading", "part"),
    [
        ("5 ", PLAIN, "a space before or after"),
        ("1,5", PLAIN, "if a comma is the decimal sign"),
        ("1.5", Reading(decimal=","), '"," is the decimal sign'),
        ("five", PLAIN, "not a number"),
    ],
)
def test_a_number_that_cannot_be_read_tells_what_may_be_meant(text: str, reading: Reading, part: str) -> None:
    assert part in as_number(text, reading).message


def test_an_integer_is_a_whole_number_of_any_length() -> None:
    assert as_integer("5.00", PLAIN) == 5
    assert as_integer("9" * 30, PLAIN) == int("9" * 30)
    assert type(as_integer(num("5"), PLAIN)) is int
    assert code(as_integer("5.5", PLAIN)) == "not-an-integer"


@pytest.mark.parametrize(
    ("cell", "value"), [(True, True), (False, False), ("true", True), ("FALSE", False), ("True", True)]
)
def test_a_boolean_is_a_boolean_or_the_word(cell: Cell, value: bool) -> None:
    assert as_boolean(cell, PLAIN) is value


@pytest.mark.parametrize("cell", ["yes", "Y", "1", "0", " true", "", num("1"), num("0"), datetime(2026, 1, 1), None])
def test_nothing_else_is_a_boolean(cell: Cell) -> None:
    assert code(as_boolean(cell, PLAIN)) == "not-a-boolean"
    assert code(as_boolean(BROKEN, PLAIN)) == "error-cell"


@pytest.mark.parametrize(
    ("cell", "reading", "value"),
    [
        (datetime(2026, 10, 31), PLAIN, "2026-10-31"),
        ("2026-10-31", PLAIN, "2026-10-31"),
        ("31/10/2026", Reading(date_format="%d/%m/%Y"), "2026-10-31"),
        ("1/2/2026", Reading(date_format="%d/%m/%Y"), "2026-02-01"),
        ("31.10.26", Reading(date_format="%d.%m.%y"), "2026-10-31"),
    ],
)
def test_a_date_is_a_date_cell_iso_text_or_the_declared_form(cell: Cell, reading: Reading, value: str) -> None:
    assert as_date(cell, reading) == value


@pytest.mark.parametrize(
    ("cell", "reading"),
    [
        (datetime(2026, 10, 31, 0, 0, 1), PLAIN),
        (datetime(2026, 10, 31, 0, 0, 0, 1000), PLAIN),
        ("2026-02-30", PLAIN),
        ("31/10/2026", PLAIN),
        ("2026-10-31T00:00:00", PLAIN),
        ("20261031", PLAIN),
        ("2026-W44-6", PLAIN),
        ("2026-10-31 ", PLAIN),
        ("２０２６-10-31", PLAIN),
        ("2026-10-31", Reading(date_format="%d/%m/%Y")),
        ("10/31/2026", Reading(date_format="%d/%m/%Y")),
        ("３１/10/2026", Reading(date_format="%d/%m/%Y")),
        ("31/10/2026 14:30", Reading(date_format="%d/%m/%Y %H:%M")),
        (num("46326"), PLAIN),
        (True, PLAIN),
        (None, PLAIN),
    ],
)
def test_nothing_else_is_a_date(cell: Cell, reading: Reading) -> None:
    assert code(as_date(cell, reading)) == "not-a-date"
    assert code(as_date(BROKEN, reading)) == "error-cell"


BERLIN = Reading(zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("cell", "reading", "value"),
    [
        ("2026-10-31T14:30:00+02:00", PLAIN, "2026-10-31T14:30:00+02:00"),
        ("2026-10-31t14:30:00z", PLAIN, "2026-10-31T14:30:00+00:00"),
        ("2026-10-31 14:30Z", PLAIN, "2026-10-31T14:30:00+00:00"),
        ("2026-10-31T14:30:00.5Z", PLAIN, "2026-10-31T14:30:00.500000+00:00"),
        ("2026-10-31T14:30:00", BERLIN, "2026-10-31T14:30:00+01:00"),
        (datetime(2026, 7, 1, 14, 30), BERLIN, "2026-07-01T14:30:00+02:00"),
        (datetime(2026, 7, 1, 14, 30, tzinfo=UTC), BERLIN, "2026-07-01T14:30:00+00:00"),
        ("31.10.2026 14:30", Reading(date_format="%d.%m.%Y %H:%M", zone=UTC), "2026-10-31T14:30:00+00:00"),
    ],
)
def test_a_date_time_has_its_zone_or_the_declared_one(cell: Cell, reading: Reading, value: str) -> None:
    assert as_date_time(cell, reading) == value


@pytest.mark.parametrize(
    ("cell", "reading", "fault"),
    [
        ("2026-10-31T14:30:00", PLAIN, "no-time-zone"),
        (datetime(2026, 10, 31), PLAIN, "no-time-zone"),
        ("2026-10-25T02:30:00", BERLIN, "ambiguous-time"),
        ("2026-03-29T02:30:00", BERLIN, "ambiguous-time"),
        ("2026-10-31", BERLIN, "not-a-date-time"),
        ("2026-13-31T14:30:00Z", PLAIN, "not-a-date-time"),
        ("2026-10-31T25:30:00Z", PLAIN, "not-a-date-time"),
        ("2026-10-31T14:30:00+25:00", PLAIN, "not-a-date-time"),
        ("14:30", BERLIN, "not-a-date-time"),
        ("x", Reading(date_format="%d.%m.%Y"), "not-a-date"),
        (num("46326.5"), BERLIN, "not-a-date-time"),
        (BROKEN, BERLIN, "error-cell"),
    ],
)
def test_a_date_time_that_is_not_certain_is_refused(cell: Cell, reading: Reading, fault: str) -> None:
    assert code(as_date_time(cell, reading)) == fault


@pytest.mark.parametrize(
    ("cell", "value"),
    [("5", "5"), (num("5"), Decimal(5)), (True, True), (datetime(2026, 10, 31), "2026-10-31")],
)
def test_where_the_schema_asks_for_no_single_type_the_cell_keeps_its_own(cell: Cell, value: object) -> None:
    assert as_it_is(cell, PLAIN) == value
    assert code(as_it_is(BROKEN, PLAIN)) == "error-cell"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (False, "false"),
        (num("42", 5), "00042"),
        (num("1.50"), "1.5"),
        (datetime(2026, 10, 31), "2026-10-31"),
        (datetime(2026, 10, 31, 14, 30), "2026-10-31 14:30:00"),
        (BROKEN, "#N/A"),
        (None, ""),
    ],
)
def test_any_cell_can_be_shown(cell: Cell, text: str) -> None:
    assert shown(cell) == text


def test_a_value_is_cut_at_80_characters() -> None:
    assert cut("x" * 80) == "x" * 80
    assert cut("x" * 81) == "x" * 79 + "…"


def test_zeros_of_a_whole_number_are_kept() -> None:
    assert number_text(num("100")) == "100"


def test_each_type_of_json_schema_that_a_cell_can_have_has_a_coercer() -> None:
    assert set(COERCERS) == {"string", "number", "integer", "boolean", "date", "date-time", "any"}


def test_a_number_that_its_format_dresses_is_a_number_and_no_text() -> None:
    dressed = DressedNumber(Decimal(42))
    assert COERCERS["number"](dressed, Reading()) == Decimal(42)
    fault = COERCERS["string"](dressed, Reading())
    assert isinstance(fault, Fault) and "shows more than this number's digits" in fault.message
