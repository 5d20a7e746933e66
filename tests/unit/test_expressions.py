"""Expressions: exact, over cells as they are, and telling every failure as a fault."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from batchrun.core.cells import Fault
from batchrun.core.expressions import Expression, ExpressionError, Row
from batchrun.model import Cell, Number, Unreadable


def value(text: str, **cells: Cell) -> Any:
    places = {name: index for index, name in enumerate(cells)}
    return Expression(text).value(places, list(cells.values()), {"period": "2026-10"})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("19.99 * 100", "1999.00"),
        ("0.1 + 0.2", "0.3"),
        ("1.1 * 3", "3.3"),
        ("-0.5", "-0.5"),
        ("0.1 in [0.1]", "True"),
        ("1e2", "100.0"),
        ("[0.1, 0.2] | sum", "0.3"),
        ("7 // 2", "3"),
        ("2 ** 10", "1024"),
        ("7 % 4", "3"),
    ],
)
def test_arithmetic_is_exact(text: str, result: str) -> None:
    assert str(value(text)) == result


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("00123", "00123"),
        ("", ""),
        (None, ""),
        (True, True),
        (Number(Decimal("19.9")), Decimal("19.9")),
        (Number(Decimal(42), 5), "00042"),
        (datetime(2026, 10, 31), "2026-10-31"),
        (datetime(2026, 10, 31, 14, 30), "2026-10-31T14:30:00"),
    ],
)
def test_a_cell_is_seen_as_the_sheet_shows_it(cell: Cell, seen: object) -> None:
    assert value('row["A"]', A=cell) == seen
    assert value("row.A", A=cell) == seen


def test_dates_can_be_reckoned_with() -> None:
    assert value('row["A"].year', A=datetime(2026, 10, 31)) == 2026


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("none", None),
        ("true", True),
        ("'a' ~ 1", "a1"),
        ("[1, 'a', none]", [1, "a", None]),
        ("(1, 2)", [1, 2]),
        ("{'a': {1: 'b'}}", {"a": {"1": "b"}}),
        ("params.period", "2026-10"),
        ("params['period']", "2026-10"),
        ("'a' | escape", "a"),
    ],
)
def test_what_json_can_hold_is_given(text: str, result: object) -> None:
    assert value(text) == result
    assert type(value("'a' | escape")) is str


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("1 / 3", "not exact"),
        ("[1 / 3]", "not exact"),
        ("{'a': 1 / 3}", "not exact"),
        ("1 / 0", "division by zero"),
        ("number('x')", '"x" is not a number'),
        ("row['B']", "no attribute 'B'"),
        ("nothing", "'nothing' is undefined"),
        ("range(5)", "'range' is undefined"),
        ("'a'.split('/')[5]", "no element 5"),
        ("[] | first", "No first item"),
        ("row", "nothing that can be sent"),
        ("'a'.encode()", "nothing that can be sent"),
        ("row['A'] + 1", "can only concatenate str"),
        ("1.5.real()", "not callable"),
        ("number('1') / number('0')", "DivisionByZero"),
        ("1.0 % 0", "not a number"),
        ("'a' * 99999 ~ 'a' * 99999", "more than 100,000 characters"),
        ("number('1').scaleb(9999)", "a number that is too long"),
        ("number('1').scaleb(-9999)", "a number that is too long"),
        ("('9' * 1000) | int", "a number that is too long"),
    ],
)
def test_a_failure_is_a_fault_in_words(text: str, part: str) -> None:
    found = value(text, A="x")
    assert isinstance(found, Fault)
    assert found.code == "expression-failed"
    assert part in found.message


def test_damaged_text_is_not_passed_on() -> None:
    assert value('row["A"]', A="M\ufffd").code == "damaged-text"


def test_a_cell_that_cannot_be_read_keeps_its_own_fault() -> None:
    found = value('row["A"] ~ "x"', A=Unreadable("error-cell", "correct it", "#N/A"))
    assert found == Fault("error-cell", "correct it")


@pytest.mark.parametrize(
    "text",
    ["", ")", "a b", "{{", "1 +", "'open", '"a") ~ ("b"', "1) }}{{ (2", "x | nosuchfilter", "x is nosuchtest", "@"],
)
def test_what_is_no_expression_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be understood"):
        Expression(text)


@pytest.mark.parametrize("text", ["(" * 3000 + "1" + ")" * 3000, "+".join(["1"] * 5000), "[" * 300 + "]" * 300])
def test_bottomless_nesting_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(ExpressionError, match="nested too deeply"):
        Expression(text)


@pytest.mark.parametrize("text", ["12345678901234567.89", "1 + 0.12345678901234567891", "1e400"])
def test_a_fraction_whose_digits_would_be_lost_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"has too many digits; write it as .*\|number"):
        Expression(text)
    assert Expression("1_000.5").value({}, [], {}) == Decimal("1000.5")


def test_an_expression_knows_its_columns_and_params() -> None:
    expression = Expression("row['A'] ~ row.B ~ row['A'] ~ params.period ~ params['x'] ~ other['C']")
    assert (sorted(expression.columns), expression.names_all, sorted(expression.params)) == (
        ["A", "B"],
        False,
        ["period", "x"],
    )


@pytest.mark.parametrize("text", ["row", "row.values() | list", "row[params.x]", "row['A' ~ 'B']", "row[0]"])
def test_a_row_used_in_another_way_may_mean_any_column(text: str) -> None:
    assert Expression(text).names_all or Expression(text).columns == ("values",)


def test_a_row_is_a_mapping() -> None:
    row = Row({"A": 0, "B": 1}, ["x", None])
    assert dict(row) == {"A": "x", "B": ""}
    assert len(row) == 2
