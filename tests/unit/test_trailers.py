"""A trailer is told from data, read with care, and refused where it is not what was declared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_jobs import fields, schema_of, sheet, spec_of

from batchrun.core.prepare import compile_preparer
from batchrun.core.trailers import SheetTrailer, trailer_of
from batchrun.errors import BadInput
from batchrun.model import Cell, Number, RowFault, SourceRow, Unreadable

WHEN = {"column": "K", "equals": "TOTAL"}
ALL = {"when": WHEN, "rows": "Note", "totals": {"Amount": "Amount"}}
ROWS = [("00001", "10.00", ""), ("00002", "0.50", "")]


def gate(trailer: dict[str, Any] = ALL, totals: Any = "Amount", **amount: Any) -> SheetTrailer:
    data = {"a": {"column": "Amount", **amount}}
    made = spec_of(data, source={"file": "in.csv", "trailer": trailer}, results={"totals": totals})
    schema = schema_of(fields(a={"type": "number"}))
    found = trailer_of(made, compile_preparer(made, sheet("K", "Amount", "Note"), schema, {}))
    assert found is not None
    return found


def through(one: SheetTrailer, *rows: tuple[Cell, ...]) -> list[int]:
    """Give the numbers of the rows that are data; the first row below the header is 2."""
    return [row.number for row in one.data_rows(SourceRow(number, cells) for number, cells in enumerate(rows, 2))]


def refused(one: SheetTrailer, *rows: tuple[Cell, ...]) -> str:
    with pytest.raises(BadInput) as raised:
        through(one, *rows)
    return str(raised.value)


def test_a_job_without_a_trailer_looks_out_for_none() -> None:
    made = spec_of({"a": "K"})
    assert trailer_of(made, compile_preparer(made, sheet("K"), schema_of(fields(a={})), {})) is None


def test_the_trailer_is_no_row_of_data_and_its_figures_have_addresses() -> None:
    one = gate()
    assert through(one, *ROWS, (" TOTAL ", " 10.50", "2")) == [2, 3]
    assert (one.rows, one.address) == (2, "in.csv!4")
    assert one.told_rows == (Decimal(2), "in.csv!C4")
    assert one.told_totals == {"Amount": (Decimal("10.50"), "in.csv!B4")}
    assert [control.input for control in one.totals.controls()] == [Decimal("10.50")]


def test_a_trailer_may_tell_only_one_thing() -> None:
    one = gate({"when": WHEN, "rows": "Note"})
    through(one, *ROWS, ("TOTAL", "", "0002"))
    assert (one.told_rows, one.told_totals) == ((Decimal(2), "in.csv!C4"), {})
    one = gate({"when": WHEN, "totals": {"Amount": "Note"}})
    through(one, *ROWS, ("TOTAL", "", "9"))
    assert (one.told_rows, one.told_totals) == (None, {"Amount": (Decimal(9), "in.csv!C4")})


def test_cells_of_a_workbook_are_read_as_they_are_shown() -> None:
    one = gate({**ALL, "when": {"column": "K", "equals": 99}})
    through(one, *ROWS, (Number(Decimal(99)), Number(Decimal("10.5")), Number(Decimal(2))))
    assert one.told_totals["Amount"].amount == Decimal("10.5")


def test_a_total_is_written_as_the_amounts_are() -> None:
    one = gate(decimal=",", thousands=".")
    through(one, ("1", "1.000,00", ""), ("TOTAL", "1.000,00", "1"))
    assert one.told_totals["Amount"].amount == Decimal("1000.00")
    one = gate({"when": WHEN, "totals": {"Amount EUR": "Note"}}, {"sum": "Amount", "by": "Note"}, decimal=",")
    through(one, ("1", "1000,00", "EUR"), ("TOTAL", "", "1000,00"))
    assert one.told_totals["Amount EUR"].amount == Decimal("1000.00")


def test_a_trailer_of_fewer_cells_is_still_one() -> None:
    one = gate()
    short = SourceRow(4, ("TOTAL", "10.50", "2"), (RowFault("too-few-cells", "x"),))
    assert len(list(one.data_rows([SourceRow(2, ROWS[0]), short]))) == 1


def test_a_missing_trailer_is_told_with_what_stands_in_its_place() -> None:
    told = refused(gate(), *ROWS)
    assert 'in.csv!A3 says "00002", and "TOTAL" is wanted there' in told
    assert "no rows below the header (in.csv!1)" in refused(gate())


def test_a_trailer_must_be_the_last_row_and_come_once() -> None:
    assert 'in.csv!A2 says "TOTAL"' in refused(gate(), ("TOTAL", "1", "1"), ROWS[0])
    assert "(in.csv!3)" in refused(gate(), ("TOTAL", "1", "1"), ROWS[0])
    assert "in.csv!A2 and in.csv!A3 both say" in refused(gate(), ("TOTAL", "1", "1"), ("TOTAL", "1", "1"))


@pytest.mark.parametrize(
    ("amount", "rows", "told"),
    [
        ("", "2", "in.csv!B4 is to tell the total of Amount (source.trailer), and is empty"),
        (" ", "2", "in.csv!B4 is to tell the total of Amount (source.trailer), and is empty"),
        ("10,50", "2", 'in.csv!B4 is to tell the total of Amount (source.trailer), and "10,50" cannot be read'),
        ("10.50", "two", 'in.csv!C4 is to tell the number of rows (source.trailer), and "two" cannot be read'),
        ("10.50", "2.5", "in.csv!C4 is to tell the number of rows, and 2.5 is none"),
        ("10.50", "-2", "in.csv!C4 is to tell the number of rows, and -2 is none"),
        (None, "2", "and is empty"),
        (Unreadable("error-cell", "this is an error", "#N/A"), "2", '"#N/A" cannot be read: this is an error'),
    ],
)
def test_a_figure_that_cannot_be_read_is_refused_with_its_address(amount: Cell, rows: Cell, told: str) -> None:
    assert told in refused(gate(), *ROWS, ("TOTAL", amount, rows))
