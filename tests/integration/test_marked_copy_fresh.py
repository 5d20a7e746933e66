"""The report of what cannot be copied: a fresh workbook, in which nothing passes that nobody has corrected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from marked_books import problem
from openpyxl import load_workbook
from test_excel_other_kinds import XLS

from batchrun.errors import BadCommandLine
from batchrun.io.marked_copy import Report, plan_report, write_report
from batchrun.io.source import SourceOptions, open_source
from batchrun.model import SourceRow, Unreadable

CSV = (
    "sep=;\r\nNo;Vendor;_own;Amount\r\n00001;=1+1;x;1,50\r\n\r\n"
    '00002;"two\r\nlines";;\r\n00003; _x0041_ <&> \x07;;NA\r\n00004;a;b;c;d\r\n'
)


def marked(path: Path, target: Path, bad: Sequence[tuple[int, int]] = ((3, 2),), **options: Any) -> Report:
    with open_source(SourceOptions(path, **options)) as source:
        plan = plan_report(target, source)
        found = [problem(source.info, row, column) for row, column in bad]
        return write_report(plan, source, found, (0,), options.get("sheet"))


def rows(path: Path, **options: Any) -> list[SourceRow]:
    with open_source(SourceOptions(path, **options)) as source:
        return list(source.rows())


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(CSV, encoding="utf-8", newline="")
    return path


def test_a_csv_becomes_a_workbook_of_text_in_its_own_row_numbers(csv: Path, tmp_path: Path) -> None:
    report = marked(csv, tmp_path / "F.xlsx")
    assert report.notes == ("in.csv is text, so the report is a fresh workbook with its rows.",)
    sound = [row for row in rows(csv) if not row.faults]
    again = [row for row in rows(tmp_path / "F.xlsx") if not isinstance(row.cells[0], Unreadable)]
    assert [row.number for row in again] == [row.number for row in sound] == [3, 5, 7]
    assert [[cell or "" for cell in row.cells] for row in again] == [list(row.cells) for row in sound]


def test_what_is_typed_into_its_cells_stays_as_typed(csv: Path, tmp_path: Path) -> None:
    marked(csv, tmp_path / "F.xlsx", ((3, 2), (5, 2)))
    sheet: Any = load_workbook(tmp_path / "F.xlsx").worksheets[0]
    assert {sheet[at].number_format for at in ("A3", "B3", "D3", "D5")} == {"@"}
    assert sheet["B3"].data_type == "s"
    assert sheet.column_dimensions["A"].number_format == "@"
    assert sheet["E2"].value == "_problems"


def test_a_row_of_a_broken_shape_cannot_pass_by_itself(csv: Path, tmp_path: Path) -> None:
    marked(csv, tmp_path / "F.xlsx")
    (broken,) = [row for row in rows(tmp_path / "F.xlsx") if row.number == 8]
    assert isinstance(broken.cells[0], Unreadable)
    sheet: Any = load_workbook(tmp_path / "F.xlsx").worksheets[0]
    assert 'The cell held "00004".' in sheet["A8"].comment.text


def test_text_that_no_cell_can_hold_cannot_pass_cut(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(f"No,Text\n1,{'x' * 32_768}\n2,{'y' * 32_767}\n", encoding="utf-8")
    marked(tmp_path / "in.csv", tmp_path / "F.xlsx", ((2, 0),))
    first, second = rows(tmp_path / "F.xlsx")
    assert isinstance(first.cells[1], Unreadable)
    assert second.cells[1] == "y" * 32_767


def test_rows_far_apart_come_nearer_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("No,Text\n1,a\n" + "\n" * 1500 + "2,b\n3,c\n", encoding="utf-8")
    report = marked(tmp_path / "in.csv", tmp_path / "F.xlsx", ((1503, 1),))
    assert report.notes[1:] == ("Row numbers in the report differ from those of the file.",)
    assert [row.cells for row in rows(tmp_path / "F.xlsx")] == [("1", "a"), ("2", "b"), ("3", "c")]
    sheet: Any = load_workbook(tmp_path / "F.xlsx").worksheets[0]
    assert sheet["B1002"].comment is not None


def test_a_fresh_workbook_is_an_xlsx_file(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(BadCommandLine, match=r"fresh workbook, so its name must end in \.xlsx"):
        marked(csv, tmp_path / "F.xlsm")


def test_the_sheet_keeps_its_number_and_its_name(csv: Path, tmp_path: Path) -> None:
    marked(csv, tmp_path / "F.xlsx", sheet=3)
    marked(csv, tmp_path / "G.xlsx", sheet="Pay [outs]")
    assert rows(tmp_path / "F.xlsx", sheet=3)[0].cells == ("00001", "=1+1", "1,50")
    assert load_workbook(tmp_path / "G.xlsx").sheetnames == ["Pay  outs"]


def test_the_values_of_an_old_workbook_stay_values_and_its_errors_errors(tmp_path: Path) -> None:
    (tmp_path / "in.xls").write_bytes(XLS)
    report = marked(tmp_path / "in.xls", tmp_path / "F.xlsx", ((3, 0),), hidden_rows="skip")
    assert report.notes[0].startswith("in.xls is an .xls file, which cannot be written again as it is, so")
    before, after = rows(tmp_path / "in.xls", hidden_rows="skip"), rows(tmp_path / "F.xlsx")
    assert [row.number for row in after] == [row.number for row in before]
    assert [readable(row) for row in after] == [readable(row) for row in before]
    assert load_workbook(tmp_path / "F.xlsx").sheetnames == ["Data"]


def readable(row: SourceRow) -> list[object]:
    return ["unreadable" if isinstance(cell, Unreadable) else cell for cell in row.cells]
