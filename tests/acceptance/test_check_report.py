"""`check --report`: the bad cells marked in a copy; corrected there and read again, the sheet passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finance_desk import Desk, Outcome, at_a_desk, invoices, with_cell
from openpyxl import Workbook, load_workbook

KEYS = {"version", "rows", "valid", "invalid", "duplicates", "totals", "problems", "error"}
CORRECT = {"C4": 12.5, "D6": "2026-12-31", "A7": "00006"}


def bad_rows() -> list[Any]:
    rows = with_cell(invoices(8), 2, Amount="12,50x")
    rows = with_cell(rows, 4, Due="31.12.2026")
    return with_cell(rows, 5, Invoice_No="00002")


def workbook(desk: Desk) -> Path:
    """Write the desk's sheet as a workbook with another sheet beside it."""
    book = Workbook()
    sheet: Any = book.worksheets[0]
    sheet.append(list(bad_rows()[0]))
    for row in bad_rows():
        sheet.append([float(value) if name == "Amount" and value[-1] != "x" else value for name, value in row.items()])
    book.create_sheet("Empty")
    book.save(desk.folder / "payouts.xlsx")
    return desk.folder / "payouts.xlsx"


def corrected(path: Path) -> None:
    book = load_workbook(path)
    for at, value in CORRECT.items():
        sheet: Any = book.worksheets[0]
        sheet[at] = value
    book.save(path)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(bad_rows())
        yield desk
        assert desk.server.requests == []


def check(desk: Desk, *words: str | Path) -> Outcome:
    return desk.command("check", "payouts.yaml", *words)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_corrected_report_passes(desk: Desk, kind: str) -> None:
    words = ["--input", workbook(desk)] if kind == "xlsx" else []
    outcome = check(desk, *words, "--report", "out/F.xlsx", "--json").ended(1)
    report = desk.folder / "out" / "F.xlsx"
    assert set(outcome.document) == KEYS
    assert f"Report: {report}" in outcome.stderr
    assert ("fresh workbook" in outcome.stderr) is (kind == "csv")
    again = check(desk, "--input", report, "--json").ended(1).document
    assert places(again) == places(outcome.document) == ["A3", "A7", "C4", "D6"]
    assert [again[name] for name in ("rows", "invalid")] == [outcome.document[name] for name in ("rows", "invalid")]
    corrected(report)
    assert check(desk, "--input", report, "--json").ended(0).document["valid"] == 8


def places(document: Any) -> list[str]:
    return sorted(problem["cell"].rpartition("!")[2] for problem in document["problems"])


def test_only_rows_that_were_checked_are_marked(desk: Desk) -> None:
    check(desk, "--rows", "1-5", "--report", "F.xlsx").ended(1)
    sheet: Any = load_workbook(desk.folder / "F.xlsx").worksheets[0]
    assert [cell.row for cell in sheet["F"] if cell.value is not None] == [1, 4]
    assert sheet.max_row == 9


def test_more_problems_than_the_screen_shows_are_all_marked(desk: Desk) -> None:
    desk.sheet([{**row, "Amount": "x"} for row in invoices(50)])
    check(desk, "--report", "F.xlsx").ended(1)
    sheet: Any = load_workbook(desk.folder / "F.xlsx").worksheets[0]
    assert sum(cell.comment is not None for cell in sheet["C"]) == 50


def test_without_problems_no_report_is_written_and_that_is_said(desk: Desk) -> None:
    desk.sheet(invoices(3))
    outcome = check(desk, "--report", "F.xlsx", "--quiet").ended(0)
    assert "no report was written" in outcome.stderr
    assert not (desk.folder / "F.xlsx").exists()


def test_a_file_that_is_there_is_left_alone(desk: Desk) -> None:
    path = workbook(desk)
    before = path.read_bytes()
    for words in (["--input", path, "--report", path], ["--report", path]):
        outcome = check(desk, *words, "--json").ended(2)
        assert outcome.document["error"]["code"] == "bad-command-line"
        assert path.name in outcome.words
    assert path.read_bytes() == before
