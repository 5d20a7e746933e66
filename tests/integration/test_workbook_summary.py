"""The Summary sheet adds up, and shows it."""

import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from batchrun.core.proofs import LINES, proof_of
from batchrun.io.workbook import WorkbookContent, write_workbook
from batchrun.model import ControlTotal, State, Summary

START = datetime(2026, 10, 27, 14, 3, 11, tzinfo=UTC)
TOTAL = ControlTotal("Amount", 2, {State.COMPLETED: Decimal("70.10"), State.FAILED: Decimal("29.90")}, Decimal(100))
PLAIN = Summary(
    title="=Payouts 2026-10",
    facts=(("Batch", "payouts-001"), ("File", "=payouts.xlsx"), ("Spec SHA-256", "60303ae2" * 8)),
    counts={State.FAILED: 1, State.COMPLETED: 3, State.READY: 0},
    rows=4,
    totals=(TOTAL,),
    seconds={"p50": 1.25, "p99": 8.5},
    completions=tuple((START + timedelta(seconds=5 * step), step) for step in range(4)),
    notes=("2 hidden rows were included.",),
    proof=proof_of({State.FAILED: 1, State.COMPLETED: 3}, (TOTAL,), {}),
)


def summary_sheet(path: Path, **changes: Any) -> Worksheet:
    content = WorkbookContent((), lambda: (), (), (), replace(PLAIN, **changes), lambda: ())
    write_workbook(path, content)
    sheet = load_workbook(path)["Summary"]
    assert isinstance(sheet, Worksheet)
    return sheet


def lines(sheet: Worksheet) -> dict[Any, list[Any]]:
    """Give the left block's rows by their label; of those that come twice, the first."""
    found: dict[Any, list[Any]] = {}
    for row in sheet.iter_rows(max_col=6, values_only=True):
        if row[0]:
            found.setdefault(row[0], [value for value in row[1:] if value is not None])
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.xlsx"


def test_title_facts_and_notes_are_text(path: Path) -> None:
    sheet = summary_sheet(path)

    assert (sheet["A1"].value, sheet["A1"].data_type) == ("=Payouts 2026-10", "s")
    assert lines(sheet)["File"] == ["=payouts.xlsx"]
    assert "• 2 hidden rows were included." in lines(sheet)


def test_states_stand_in_their_order_with_counts_shares_and_amounts(path: Path) -> None:
    found = lines(summary_sheet(path))

    assert found["completed"] == [3, 0.75, 70.1]
    assert found["failed"] == [1, 0.25, 29.9]
    assert "ready" not in found
    assert list(found).index("completed") < list(found).index("failed")


def test_the_proof_has_a_line_for_all_that_can_become_of_a_row(path: Path) -> None:
    sheet = summary_sheet(path)
    labels = [cell.value for cell in sheet["A"]]
    proof = labels[labels.index("Proof") + 1 : labels.index("Check") + 1]

    assert proof == [*LINES, "Sum", "Input", "amounts that could not be read", "Check"]
    found = lines(sheet)
    assert (found["Sum"], found["Input"], found["open"]) == ([4, 100], [4, 100], [0, 0])
    assert found["Check"] == ["adds up", "adds up"]


def test_a_difference_of_a_cent_is_shouted(path: Path) -> None:
    read = {"rows": 5, "totals": {"Amount": "100.01"}, "unreadable": {}}
    found = lines(summary_sheet(path, proof=proof_of(PLAIN.counts, PLAIN.totals, {"read": read})))

    assert (found["Sum"], found["Input"]) == ([4, 100], [5, 100.01])
    assert found["Check"] == ["DOES NOT ADD UP", "DOES NOT ADD UP"]


def test_amounts_that_could_not_be_read_are_counted(path: Path) -> None:
    proof = proof_of(PLAIN.counts, [replace(TOTAL, unreadable=2)], {})
    assert lines(summary_sheet(path, proof=proof))["amounts that could not be read"] == [2]


def test_each_currency_has_a_column_of_its_own(path: Path) -> None:
    totals = (replace(TOTAL, column="Amount EUR", of="Amount"), replace(TOTAL, column="Amount (no Currency)"))
    found = lines(summary_sheet(path, totals=totals, proof=proof_of(PLAIN.counts, totals, {})))

    assert found["State"] == ["Rows", "Share", "Amount EUR", "Amount (no Currency)"]
    assert (found["Proof"], found["Sum"]) == (["Rows", "Amount EUR", "Amount (no Currency)"], [4, 100, 100])
    assert found["Check"] == ["adds up"] * 3


def test_an_amount_beyond_fifteen_digits_is_shown_to_the_cent(path: Path) -> None:
    huge = Decimal("12345678901234567.89")
    total = ControlTotal("Amount", 2, {State.COMPLETED: huge}, huge)

    assert lines(summary_sheet(path, totals=(total,)))["completed"] == [3, 0.75, "12,345,678,901,234,567.89"]


def test_percentiles_are_shown_in_seconds(path: Path) -> None:
    found = lines(summary_sheet(path))

    assert (found["Time to end"], found["seconds"]) == (["p50", "p99"], [1.25, 8.5])


def test_both_charts_are_native_titled_and_show_their_axes(path: Path) -> None:
    summary_sheet(path)

    with zipfile.ZipFile(path) as archive:
        charts = [archive.read(f"xl/charts/chart{number}.xml").decode() for number in (1, 2)]
    for chart, words in zip(charts, (("Rows by state", "State"), ("Rows ended over time", "Time (UTC)")), strict=True):
        assert all(word in chart for word in words)
        assert chart.count('<delete val="0"') == 2
    assert "barChart" in charts[0]
    assert "scatterChart" in charts[1]


@pytest.mark.parametrize(
    ("slice_", "shown"),
    [(timedelta(seconds=5), "hh:mm:ss"), (timedelta(minutes=20), "hh:mm"), (timedelta(days=3), "d mmm hh:mm")],
)
def test_the_time_axis_fits_the_span(path: Path, slice_: timedelta, shown: str) -> None:
    summary_sheet(path, completions=tuple((START + slice_ * step, step) for step in range(20)))

    with zipfile.ZipFile(path) as archive:
        assert f'formatCode="{shown}"' in archive.read("xl/charts/chart2.xml").decode()


def test_an_empty_batch_has_a_summary_without_charts(path: Path) -> None:
    proof = proof_of({}, (), {})
    sheet = summary_sheet(path, counts={}, rows=0, totals=(), seconds={}, completions=(), notes=(), proof=proof)

    assert lines(sheet)["Check"] == ["adds up"]
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "chart" in name]
