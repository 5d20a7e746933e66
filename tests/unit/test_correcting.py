"""Corrected rows: what really changed, and how changes and problems are told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from small_jobs import spec_of

from batchrun.core import correcting
from batchrun.core.cells import shown
from batchrun.core.correcting import Change
from batchrun.model import Cell, Number, Problem, Unreadable

DAY = datetime(2026, 10, 31)
BROKEN = Unreadable("error-cell", "why", "#N/A")


def written(cell: Cell) -> tuple[str]:
    return (shown(cell),)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (DAY, "2026-10-31"),
        (Number(Decimal("10.5")), "10.5"),
        (Number(Decimal("10.50")), Number(Decimal("10.5"))),
        (None, ""),
        ("", None),
        (None, None),
        ("two\r\nlines", "two\nlines"),
        (BROKEN, "#N/A"),
        (True, "true"),
    ],
)
def test_a_cell_that_nobody_touched_stays_what_it_was(old: Cell, new: Cell) -> None:
    (kept,) = correcting.restored([old], [new], written)
    assert kept is old


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.5", "10.50"),
        ("10.5", Number(Decimal("10.5"))),
        (Number(Decimal(42)), Number(Decimal(42), 5)),
        (Number(Decimal(0)), None),
        (Number(Decimal(1)), True),
        ("x", None),
        (None, "x"),
        (DAY, datetime(2026, 11, 1)),
    ],
)
def test_every_other_cell_is_the_corrected_one(old: Cell, new: Cell) -> None:
    (kept,) = correcting.restored([old], [new], written)
    assert kept is new
    assert correcting.changes(["A"], [old], [new]) == (Change("A", old, new),)


def test_what_is_the_same_is_no_change() -> None:
    assert correcting.changes("AB", ["x", DAY], ["x", datetime(2026, 10, 31)]) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change("Amount", "10,00", "10.00"), "Amount: 10,00 -> 10.00"),
        (Change("Amount", None, "1"), "Amount: (empty) -> 1"),
        (Change("A", "1", Number(Decimal(1))), "A: 1 (text) -> 1 (a number)"),
        (Change("A", BROKEN, "#N/A"), "A: #N/A (unreadable) -> #N/A (text)"),
        (Change("A", "x" * 100, "y"), f"A: {'x' * 79}… -> y"),
    ],
)
def test_a_change_is_told_with_old_and_new(change: Change, words: str) -> None:
    assert change.told() == words


def test_a_point_in_a_text_that_replaces_a_number_is_ambiguous_where_points_group_thousands() -> None:
    spec = spec_of({"a": {"column": "A", "decimal": ",", "thousands": "."}, "b": "B", "c": {"value": 1}})
    by_points = correcting.grouped_by_points(spec)
    assert by_points == {"A"}
    number = Number(Decimal("10.5"))
    assert correcting.is_ambiguous(Change("A", number, "1.234"), by_points)
    for other in (
        Change("B", number, "1.234"),
        Change("A", "10,5", "1.234"),
        Change("A", number, Number(Decimal("1.234"))),
        Change("A", number, "1.234,50"),
    ):
        assert not correcting.is_ambiguous(other, by_points)


def problem(row: int, column: str | None, code: str, value: str | None = None) -> Problem:
    return Problem(row, f"in.csv!B{row}", column, None, value, code, "why")


def test_problems_are_told_one_a_line_the_commonest_cause_first() -> None:
    found = [problem(2, "A", "once", "x"), problem(3, None, "twice"), problem(4, None, "twice")]
    assert correcting.told(found, 3) == ["in.csv!B3: why", "in.csv!B4: why", 'in.csv!B2 A "x": why']
    assert correcting.told(found, 1) == ["in.csv!B3: why", "and 2 more"]


def test_a_key_that_lost_its_zeros_is_recognised() -> None:
    known = {correcting.without_zeros(("00123", "a")): ("00123", "a")}
    assert correcting.nearest_key(("123", "a"), known).startswith('; did you mean "00123, a"?')
    assert correcting.nearest_key(("124", "a"), known) == ""
