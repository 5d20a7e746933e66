"""What formulas refer to is moved only where it is certain."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from batchrun.io.workbook_references import NewPlaces, OldTable, References


def keys(names: str) -> tuple[tuple[str, int], ...]:
    """Name columns by letters: `ABC`; a dot is a column without a header."""
    return tuple((name, 0) if name != "." else ("", place) for place, name in enumerate(names))


def references(
    old: str = "abcd",
    new: str = "abxcd",
    rows: Sequence[int] = (7, 8, 9),
    order: Sequence[int] = (7, 8, 9),
    line: int = 1,
) -> References:
    """Move a sheet Results whose columns and rows change their places; `rows` stood from below `line` on."""
    table = OldTable(
        "Results", line, keys(old), {place: number for place, number in enumerate(rows, line + 1) if number}
    )
    places = {number: ("Results", place) for place, number in enumerate(order, 2)}
    columns = {key: place for place, key in enumerate(keys(new)) if key[0]}
    return References([table], NewPlaces(columns, places, {"Results": len(order) + 1}), ["My notes"], ["Rate"])


@pytest.mark.parametrize(
    ("formula", "moved"),
    [
        ("C2", "D2"),
        ("$C2+C$2*$C$2", "$D2+D$2*$D$2"),
        ("A2", "A2"),
        ("SUM(A2:B4)", "SUM(A2:B4)"),
        ("SUM(C:D)", "SUM(D:E)"),
        ("SUM($C:$D)", "SUM($D:$E)"),
        ("SUM(C1:D4)", "SUM(D1:E4)"),
        ("SUM(C2:C9)", "SUM(D2:D9)"),
        ("SUM(3:3)", "SUM(3:3)"),
        ("SUM($3:4)", "SUM($3:4)"),
        ("Results!C2", "Results!D2"),
        ("'Results'!$C$2", "'Results'!$D$2"),
        ("RESULTS!C2", "RESULTS!D2"),
        ("'My notes'!C2", "'My notes'!C2"),
        ("'My notes'!C:C", "'My notes'!C:C"),
        ('IF(C2="C2","c","")', 'IF(D2="C2","c","")'),
        ("Rate*C2", "Rate*D2"),
        ("1+TRUE", "1+TRUE"),
        ("C2:C3 C3:C4", "D2:D3 D3:D4"),
    ],
)
def test_references_follow_their_columns(formula: str, moved: str) -> None:
    assert references().moved(formula, "Results") == moved


@pytest.mark.parametrize(
    "formula",
    [
        *("B2:C2", "SUM(A:D)", "C5", "C1048576", "E2", "ZZ2", 'INDIRECT("C2")', "row()", "OFFSET(C2,1,0)"),
        *(
            "Summary!B2",
            "'My notes'!total",
            "[1]Results!C2",
            "Results:Summary!C2",
            "Table1[Amount]",
            "total",
            "C",
            "XFE2",
        ),
        *("C2#", "C2:INDEX(C:C,4)", "SUM(C3:C2)", "SUM(C:2)", "#REF!C2", 'SUM("', "SUM(C2:C"),
    ],
)
def test_what_is_not_certain_is_not_moved(formula: str) -> None:
    assert references().moved(formula, "Results") is None


@pytest.mark.parametrize(
    ("formula", "moved"),
    [
        ("C2", "D4"),
        ("SUM(C2:C4)", "SUM(D2:D4)"),
        ("SUM(C1:C4)", "SUM(D1:D4)"),
        ("SUM(C2:C3)", None),
        ("SUM(C2:C2)", "SUM(D4:D4)"),
        ("C1", "D1"),
    ],
)
def test_references_follow_their_rows_when_lines_were_sorted(formula: str, moved: str | None) -> None:
    assert references(rows=(9, 8, 7)).moved(formula, "Results") == moved


def test_lines_that_stay_side_by_side_may_be_a_range() -> None:
    moving = references(rows=(9, 7, 8))
    assert moving.moved("SUM(A3:A4)", "Results") == "SUM(A2:A3)"
    assert moving.moved("SUM(A2:A3)", "Results") is None


def test_blank_lines_and_lines_without_a_row_are_not_certain() -> None:
    moving = references(rows=(7, 0, 8, 9))
    assert moving.moved("A5", "Results") == "A4"
    assert moving.moved("A3", "Results") is None
    assert moving.moved("SUM(A2:A5)", "Results") == "SUM(A2:A4)", "all rows are all rows"
    assert moving.moved("SUM(A2:A3)", "Results") is None


def test_a_header_further_down_is_the_first_line_again() -> None:
    moving = references(line=3)
    assert [moving.moved(one, "Results") for one in ("A3", "A4", "SUM(A3:A6)", "A2")] == [
        "A1",
        "A2",
        "SUM(A1:A4)",
        None,
    ]


def test_where_nothing_moves_everything_stays() -> None:
    staying = references(new="abcd")
    assert staying.moved("SUM(B2:C99)+E7+ZZ1", "Results") == "SUM(B2:C99)+E7+ZZ1"
    assert staying.moved("ROW()", "Results") is None
    assert references(new="abcd", rows=(7, 9, 8)).moved("E7", "Results") is None
    assert references(old="abc.", new="abc").moved("A2+D2", "Results") == "A2+D2"


def test_rows_that_went_to_another_sheet_are_not_certain() -> None:
    table = OldTable("Results", 1, keys("ab"), {2: 7, 3: 8})
    new = NewPlaces(
        {("a", 0): 0, ("b", 0): 1}, {7: ("Results", 2), 8: ("Results 2", 2)}, {"Results": 2, "Results 2": 2}
    )
    moving = References([table], new, [])
    assert moving.moved("A2", "Results") == "A2"
    assert moving.moved("A3", "Results") is None


def test_a_second_column_of_a_header_is_another_one() -> None:
    table = OldTable("Results", 1, (("a", 0), ("a", 1)), {2: 7})
    moving = References([table], NewPlaces({("a", 0): 2, ("a", 1): 5}, {7: ("Results", 2)}, {"Results": 2}), [])
    assert moving.moved("A2+B2", "Results") == "C2+F2"
