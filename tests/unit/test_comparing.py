"""This month against the last: what counts as new, missing, changed and moved."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchrun.core import comparing
from batchrun.core.comparing import Amounts, Change, Changes, Comparison, Move, Side, Sum

D = Decimal


def amount(text: str | None) -> Amounts:
    return (("Amount", None if text is None else D(text)),)


def side(*rows: tuple[str, str | None] | tuple[str, str | None, str]) -> Side:
    """Make a side of rows of key, amount and group, from row 2 on."""
    made = Side()
    for number, (key, text, *group) in enumerate(rows, 2):
        made.add(number, number - 2, (key,), amount(text), group[0] if group else None)
    return made


def compared(old: Side, new: Side, threshold: str = "20", by: str | None = None) -> Comparison:
    return comparing.compared(old, new, Changes(), D(threshold), by)


def keys(entries: object) -> list[str]:
    return [entry.key[0] for entry in entries]  # type: ignore[attr-defined]


def test_keys_are_new_missing_or_in_both_the_largest_first() -> None:
    found = compared(side(("A", "1"), ("B", "5"), ("C", "9")), side(("B", "5"), ("D", "2"), ("E", "-7")))
    assert keys(found.new) == ["E", "D"]
    assert keys(found.missing) == ["C", "A"]
    assert keys(found.same) == ["B"]


def test_only_amounts_beyond_the_threshold_have_moved_the_furthest_first() -> None:
    old = side(("A", "100"), ("B", "100"), ("C", "100"), ("D", "-100"))
    found = compared(old, side(("A", "120"), ("B", "120.01"), ("C", "10"), ("D", "-150")))
    assert [(move.name, move.difference, move.percent) for move in found.moved] == [
        ("C", D(-90), D(-90)),
        ("D", D(-50), D(-50)),
        ("B", D("20.01"), D("20.01")),
    ]


def test_nothing_that_became_something_has_moved_and_has_no_percentage() -> None:
    (move,) = compared(side(("A", "0"), ("B", "0.00")), side(("A", "0.01"), ("B", "0")), "1000").moved
    assert (move.name, move.percent) == ("A", None)


def test_an_amount_that_cannot_be_read_has_not_moved_and_counts_as_nothing() -> None:
    found = compared(side(("A", None), ("B", "1")), side(("A", "100"), ("B", None)))
    assert found.moved == []
    assert found.totals == [Move("Amount", "Amount", D(1), D(100))]
    assert keys(compared(side(), side(("A", None), ("B", "1"))).new) == ["B", "A"]


def test_totals_are_exact_beyond_the_digits_of_the_usual_context() -> None:
    large = "1" + "0" * 40
    (move,) = compared(side(("A", large)), side(("A", large), ("B", "0.01"))).totals
    assert move.difference == D("0.01")
    assert move.is_beyond(D(0))


def test_decimals_are_the_most_of_a_control_total() -> None:
    assert compared(side(("A", "1.5")), side(("B", "2.25"), ("C", "3"))).decimals == {"Amount": 2}


def test_rows_of_one_key_are_added_up_and_one_unread_amount_makes_the_sum_unknown() -> None:
    made = side(("A", "1"), ("A", "2"), ("B", "1"), ("B", None))
    assert [entry.amounts for entry in made.entries.values()] == [amount("3"), amount(None)]
    assert made.rows == 4


def test_a_key_that_is_invalid_now_is_not_missing_and_one_that_was_invalid_is_new() -> None:
    old, new = side(("A", "1")), side(("B", "1"))
    new.leave_out(("A",))
    old.leave_out(("B",))
    found = compared(old, new)
    assert keys(found.missing) == []
    assert keys(found.new) == ["B"]
    assert (old.rows, old.not_compared, new.rows, new.not_compared) == (2, 1, 2, 1)


def test_a_key_that_comes_twice_is_taken_out_once_it_is_known() -> None:
    new = side(("A", "1"), ("A", "2"), ("B", "1"))
    new.take_out(("A",), 2)
    new.take_out(("never there",), 1)
    found = compared(side(("A", "1")), new)
    assert (found.missing, found.same, keys(found.new)) == ([], [], ["B"])
    assert (new.rows, new.not_compared) == (3, 2)


def test_changes_of_a_key_that_was_taken_out_are_not_told() -> None:
    changes = Changes()
    changes.add(2, ("A",), [("Due", "/due", "1", None)])
    changes.add(3, ("B",), [("Amount", "/amount", D("1.50"), D("2E+1")), ("Open", None, True, "x\ud800")])
    changes.add(4, ("C",), [])
    found = comparing.compared(side(("B", "1")), side(("B", "1")), changes, D(20)).changed
    assert list(found) == [
        Change(3, ("B",), "Amount", "/amount", D("1.50"), D(20)),
        Change(3, ("B",), "Open", None, True, "x\ud800"),
    ]
    assert (len(changes), len(found)) == (3, 2)


def test_sums_by_a_column_are_new_missing_or_moved() -> None:
    old = side(("1", "100", "Ann"), ("2", "50", "Bob"), ("3", "10", "Cem"), ("4", "5", "Dan"))
    new = side(("5", "60", "Ann"), ("6", "100", "Ann"), ("7", "11", "Cem"), ("8", "7", "Eva"), ("9", "70", "Fay"))
    groups = compared(old, new, by="Vendor").groups
    assert groups is not None
    assert groups.moved == [Move("Ann", "Amount", D(100), D(160))]
    assert groups.new == [Sum("Fay", 1, amount("70")), Sum("Eva", 1, amount("7"))]
    assert groups.missing == [Sum("Bob", 1, amount("50")), Sum("Dan", 1, amount("5"))]


def test_sums_without_a_control_total_still_tell_who_is_new() -> None:
    old, new = Side(), Side()
    old.add(2, 0, ("1",), (), "Ann")
    new.add(2, 0, ("2",), (), "Bob")
    groups = compared(old, new, by="Vendor").groups
    assert groups is not None
    assert (groups.new, groups.missing) == ([Sum("Bob", 1, ())], [Sum("Ann", 1, ())])


def test_a_total_that_one_key_gained_has_moved_from_nothing() -> None:
    old, new = Side(), Side()
    old.add(2, 0, ("1",), (("EUR", D(5)),))
    new.add(2, 0, ("1",), (("CHF", D(5)),))
    assert compared(old, new).moved == [
        Move("1", "CHF", D(0), D(5), 2),
        Move("1", "EUR", D(5), D(0), 2),
    ]


def test_amounts_are_named_by_their_control_totals() -> None:
    assert comparing.labelled(["Amount", "Tax"], [D(1), None]) == (("Amount", D(1)), ("Tax", None))


@pytest.mark.parametrize(("text", "percent"), [("20%", "20"), (" 20 ", "20"), ("0", "0"), ("12.5 %", "12.5")])
def test_a_threshold_is_a_percentage(text: str, percent: str) -> None:
    assert comparing.parse_threshold(text) == D(percent)


@pytest.mark.parametrize("text", ["", "%", "-1%", "much", "NaN", "Infinity", "20%%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 20%"):
        comparing.parse_threshold(text)


def test_a_key_of_several_columns_reads_as_one_name() -> None:
    assert comparing.name_of(("A", "1")) == "A, 1"
