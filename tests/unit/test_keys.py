"""The key that names a row: filled, readable, and once in the sheet."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from small_jobs import sheet

from batchrun.core.keys import KeyIndex, hash_of, key_of, key_problems, keys_of, repeated, same_keys
from batchrun.model import Cell, Number, SourceRow, Unreadable


def test_a_key_is_its_cells_as_text_trimmed() -> None:
    row = SourceRow(5, (" A1 ", Number(Decimal(42), width=5), datetime(2026, 10, 31), True, Number(Decimal("1.50"))))
    assert key_of(row, (0, 1, 2, 3, 4)) == ("A1", "00042", "2026-10-31", "true", "1.5")


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "key-missing"),
        (None, "key-missing"),
        (" \u00a0", "key-missing"),
        ("1.23457E+11", "scientific-text"),
        ("M\ufffdller", "damaged-text"),
        ("A\0", "damaged-text"),
        ("INV\u200b1", "key-unseen"),
        ("\ufeffINV1", "key-unseen"),
        ("INV\u00ad1", "key-unseen"),
        (Number(Decimal("1234567890123456")), "too-many-digits"),
        (Unreadable("error-cell", "an error", "#N/A"), "error-cell"),
        (Unreadable("no-value", "save it", ""), "no-value"),
    ],
)
def test_a_key_that_is_empty_damaged_or_unreadable_names_no_row(cell: Cell, code: str) -> None:
    (problem,) = key_problems(sheet("K", "A"), SourceRow(3, (cell, "a")), (0, 1))
    assert (problem.cell, problem.column, problem.code, problem.row) == ("in.csv!A3", "K", code, 3)
    assert keys_of([SourceRow(3, (cell, "a"))], (0, 1)) == [None]


@pytest.mark.parametrize(
    "cell",
    [
        "NA",
        "-",
        "0",
        "\u0645\u06cc\u200c\u0631",
        "Ümlaut\u00a01",
        Number(Decimal("1.5")),
        True,
        datetime(2026, 10, 31, 12),
    ],
)
def test_anything_that_can_be_read_names_a_row(cell: Cell) -> None:
    assert key_problems(sheet("K"), SourceRow(3, (cell,)), (0,)) == ()


def test_each_empty_part_of_a_key_is_told() -> None:
    found = key_problems(sheet("K", "A"), SourceRow(3, ("", "")), (0, 1))
    assert [problem.cell for problem in found] == ["in.csv!A3", "in.csv!B3"]


def test_a_key_that_comes_again_names_the_other_rows() -> None:
    row = SourceRow(3, ("x", "y"))
    two = repeated(sheet("K", "A"), row, (0, 1), (3, 7))
    assert (two.cell, two.column, two.value) == ("in.csv!A3, in.csv!B3", "K, A", "x, y")
    assert two.message == "the same key also stands in in.csv!A7"
    many = repeated(sheet("K", "A"), row, (0, 1), (1, 2, 3, 4, 5, 6))
    assert many.message == "the same key also stands in in.csv!A1, in.csv!A2, in.csv!A4 and 2 more"


def test_rows_of_one_key_form_a_group() -> None:
    assert repeats([(2, ("a",)), (3, ("b",)), (4, ("a",)), (5, ("c",)), (6, ("a",))]) == dict.fromkeys(
        (2, 4, 6), (2, 4, 6)
    )


def test_the_parts_of_a_key_are_not_run_together() -> None:
    apart = [(2, ("ab", "c")), (3, ("a", "bc")), (4, ("abc",)), (5, ("a,b", "c")), (6, ("a", "b,c"))]
    assert repeats(apart) == {}
    assert repeats([]) == {}


def test_two_keys_of_one_hash_are_no_repeat() -> None:
    suspects = frozenset({hash_of(("a",)), hash_of(("b",))})
    assert same_keys(suspects, [(2, ("a",)), (3, ("b",)), (4, ("c",)), (5, ("c",))]) == {}


def repeats(numbered: list[tuple[int, tuple[str, ...]]]) -> dict[int, tuple[int, ...]]:
    index = KeyIndex()
    index.add(key for _, key in numbered)
    return same_keys(index.suspects(), numbered)


@pytest.mark.parametrize("cells", [("a", " b "), ("ä\n", "1E"), (Number(Decimal(7)), "x"), (True, None), ("", "a")])
@pytest.mark.parametrize("more", ["k", "1E+5", "\ufffd", " ", Unreadable("error-cell", "why")])
def test_the_keys_of_many_rows_are_those_of_each_where_they_have_no_problem(
    cells: tuple[Cell, Cell], more: Cell
) -> None:
    rows = [SourceRow(2, cells), SourceRow(3, (more, "z"))]
    good = [not key_problems(sheet("K", "A"), row, (0, 1)) for row in rows]
    assert keys_of(rows, (0, 1)) == [
        key_of(row, (0, 1)) if is_good else None for row, is_good in zip(rows, good, strict=True)
    ]
