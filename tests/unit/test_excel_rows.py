"""Two readings make one row, and whatever only one of them has is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from batchrun.io.excel_calamine import Value, agrees, sole_reading
from batchrun.io.excel_numbers import GENERAL, NumberFormat
from batchrun.io.excel_refusals import Refusals, merged_cells
from batchrun.io.excel_rows import CellRules, read_by_calamine, read_once, read_twice
from batchrun.io.excel_sheet import StoredCell, StoredRow, error_cell
from batchrun.model import Number, Unreadable

RULES = CellRules((GENERAL, NumberFormat("date")))


def stored(number: int, *values: object, style: int = 0) -> StoredRow:
    return StoredRow(number, [StoredCell(column, value, style) for column, value in enumerate(values)])  # type: ignore[arg-type]


def second(*rows: Sequence[Value]) -> Iterator[tuple[int, Sequence[Value]]]:
    return enumerate(rows, 1)


def codes(rows: Iterator[tuple[int, tuple[object, ...]]]) -> list[tuple[int, list[object]]]:
    return [(n, [cell.code if isinstance(cell, Unreadable) else cell for cell in cells]) for n, cells in rows]


def twice(first: list[StoredRow], *others: Sequence[Value]) -> list[tuple[int, list[object]]]:
    return codes(read_twice(first, second(*others), RULES, Refusals([]), 2))


def test_readings_that_agree_are_one_row() -> None:
    assert twice([stored(2, "a", 1.5)], ["", ""], ["a", 1.5]) == [(2, ["a", Number(Decimal("1.5"))])]


def test_a_cell_with_two_values_is_refused() -> None:
    assert twice([stored(1, "a", 1.5)], ["b", 1.5]) == [(1, ["readers-differ", Number(Decimal("1.5"))])]


def test_a_cell_that_only_one_reader_has_is_refused() -> None:
    assert twice([stored(1, "a")], ["a", "b"]) == [(1, ["a", "readers-differ"])]
    assert twice([stored(1, "a", "b")], ["a"]) == [(1, ["a", "readers-differ"])]
    assert twice([stored(1, "a")], ["a", "", False]) == [(1, ["a", None, "readers-differ"])]
    assert twice([stored(1, "a")], ["a", 0.0]) == [(1, ["a", "readers-differ"])]


def test_a_row_that_only_one_reader_has_is_refused() -> None:
    gone = ["readers-differ", "readers-differ"]
    assert twice([stored(2, "a", "b")], ["x", "y"], ["a", "b"], ["x", "y"]) == [(1, gone), (2, ["a", "b"]), (3, gone)]
    assert twice([stored(1, "a", "b"), stored(5, "a", "b")], ["a", "b"]) == [(1, ["a", "b"]), (5, gone)]


@pytest.mark.parametrize(
    ("cell", "other", "verdict"),
    [
        ("a", "a", True),
        ("a\rb", "a_x000D_b", True),
        ("1", 1.0, False),
        (True, True, True),
        (True, 1.0, False),
        (1.0, True, False),
        (1.0, 1, True),
        (1.0, "1", False),
        (datetime(2026, 10, 1), date(2026, 10, 1), True),
        (datetime(2026, 10, 1, 9), date(2026, 10, 1), False),
        (datetime(2026, 10, 1, 9), datetime(2026, 10, 1, 9, 0, 0, 1000), True),
        (datetime(2026, 10, 1, 9), datetime(2026, 10, 1, 9, 0, 1), False),
        (datetime(2026, 10, 1), 46296.0, False),
        (error_cell("#N/A"), "", True),
    ],
)
def test_readers_agree_on_values_and_not_on_look_alikes(cell: object, other: Value, verdict: bool) -> None:
    assert agrees(cell, other) is verdict  # type: ignore[arg-type]


def test_covered_cells_of_a_merged_area_are_refused_in_each_of_its_rows() -> None:
    rows = [stored(1, "a", "b"), stored(2, "c"), stored(3, "d")]
    merged = Refusals(merged_cells([(1, 0, 2, 1)]))
    assert codes(read_once(rows, RULES, merged, 2)) == [
        (1, ["a", "merged-cell"]),
        (2, ["merged-cell", "merged-cell"]),
        (3, ["d", None]),
    ]


def test_what_calamine_alone_reads_follows_the_same_rules() -> None:
    assert sole_reading("") is None
    assert sole_reading(False) is False
    assert sole_reading(0.1 + 0.2) == Number(Decimal("0.3"))
    assert sole_reading(date(2026, 10, 1)) == datetime(2026, 10, 1)
    refused = [sole_reading(value) for value in (time(8), timedelta(1), date(1900, 2, 1), 1e15, "PT30H00M00S")]
    assert [cell.code for cell in refused if isinstance(cell, Unreadable)] == [
        "duration",
        "duration",
        "date-too-early",
        "too-many-digits",
        "duration",
    ]


def test_a_date_where_the_format_shows_a_number_is_refused() -> None:
    days = [datetime(2026, 10, 1), date(2026, 10, 1), date(2026, 10, 1)]
    formats = {(1, 0): NumberFormat("date"), (1, 1): NumberFormat("number", 5)}
    read = read_by_calamine(second(days), Refusals([]), formats, dates_by_format=True)
    assert codes(read) == [(1, [datetime(2026, 10, 1), "readers-differ", "readers-differ"])]


def test_a_number_where_the_format_shows_a_date_is_refused() -> None:
    formats = {(1, 0): NumberFormat("date"), (1, 1): NumberFormat("number", 5)}
    read = read_by_calamine(second([45000.0, 42.0, 42.0]), Refusals([]), formats)
    assert codes(read) == [(1, ["readers-differ", Number(Decimal(42), 5), Number(Decimal(42))])]
