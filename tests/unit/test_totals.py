"""Control totals are exact, by state."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchrun.core.totals import (
    Totals,
    amount_of,
    amount_text,
    as_json,
    as_settings,
    counted,
    decimals_of_columns,
    grouped,
    is_of_unreadable,
    read_amount,
    split_of,
    summed,
    unreadable,
    value_shown,
)
from batchrun.model import Amount, SplitAmount, State, Summed

BY_CURRENCY = Summed("Amount", "Currency")


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
    assert [str(control.input) for control in totals.controls()] == ["10.375", "101"]


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


def test_several_unreadable_amounts_are_told_in_the_plural() -> None:
    totals = Totals(["Net"])
    totals.add_all(State.INVALID, [[None]] * 1_200)
    (said,) = unreadable(totals.controls())
    assert said == "1,200 amounts of Net cannot be read and count as 0 in the total."


def test_programs_get_a_point_and_people_get_thousands() -> None:
    assert amount_text(Decimal("1827.8"), 2) == "1827.80"
    assert grouped(Decimal("1827.8"), 2) == "1,827.80"
    assert amount_text(Decimal("1E+3"), 0) == "1000"


def of(amount: str | None, value: str | None) -> Amount:
    return SplitAmount(None if amount is None else Decimal(amount), value)


def test_each_value_of_a_split_total_is_a_total_with_its_own_decimals() -> None:
    totals = Totals(["Fee", BY_CURRENCY])
    totals.add(State.READY, [Decimal(1), of("0.5", "USD")])
    totals.add(State.READY, [Decimal(2), of("10.125", "EUR")])
    totals.add(State.INVALID, [Decimal(3), of(None, "EUR")])
    totals.add(State.INVALID, [Decimal(4), of("7", "")])
    totals.add(State.INVALID, [None, None])
    assert as_json(totals.controls()) == {
        "Fee": {"invalid": "7", "ready": "3"},
        "Amount EUR": {"invalid": "0.000", "ready": "10.125"},
        "Amount USD": {"ready": "0.5"},
        "Amount (no Currency)": {"invalid": "7"},
        "Amount (unreadable Currency)": {"invalid": "0"},
    }
    assert [control.unreadable for control in totals.controls()] == [1, 1, 0, 0, 1]
    assert decimals_of_columns(totals.controls()) == {"Fee": 0, "Amount": 3}
    assert [is_of_unreadable(control, BY_CURRENCY) for control in totals.controls()] == [False] * 4 + [True]


def test_a_split_amount_moves_within_its_total() -> None:
    totals = Totals([BY_CURRENCY])
    totals.add(State.READY, [of("5", "EUR")])
    totals.move(State.READY, State.FAILED, [of("5", "EUR")])
    assert as_json(totals.controls()) == {"Amount EUR": {"failed": "5", "ready": "0"}}


def test_a_cell_that_says_what_a_blank_one_is_called_is_counted_with_the_blank_ones() -> None:
    totals = Totals([BY_CURRENCY])
    totals.add(State.READY, [of("5", "")])
    totals.add(State.READY, [of("0.10", "(no Currency)")])
    assert as_json(totals.controls()) == {"Amount (no Currency)": {"ready": "5.10"}}


def test_settings_hold_what_is_added_up_and_older_ones_are_read() -> None:
    entries = (Summed("Fee"), BY_CURRENCY)
    assert as_settings(entries) == ["Fee", {"sum": "Amount", "by": "Currency"}]
    assert summed(as_settings(entries)) == summed(entries) == entries
    assert Totals(["Fee"]).entries == (Summed("Fee"),)


def test_a_name_may_be_that_of_a_value_which_no_row_has() -> None:
    assert split_of("Amount CHF", [Summed("Fee"), BY_CURRENCY]) == BY_CURRENCY
    assert split_of("Amounts", [BY_CURRENCY]) is None
    assert split_of("Fee EUR", [Summed("Fee")]) is None


def test_a_value_is_shown_trimmed_and_without_what_would_spoil_a_screen() -> None:
    assert value_shown("\xa0EUR \n") == "EUR"
    assert value_shown("a\nb\x1b[31m\ud800") == "a b [31m"
    assert value_shown("cafe\u0301") == "caf\xe9"
    assert len(value_shown("x" * 500)) == 80


def test_a_rows_amount_is_a_number_whether_its_total_is_split_or_not() -> None:
    assert [amount_of(one) for one in (Decimal(5), of("5", "EUR"), of(None, "EUR"), None)] == [5, 5, None, None]


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


@pytest.mark.parametrize(
    ("kept", "amount"),
    [
        (None, None),
        ("10.50", Decimal("10.50")),
        (["10.50", "EUR"], SplitAmount(Decimal("10.50"), "EUR")),
        ([None, "EUR"], SplitAmount(None, "EUR")),
        (["10.50", None], SplitAmount(Decimal("10.50"), None)),
    ],
)
def test_an_amount_is_read_as_the_journal_keeps_it(kept: str | list[str | None] | None, amount: Amount) -> None:
    assert read_amount(kept) == amount
