"""Numbers become what Excel shows: at most 15 digits, and dates without rounding."""

from __future__ import annotations

from datetime import datetime

import pytest

from batchrun.io.excel_numbers import (
    NumberFormat,
    built_in_format,
    dated_cell,
    iso_cell,
    number_cell,
    read_format,
)
from batchrun.model import Number, Unreadable

DATE = NumberFormat("date")


def code_of(cell: object) -> str:
    assert isinstance(cell, Unreadable), cell
    return cell.code


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (0.30000000000000004, "0.3"),
        (19.99, "19.99"),
        (1.1 * 3, "3.3"),
        (100.0, "100"),
        (1e5, "100000"),
        (999_999_999_999_999.0, "999999999999999"),
        (1234567890.123456, "1234567890.12346"),
        (-0.0, "0"),
        (1e-5, "0.00001"),
    ],
)
def test_a_number_is_its_shortest_decimal_of_fifteen_digits(stored: float, shown: str) -> None:
    cell = number_cell(stored)
    assert isinstance(cell, Number)
    assert format(cell.value, "f") == shown


@pytest.mark.parametrize("stored", [1e15, -1e15, 4111111111111111.0, 1e300])
def test_a_number_of_sixteen_digits_is_refused(stored: float) -> None:
    assert code_of(number_cell(stored)) == "too-many-digits"


@pytest.mark.parametrize("stored", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(stored: float) -> None:
    assert code_of(number_cell(stored)) == "not-a-number"


@pytest.mark.parametrize(
    ("code", "kind", "width"),
    [
        ("General", "number", 0),
        ("GENERAL", "number", 0),
        ('General" d"', "number", 0),
        ("00000", "number", 5),
        ("[$-407]00000", "number", 5),
        ("0", "number", 1),
        ("0.00", "number", 0),
        ("00000.0", "number", 0),
        ("000-00-0000", "number", 0),
        ('#,##0 "days"', "number", 0),
        ('"a;d"0', "number", 0),
        ("0.00E+00", "number", 0),
        ("_-* #,##0.00\\ [$€-407]_-", "number", 0),
        ("[$USD] 0", "number", 0),
        ("[Red]0", "number", 1),
        ("0_d", "number", 1),
        ("0;d", "number", 0),
        ("@", "number", 0),
        ("yyyy\\-mm\\-dd;@", "date", 0),
        ("[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", "date", 0),
        ("mmm", "date", 0),
        ("m/d/yy h:mm", "date", 0),
        ('"\\"d', "date", 0),
        ("h:mm AM/PM", "time", 0),
        ("mm:ss", "time", 0),
        ("[h]:mm", "duration", 0),
        ("[SS]", "duration", 0),
    ],
)
def test_a_format_tells_what_a_number_shows(code: str, kind: str, width: int) -> None:
    assert (read_format(code).kind, read_format(code).width) == (kind, width)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, "number"),
        (1, "number"),
        (14, "date"),
        (17, "date"),
        (20, "time"),
        (22, "date"),
        (31, "regional"),
        (45, "time"),
        (46, "duration"),
        (58, "regional"),
        (49, "number"),
    ],
)
def test_formats_named_by_number_are_known(number: int, kind: str) -> None:
    assert built_in_format(number).kind == kind


