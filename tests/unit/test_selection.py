"""Which rows of a sheet take part."""

from __future__ import annotations

import pytest

from batchrun.core.selection import parse_rows, selects


@pytest.mark.parametrize(
    ("text", "rows"),
    [("5", [5]), ("5-7", [5, 6, 7]), ("5-6,9", [5, 6, 9]), (" 5 - 6 , 9 ", [5, 6, 9]), ("3-3", [3])],
)
def test_rows_are_chosen_by_numbers_and_ranges(text: str, rows: list[int]) -> None:
    ranges = parse_rows(text)
    assert [row for row in range(1, 20) if selects(ranges, row)] == rows


@pytest.mark.parametrize("text", ["", ",", "5,", "0", "0-3", "7-5", "-5", "5-", "a", "1.5", "5 20", "٣", "5--6"])
def test_anything_else_names_no_rows(text: str) -> None:
    with pytest.raises(ValueError, match="does not name rows"):
        parse_rows(text)


def test_no_choice_takes_every_row() -> None:
    assert selects((), 7)
