"""Each column and each field is matched at most once, the best names first; a tie is told and never guessed."""

from __future__ import annotations

from small_sheets import matched, pairs, sample

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
NAMED = {"type": "object", "properties": {"name": TEXT}}


def test_the_best_names_are_matched_first() -> None:
    seen = sample(Comment=["a"], Note=["b"], Amount=["1.5"])
    assert pairs(matched({"amount": NUMBER, "note": TEXT, "comment": TEXT}, seen)) == {
        "amount": "Amount",
        "note": "Note",
        "comment": "Comment",
    }


def test_a_tie_is_told_from_both_sides() -> None:
    made = matched({"buyer": NAMED, "seller": NAMED}, sample(Name=["a"]))
    assert pairs(made) == {}
    assert made.rivals("field", "buyer.name") == '"Name"'
    assert made.rivals("column", "Name") == "buyer.name or seller.name"
    assert made.rivals("column", "Other") is None
    assert [leaf.target for leaf in made.open_leaves] == ["buyer.name", "seller.name"]
    assert [column.name for column in made.unused] == ["Name"]


def test_two_columns_that_fit_one_field_are_a_tie_as_well() -> None:
    made = matched({"email": TEXT}, sample(**{"E-mail": ["a"], "Email": ["b"]}))
    assert made.rivals("field", "email") == '"E-mail" or "Email"'


def test_a_tie_is_none_once_a_better_name_took_one_of_the_fields() -> None:
    made = matched({"buyer": NAMED, "seller": NAMED}, sample(Name=["a"], **{"Seller Name": ["b"]}))
    assert pairs(made) == {"buyer.name": "Name", "seller.name": "Seller Name"}


def test_types_tell_names_apart() -> None:
    date = {"type": "string", "format": "date"}
    fields = {
        "a": {"type": "object", "properties": {"due": date}},
        "b": {"type": "object", "properties": {"due": TEXT}},
    }
    assert pairs(matched(fields, sample(Due=["2026-10-31"]))) == {"a.due": "Due"}


def test_cells_that_cannot_be_read_keep_a_column_from_a_field_and_the_nearest_is_told() -> None:
    made = matched({"amount": NUMBER, "amounts": NUMBER}, sample(Amount=["n/a"]))
    assert pairs(made) == {}
    assert {target: pair.column.name for target, pair in made.near.items()} == {"amount": "Amount"}


def test_a_sure_name_bears_a_few_bad_cells_and_an_unsure_one_none() -> None:
    cells = [*["1"] * 9, "x"]
    assert pairs(matched({"amount": NUMBER}, sample(Amount=list(cells)))) == {"amount": "Amount"}
    near = matched({"bankFeeAmount": NUMBER}, sample(Bank_Fee_Sum=list(cells)))
    assert pairs(near) == {}


def test_the_order_is_the_schemas() -> None:
    made = matched({"b": TEXT, "a": TEXT}, sample(A=["1"], B=["2"]))
    assert list(pairs(made)) == ["b", "a"]


def test_an_empty_column_is_matched_by_its_name() -> None:
    made = matched({"amount": NUMBER}, sample(Amount=[""]))
    assert pairs(made) == {"amount": "Amount"}
