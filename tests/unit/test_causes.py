"""Problems by their causes: each counted, and only the first of each held."""

from __future__ import annotations

from batchrun.core.causes import HELD, Causes
from batchrun.model import Problem


def bad(row: int, column: str | None, code: str) -> Problem:
    return Problem(row, f"in.csv!{row}", column, None, None, code, "")


def test_each_cause_is_counted_and_its_first_problems_are_held_in_the_order_of_rows() -> None:
    causes = Causes()
    causes.add(bad(row, "C", "not-a-number") for row in range(5, 1_005))
    causes.add([bad(2, "C", "empty"), bad(3, None, "too-short")])
    assert causes.counts == {("C", "not-a-number"): 1_000, ("C", "empty"): 1, ("", "too-short"): 1}
    assert [problem.row for problem in causes.first()] == [2, 3, *range(5, 5 + HELD)]


def test_problems_of_one_row_keep_their_order_whatever_cause_came_before() -> None:
    causes = Causes()
    causes.add([bad(2, "C", "x"), bad(3, "A", "x"), bad(3, "B", "x"), bad(3, "C", "x")])
    assert [(problem.row, problem.column) for problem in causes.first()] == [(2, "C"), (3, "A"), (3, "B"), (3, "C")]