@pytest.mark.parametrize(
    ("serial", "moment"),
    [
        (61.0, datetime(1900, 3, 1)),
        (46296.0, datetime(2026, 10, 1)),
        (46296.38371527778, datetime(2026, 10, 1, 9, 12, 33)),
        (46296.999999988426, datetime(2026, 10, 1, 23, 59, 59, 999000)),
        (sum([1 / 24] * 9) + 46296, datetime(2026, 10, 1, 9)),
        (2958465.999988426, datetime(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_moment_is_rebuilt_where_the_serial_means_a_millisecond(serial: float, moment: datetime) -> None:
    assert dated_cell(serial, DATE, since_1904=False) == moment


@pytest.mark.parametrize(
    ("serial", "since_1904", "code"),
    [
        (60.999, False, "date-too-early"),
        (0.5, False, "date-too-early"),
        (-3.0, True, "date-too-early"),
        (0.25, True, "date-too-early"),
        (float("nan"), False, "date-too-early"),
        (2958466.0, False, "date-too-late"),
        (float("inf"), False, "date-too-late"),
        (2957004.0, True, "date-too-late"),
        (46296.3837152, False, "time-too-fine"),
        (45000.123456789, False, "time-too-fine"),
    ],
)
def test_a_date_that_would_be_a_guess_is_refused(serial: float, since_1904: bool, code: str) -> None:
    assert code_of(dated_cell(serial, DATE, since_1904=since_1904)) == code


def test_the_1904_system_begins_four_years_later() -> None:
    assert dated_cell(1.0, DATE, since_1904=True) == datetime(1904, 1, 2)
    assert dated_cell(44834.0, DATE, since_1904=True) == dated_cell(46296.0, DATE, since_1904=False)


@pytest.mark.parametrize("kind", ["time", "duration"])
def test_times_of_day_and_durations_are_refused(kind: str) -> None:
    assert code_of(dated_cell(0.5, NumberFormat(kind), since_1904=False)) == "duration"  # type: ignore[arg-type]


def test_iso_text_is_a_moment_without_a_zone() -> None:
    assert iso_cell("2026-10-01") == datetime(2026, 10, 1)
    assert code_of(iso_cell("T09:30:00")) == "duration"
    assert code_of(iso_cell("2026-10-01T09:30:00Z")) == "damaged-cell"
    assert code_of(iso_cell("October")) == "damaged-cell"
    assert code_of(iso_cell("1900-02-28")) == "date-too-early"
    assert code_of(iso_cell("2026-10-01T09:30:00.0005")) == "time-too-fine"
    assert iso_cell("2026-10-01T09:30:00.500000000") == datetime(2026, 10, 1, 9, 30, 0, 500_000)


@pytest.mark.parametrize(
    "code",
    [
        "0000-0000",
        r"000\-00\-0000",
        '"INV-"0000',
        r"\d0",
        '0" kg"',
        "0%",
        "#,##0,",
        "00 00",
        "000.00",
        r"[<=9999999]###\-####;\(###\)\ ###\-####",
        "[DBNum1]General",
        '"n/a"',
    ],
)
def test_a_format_that_shows_more_than_the_digits_is_told(code: str) -> None:
    assert read_format(code) == NumberFormat("number", dressed=True)


@pytest.mark.parametrize(
    "code",
    [
        "General",
        "@",
        "#",
        "#,##0",
        "#,##0.00",
        '#,##0.00 "€"',
        "[$€-407] #,##0",
        "$#,##0",
        "0.00E+00",
        "# ?/?",
        r"#,##0_);[Red]\(#,##0\)",
        r'_(* #,##0_);_(* \(#,##0\);_(* "-"??_);_(@_)',
        r"_-* #,##0.00\ [$€-407]_-;\-* #,##0.00\ [$€-407]_-",
        "#,##0.00 EUR",
    ],
)
def test_a_format_that_shows_digits_as_amounts_are_shown_is_plain(code: str) -> None:
    assert read_format(code) == NumberFormat()


@pytest.mark.parametrize("code", ["00000;-00000", "[Red]00000", "00000_)", "00000;[Red]-00000;00000;@", "00000;;;@"])
def test_zeros_may_be_coloured_and_stand_for_each_sign(code: str) -> None:
    assert read_format(code) == NumberFormat("number", 5)


@pytest.mark.parametrize("number", [9, 10])
def test_a_percentage_that_a_file_names_by_number_is_dressed(number: int) -> None:
    assert built_in_format(number).dressed


@pytest.mark.parametrize("code", ["e", "ggge", "bbbb"])
def test_years_of_other_calendars_are_dates(code: str) -> None:
    assert read_format(code).kind == "date"
