"""Control totals are exact, by state."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchrun.core.totals import Totals, amount_text, as_json, counted, grouped, sums_of, unreadable
from batchrun.model import State


def test_sums_are_exact_beyond_28_digits() -> None:
    totals = Totals(["Amount"])
    totals.add(State.READY, [Decimal("1234567890123456789012345678901234567890.01")])
    totals.add(State.READY, [Decimal("0.00000000000000000001")])
    (control,) = totals.controls()
    assert str(control.input) == "1234567890123456789012345678901234567890.01000000000000000001"
    assert as_json([control]) == {"Amount": {"ready": str(control.input)}}


def test_amounts_are_counted_by_state_and_shown_with_the_most_decimals() -> None:
    totals = Totals(["Net", "Tax"])
    totals.add(State.COMPLETED, [Decimal("10.5"), Decimal("1")])
    totals.add(State.REFUSED, [Decimal("-0.25"), None])
    totals.add(State.COMPLETED, [Decimal("0.125"), Decimal("1E+2")])
    assert as_json(totals.controls()) == {
        "Net": {"completed": "10.625", "refused": "-0.250"},
        "Tax": {"completed": "101", "refused": "0"},
    }
    assert [control.unreadable for control in totals.controls()] == [0, 1]
    assert sums_of(totals.controls()) == {"Net": "10.375", "Tax": "101"}


def test_a_moved_row_leaves_the_whole_as_it_was() -> None:
    totals = Totals(["Amount"])
    totals.add(State.READY, [Decimal("0.1")])
    totals.add(State.READY, [Decimal("0.2")])
    totals.move(State.READY, State.INVALID, [Decimal("0.1")])
    totals.move(State.READY, State.FAILED, [None])
    (control,) = totals.controls()
    assert control.by_state == {State.READY: Decimal("0.2"), State.INVALID: Decimal("0.1"), State.FAILED: 0}
    assert control.input == Decimal("0.3")


def test_without_columns_there_are_no_totals() -> None:
    totals = Totals([])
    totals.add(State.READY, [])
    assert totals.controls() == ()


def test_things_are_counted_in_words() -> None:
    assert [counted(number, "row") for number in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_amounts_that_cannot_be_read_are_told_beside_the_total() -> None:
    totals = Totals(["Net", "Tax"])
    totals.add(State.INVALID, [None, Decimal(1)])
    (said,) = unreadable(totals.controls())
    assert said == "1 amount of Net cannot be read and counts as 0 in the total."


def test_programs_get_a_point_and_people_get_thousands() -> None:
    assert amount_text(Decimal("1827.8"), 2) == "1827.80"
    assert grouped(Decimal("1827.8"), 2) == "1,827.80"
    assert amount_text(Decimal("1E+3"), 0) == "1000"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("1.50", "2")],
        [("1.50", "2"), ("0", "-0.125"), ("10", "1E+2")],
        [("1.50", "2"), (None, "3"), ("1", None)],
        [("0.00", "0"), ("0", "0")],
    ],
)
def test_amounts_of_many_rows_add_up_as_those_of_each(rows: list[tuple[str | None, ...]]) -> None:
    amounts = [tuple(None if text is None else Decimal(text) for text in row) for row in rows]
    together, each = Totals(["Net", "Tax"]), Totals(["Net", "Tax"])
    for _ in range(2):
        together.add_all(State.READY, amounts)
        for row in amounts:
            each.add(State.READY, row)
    assert repr(together.controls()) == repr(each.controls())
