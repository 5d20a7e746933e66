"""Problems on a screen: by their cause, the commonest first, and what stands alone in the order of the sheet."""

from __future__ import annotations

from batchrun.cli import words
from batchrun.core.causes import Causes
from batchrun.model import Problem


def bad(row: int, column: str, code: str = "not-a-number") -> Problem:
    return Problem(row, f"in.csv!{column}{row}", column, None, "x", code, "not a number")


def told(*problems: Problem) -> list[str]:
    causes = Causes()
    causes.add(problems)
    return words.problems(causes.first(), causes.counts, "HINT")


def test_a_few_problems_are_all_told() -> None:
    lines = told(*(bad(row, "C") for row in range(2, 22)))
    assert (lines[0], len(lines)) == ("C: 20 problems (not-a-number)", 21)


def test_problems_without_a_group_stand_in_the_order_of_the_sheet() -> None:
    assert [line.split()[0] for line in told(bad(2, "C"), bad(3, "A"), bad(4, "B"))] == [
        "in.csv!C2",
        "in.csv!A3",
        "in.csv!B4",
    ]


def test_the_commonest_cause_comes_first_and_then_that_which_comes_first_in_the_sheet() -> None:
    lines = told(bad(2, "C"), bad(2, "B"), bad(3, "C"), bad(3, "B"), bad(4, "A"), bad(5, "A"), bad(6, "A"), bad(7, "Z"))
    assert [line for line in lines if not line.startswith(" ")] == [
        "A: 3 problems (not-a-number)",
        "C: 2 problems (not-a-number)",
        "B: 2 problems (not-a-number)",
        "Another problem:",
    ]


def test_of_many_problems_three_are_told_of_each_cause_and_how_many_more_there_are() -> None:
    lines = told(*(bad(row, "C") for row in range(2, 1_002)), bad(1_002, "D"))
    assert lines == [
        "C: 1,000 problems (not-a-number)",
        *(f'  in.csv!C{row} C "x": not a number' for row in (2, 3, 4)),
        "  and 997 more",
        "Another problem:",
        '  in.csv!D1002 D "x": not a number',
        "HINT",
    ]


def test_of_very_many_causes_the_rarer_ones_are_only_named() -> None:
    lines = told(*(bad(row, f"C{place}") for place in range(300) for row in range(2, 6)))
    assert [line for line in lines if not line.startswith(" ")][-2:] == ["C299: 4 problems (not-a-number)", "HINT"]
    assert len(lines) == 300 + words.SHOWN * 4 + 1
