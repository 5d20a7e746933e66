"""Columns that are read at once: the same values as cell by cell, or none at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchrun.core import cells
from batchrun.core.cells import COERCERS, Fault, Reading
from batchrun.core.columns import MOST_REMEMBERED, Values, column_reader
from batchrun.model import Number

PLAIN = Reading()
OMIT = object()


def read(kind: str, given: list[Any], reading: Reading = PLAIN, blank: Any = OMIT) -> Values | None:
    return column_reader(COERCERS[kind], reading, blank, OMIT)(given)


@pytest.mark.parametrize(
    ("kind", "given", "values"),
    [
        ("string", ["x", "Müller", "EUR", "a\nb"], ["x", "Müller", "EUR", "a\nb"]),
        ("any", ["x", "007"], ["x", "007"]),
        ("number", ["1", "-2.50", "007"], [Decimal(1), Decimal("-2.50"), Decimal(7)]),
        ("integer", ["1", "-2", "007"], [1, -2, 7]),
        ("date", ["2026-10-31", "2024-02-29"], ["2026-10-31", "2024-02-29"]),
        ("boolean", ["true", "FALSE", "true"], [True, False, True]),
        ("date-time", ["2026-10-31T10:00:00Z"], ["2026-10-31T10:00:00+00:00"]),
    ],
)
def test_plain_cells_are_read_at_once(kind: str, given: list[Any], values: list[Any]) -> None:
    found = read(kind, given)
    assert found is not None
    assert (list(map(repr, found.values)), found.whole) == (list(map(repr, values)), True)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("string", ["x", "\ufffd"]),
        ("string", ["x", "\0"]),
        ("string", ["x", "1E+5"]),
        ("string", ["x", Number(Decimal(1))]),
        ("number", ["1", "1,5"]),
        ("number", ["1", "2\n3"]),
        ("number", ["1", "٣"]),
        ("integer", ["1", "1.0"]),
        ("integer", ["1", "9" * 5000]),
        ("date", ["2026-10-31", "2026-02-30"]),
        ("date", ["2026-10-31", "2026-W01-1"]),
        ("boolean", ["true", "yes"]),
    ],
)
def test_one_cell_that_is_not_plain_leaves_the_whole_column_to_be_read_cell_by_cell(
    kind: str, given: list[Any]
) -> None:
    assert read(kind, given) is None


def test_an_empty_cell_gives_what_the_job_says() -> None:
    reading = Reading(blanks=frozenset({"-"}))
    assert read("integer", ["1", "", "-", None, "2"], reading, blank=7) == ([1, 7, 7, 7, 2], True)
    assert read("string", ["a", "", "-"]) == (["a", OMIT, "-"], False)
    assert read("number", ["", None]) == ([OMIT, OMIT], False)
    assert read("integer", ["1", "", "x"]) is None
    assert read("integer", ["1", ""], blank=Fault("blank", "the cell is empty")) is None


def test_a_cell_that_says_false_is_not_empty() -> None:
    assert read("boolean", ["true", False]) is None


def test_a_text_is_understood_once_and_remembered() -> None:
    asked = []

    def coerce(cell: Any, reading: Reading) -> Any:
        asked.append(cell)
        return cells.as_date(cell, reading)

    reader = column_reader(coerce, Reading(date_format="%d/%m/%Y"), OMIT, OMIT)
    assert reader(["31/10/2026"] * 3) == (["2026-10-31"] * 3, True)
    assert reader(["31/10/2026", "32/10/2026"]) is None
    assert reader(["32/10/2026"]) is None
    assert asked == ["31/10/2026", "32/10/2026", "32/10/2026"]


def test_what_is_remembered_has_a_bound_and_is_nothing_that_could_be_changed() -> None:
    asked = []

    def coerce(cell: Any, _: Reading) -> Any:
        asked.append(cell)
        return [cell] if cell == "list" else cell

    reader = column_reader(coerce, PLAIN, OMIT, OMIT)
    many = [str(number) for number in range(MOST_REMEMBERED + 1)]
    assert reader(many) == (many, True)
    assert reader([*many, "list"]) == ([*many, ["list"]], True)
    assert asked == [*many, many[-1], "list"]
