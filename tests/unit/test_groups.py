"""Several rows, one payload: what a group says once must agree, and every problem stands at its own row's cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from small_jobs import fields, job, spec_of, told

from batchrun.core import spec_checks
from batchrun.core.group_reading import gathered as prepared_rows
from batchrun.core.group_survey import survey
from batchrun.core.groups import takes_part
from batchrun.core.prepare import Prepared, Preparer
from batchrun.core.selection import parse_rows
from batchrun.model import Cell, Number, Problem, RowFault, SourceRow

LINE = {
    "type": "object",
    "required": ["sku"],
    "properties": {"sku": {"type": "string", "minLength": 2}, "qty": {"type": "integer"}},
}
SCHEMA = fields(
    k={"type": "string"},
    who={"type": "object", "properties": {"name": {"type": "string"}}},
    lines={"type": "array", "maxItems": 3, "items": LINE},
)
DATA = {"k": "K", "who.name": "Who", "lines[].sku": "SKU", "lines[].qty": "Qty"}
COLUMNS = ("Who", "SKU", "Qty")


def orders(data: Mapping[str, Any] = DATA, **more: Any) -> Preparer:
    return job(data, COLUMNS, SCHEMA, group_by="K", **more)


def sheet(*rows: Sequence[Cell]) -> list[SourceRow]:
    return [SourceRow(number, tuple(cells)) for number, cells in enumerate(rows, 2)]


class Gathered(NamedTuple):
    rows: list[Prepared]
    left_out: int


def gathered(preparer: Preparer, rows: Sequence[SourceRow], limit: int | None = None) -> Gathered:
    found = survey(preparer, rows, limit, lambda _: None)
    made = list(prepared_rows(preparer, found, lambda: rows))
    assert len(made) == found.rows
    return Gathered(made, found.left_out)


def payloads(found: Gathered) -> list[Any]:
    return [json.loads(one.payload) for one in found.rows if one.payload is not None]


def problems(found: Gathered) -> list[Problem]:
    return [problem for one in found.rows for problem in one.problems]


def cells(found: Gathered) -> list[tuple[int, str, str]]:
    return [(problem.row, problem.cell, problem.code) for problem in problems(found)]


def test_the_rows_of_a_group_are_one_payload_wherever_they_stand() -> None:
    found = gathered(orders(), sheet(["a", "X", "s1", "1"], ["b", "Y", "s2", "2"], ["a", "X", "s3", "3"]))
    assert payloads(found) == [
        {"k": "a", "who": {"name": "X"}, "lines": [{"sku": "s1", "qty": 1}, {"sku": "s3", "qty": 3}]},
        {"k": "b", "who": {"name": "Y"}, "lines": [{"sku": "s2", "qty": 2}]},
    ]
    assert [(one.row.number, one.member_of, one.is_invalid) for one in found.rows] == [
        (2, None, False),
        (3, None, False),
        (4, 2, False),
    ]


def test_a_problem_stands_at_the_cell_of_its_own_row() -> None:
    found = gathered(orders(), sheet(["a", "X", "s1", "1"], ["a", "X", "s", "zwei"], ["b", "Y", "s3", "3"]))
    assert cells(found) == [(3, "in.csv!D3", "not-a-number"), (3, "in.csv!C3", "schema-min-length")]
    assert problems(found)[1].path == "/lines/1/sku"
    assert [one.is_invalid for one in found.rows] == [True, True, False]
    assert [one.note for one in found.rows] == ["not sent, because row 3 of its group has a problem", None, None]


def test_what_a_group_says_once_must_agree_and_both_cells_are_named() -> None:
    found = gathered(orders(), sheet(["a", "X", "s1", "1"], ["a", "Z", "s2", "2"], ["a", "X", "s3", "3"]))
    assert [told(one) for one in found.rows] == [
        [],
        [("in.csv!B3", "/who/name", "group-differs", 'the rows of a group must agree here, and in.csv!B2 says "X"')],
        [],
    ]


def test_a_blank_cell_is_not_the_same_as_a_filled_one() -> None:
    found = gathered(orders(), sheet(["a", "X", "s1", "1"], ["a", "", "s2", "2"], ["a", "X", "s3", "3"]))
    assert cells(found) == [(3, "in.csv!B3", "group-differs")]
    assert payloads(gathered(orders(), sheet(["a", "", "s1", "1"], ["a", None, "s2", "2"]))) != []


def test_equal_numbers_that_an_expression_tells_apart_do_not_agree() -> None:
    data = {**DATA, "who.name": {"expr": 'row["Who"] ~ ""'}}
    numbers = [Number(Decimal("1")), Number(Decimal("1.0"))]
    found = gathered(orders(data), sheet(["a", numbers[0], "s1", "1"], ["a", numbers[1], "s2", "2"]))
    assert cells(found) == [(3, "in.csv!B3", "group-differs")]
    same = gathered(orders(data), sheet(["a", numbers[1], "s1", "1"], ["a", Number(Decimal("1.0")), "s2", "2"]))
    assert cells(same) == [] and payloads(same)[0]["who"] == {"name": "1.0"}


def test_a_cell_that_cannot_be_read_is_told_where_it_stands() -> None:
    data = {**DATA, "who.name": {"column": "Who", "map": {"X": "x"}}}
    found = gathered(orders(data), sheet(["a", "X", "s1", "1"], ["a", "?", "s2", "2"]))
    assert cells(found) == [(3, "in.csv!B3", "not-in-map")]
    first = gathered(orders(data), sheet(["a", "?", "s1", "1"], ["a", "X", "s2", "2"]))
    assert cells(first) == [(2, "in.csv!B2", "not-in-map")]


def test_a_list_that_is_too_long_names_the_cells_of_all_its_rows() -> None:
    found = gathered(orders(), sheet(*(["a", "X", "s1", str(n)] for n in range(4))))
    (problem,) = problems(found)
    assert problem.code == "schema-max-items" and problem.column == "SKU, Qty"
    assert problem.cell.startswith("in.csv!C2, in.csv!C3") and problem.cell.endswith("in.csv!D5")


def test_a_fault_in_a_long_group_is_told_at_its_row() -> None:
    lines = [["a", "X", "s1", "1"] for _ in range(150)]
    lines[140][3] = "zwei"
    found = gathered(orders(), sheet(*lines, ["b", "X", "s1", "1"]))
    assert ("in.csv!D142", "not-a-number") in [(cell, code) for _, cell, code in cells(found)]
    assert [one.is_invalid for one in found.rows] == [True] * 150 + [False]


def test_a_row_whose_group_is_unknown_stops_the_groups_beside_it() -> None:
    rows = sheet(["a", "X", "s1", "1"], ["", "X", "s2", "2"], ["b", "Y", "s3", "3"], ["c", "Y", "s3", "3"])
    found = gathered(orders(), rows)
    assert cells(found) == [
        (2, "in.csv!2", "group-incomplete"),
        (3, "in.csv!A3", "group-missing"),
        (4, "in.csv!4", "group-incomplete"),
    ]
    assert "row 3, beside this group, may belong to it" in problems(found)[0].message
    assert [one.is_invalid for one in found.rows] == [True, True, True, False]


def test_a_broken_row_at_the_end_stops_the_group_before_it() -> None:
    rows = [*sheet(["a", "X", "s1", "1"]), SourceRow(3, ("a",), (RowFault("too-few-cells", "the row is short"),))]
    assert cells(gathered(orders(), rows)) == [(2, "in.csv!2", "group-incomplete"), (3, "in.csv!3", "too-few-cells")]
    assert cells(gathered(orders(), rows[1:])) == [(3, "in.csv!3", "too-few-cells")]


def test_rows_that_where_leaves_out_are_not_missed() -> None:
    preparer = orders(source={"file": "in.csv", "where": 'row["Qty"] != "0"'})
    found = gathered(preparer, sheet(["a", "X", "s1", "0"], ["a", "X", "s2", "2"]))
    assert payloads(found)[0]["lines"] == [{"sku": "s2", "qty": 2}] and found.left_out == 1


@pytest.mark.parametrize(("rows", "limit", "flag"), [("2-3", None, "--rows"), (None, 2, "--limit")])
def test_a_group_of_which_only_some_rows_are_taken_is_not_sent(rows: str | None, limit: int | None, flag: str) -> None:
    preparer = job(DATA, COLUMNS, SCHEMA, rows=parse_rows(rows) if rows else (), group_by="K")
    lines = sheet(["a", "X", "s1", "1"], ["b", "Y", "s2", "2"], ["b", "Y", "s3", "3"], ["c", "Y", "s3", "3"])
    found = gathered(preparer, lines, limit)
    assert [one.is_invalid for one in found.rows] == [False, True]
    (problem,) = problems(found)
    assert problem.message == f"row 4 is of the same group and is not taken ({flag}); take all of its rows"
    left_out = 2 if rows else 0
    assert found.left_out == left_out


def test_of_several_rows_that_are_not_taken_the_first_is_named() -> None:
    lines = sheet(["a", "X", "s1", "1"], ["a", "X", "s2", "2"], ["a", "X", "s3", "3"])
    (problem,) = problems(gathered(orders(), lines, 1))
    assert problem.message.startswith("row 3 is of the same group")


def test_a_row_takes_part_unless_where_is_sure_that_it_does_not() -> None:
    preparer = orders(source={"file": "in.csv", "where": 'row["Qty"]|number > 1'})
    taken, left_out, unsure = sheet(["a", "X", "s1", "2"], ["a", "X", "s2", "1"], ["a", "X", "s3", "two"])
    assert [takes_part(preparer, row) for row in (taken, left_out, unsure)] == [True, False, True]
    assert takes_part(preparer, left_out._replace(faults=(RowFault("too-few-cells", "short"),)))
    assert takes_part(orders(), left_out)


def test_a_row_that_is_not_taken_and_is_broken_cuts_nothing() -> None:
    rows = [*sheet(["a", "X", "s1", "1"]), SourceRow(3, ("a",), (RowFault("too-few-cells", "short"),))]
    preparer = job(DATA, COLUMNS, SCHEMA, rows=parse_rows("2"), group_by="K")
    assert payloads(gathered(preparer, rows)) != []


def test_two_groups_with_one_key_are_both_invalid() -> None:
    preparer = job({**DATA, "k": "K"}, COLUMNS, SCHEMA, group_by=["K", "Who"])
    found = gathered(preparer, sheet(["a", "X", "s1", "1"], ["a", "Y", "s2", "2"], ["b", "Y", "s2", "2"]))
    assert cells(found) == [(2, "in.csv!A2", "key-repeated"), (3, "in.csv!A3", "key-repeated")]
    assert [one.is_invalid for one in found.rows] == [True, True, False]


def test_the_key_agrees_within_a_group_and_may_not_be_blank() -> None:
    preparer = job({"who.name": "Who", "lines[].sku": "SKU"}, COLUMNS, SCHEMA, group_by="Who")
    differs = gathered(preparer, sheet(["a", "X", "s1", ""], ["b", "X", "s2", ""]))
    assert cells(differs) == [(3, "in.csv!A3", "group-differs")]
    blank = gathered(preparer, sheet(["", "X", "s1", ""], ["", "X", "s2", ""]))
    assert cells(blank) == [(2, "in.csv!A2", "key-missing")]


def test_every_row_has_its_own_amount() -> None:
    found = gathered(orders(results={"totals": ["Qty"]}), sheet(["a", "X", "s1", "1"], ["a", "X", "s2", "2"]))
    assert [str(one.amounts[0]) for one in found.rows] == ["1", "2"]
    lone = gathered(orders(results={"totals": ["Qty"]}), sheet(["", "X", "s1", "1"]))
    assert [str(one.amounts[0]) for one in lone.rows] == ["1"]


def test_an_unreadable_group_is_told_as_it_is() -> None:
    found = gathered(orders(), sheet(["1.23E+05", "X", "s1", "1"]))
    (problem,) = problems(found)
    assert problem.code != "group-missing" and problem.cell == "in.csv!A2"


def faults(data: Mapping[str, Any], **more: Any) -> list[str]:
    return [fault.message for fault in spec_checks.target_faults(spec_of(data, **more))]


def test_the_spec_is_checked_for_groups() -> None:
    assert faults(DATA, group_by="K") == []
    assert "needs `group_by:`" in faults({"lines[].sku": "SKU"})[0]
    assert "only one []" in faults({"a[].b[].c": "SKU"}, group_by="K")[0]
    assert "no target has []" in faults({"k": "K"}, group_by="K")[0]
    assert "none of its places" in faults({"a[].b": "SKU", "a[0].c": "K"}, group_by="K")[0]
    assert [place for place, _ in spec_checks._columns_named(spec_of(DATA, group_by="K"))][:2] == [
        ("key",),
        ("group_by",),
    ]


def test_a_member_is_prepared_and_bears_no_payload() -> None:
    member = Prepared(SourceRow(3, ()), ("a",), None, (), (), member_of=2)
    assert not member.is_invalid
