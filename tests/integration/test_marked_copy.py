"""The marked copy of a workbook: the bad cells marked, all else as it was, byte for byte."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from marked_books import HEADER, LAST, MACRO_TYPE, MAIN, ODD_SHEET, odd_book, parts, problem, rich_book
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.io import marked_package
from batchrun.io.marked_comments import plan_comments
from batchrun.io.marked_copy import Report, plan_report, write_report
from batchrun.io.marked_styles import FILL, OVER_FILL
from batchrun.io.source import SourceOptions, open_source
from batchrun.model import Problem, SourceRow

RICH: dict[str, Any] = {"sheet": "Pay, outs", "header_row": 3}
BAD: tuple[tuple[int, tuple[int, ...]], ...] = ((5, (1,)), (6, (2,)), (8, (0, 3)), (LAST, ()))


def marked(path: Path, target: Path, bad: Sequence[tuple[int, tuple[int, ...]]] = BAD, **options: Any) -> Report:
    with open_source(SourceOptions(path, **options)) as source:
        plan = plan_report(target, source)
        found = [problem(source.info, row, *columns) for row, columns in bad]
        return write_report(plan, source, found, (0,), options.get("sheet"))


def rows(path: Path, **options: Any) -> list[SourceRow]:
    with open_source(SourceOptions(path, **options)) as source:
        return list(source.rows())


def fills(sheet: Any) -> dict[str, str]:
    cells = (cell for row in sheet.iter_rows() for cell in row)
    return {cell.coordinate: cell.fill.fgColor.rgb for cell in cells if cell.fill.fill_type == "solid"}


def notes(sheet: Any) -> dict[str, str]:
    return {cell.coordinate: cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment}


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    return rich_book(tmp_path / "in, one.xlsx")


def test_only_the_sheet_its_comments_and_the_styles_change(rich: Path, tmp_path: Path) -> None:
    report = marked(rich, tmp_path / "F.xlsx", **RICH)
    before, after = parts(rich), parts(tmp_path / "F.xlsx")
    assert {name for name in after if before.get(name) != after[name]} == {
        *("xl/worksheets/sheet1.xml", "xl/styles.xml"),
        *("xl/comments/comment1.xml", "xl/drawings/commentsDrawing1.vml"),
    }
    assert before.keys() == after.keys()
    assert (report.cells, report.rows, report.notes) == (4, 4, ())


def test_bad_cells_are_filled_and_keep_their_other_looks(rich: Path, tmp_path: Path) -> None:
    marked(rich, tmp_path / "F.xlsx", **RICH)
    sheet = load_workbook(tmp_path / "F.xlsx")["Pay, outs"]
    mine = {"B5": FILL, "C6": OVER_FILL, "A8": FILL, "D8": FILL, f"E{LAST}": FILL}
    assert fills(sheet) == mine
    assert (sheet["C6"].number_format, sheet["A8"].number_format) == ("#,##0.00", "@")


def test_problems_are_told_in_comments_and_at_the_right_of_the_table(rich: Path, tmp_path: Path) -> None:
    marked(rich, tmp_path / "F.xlsx", **RICH)
    sheet = load_workbook(tmp_path / "F.xlsx")["Pay, outs"]
    said = "batchrun check: not a number"
    assert notes(sheet) == {"B5": said, "C6": f"mine\n\n{said}", "A8": said, "D8": said, "B9": "other"}
    column = {cell.row: cell.value for cell in sheet["E"] if cell.value is not None}
    assert column == {
        3: "_problems",
        5: "Vendor: not a number",
        6: "Amount: not a number",
        8: "Invoice No, Due: not a number",
        LAST: "not a number",
    }
    assert sheet["E3"].font.bold


def test_what_lies_beside_the_table_survives(rich: Path, tmp_path: Path) -> None:
    marked(rich, tmp_path / "F.xlsx", **RICH)
    book = load_workbook(tmp_path / "F.xlsx")
    sheet = book["Pay, outs"]
    assert sheet.tables["Pay"].ref == f"A3:D{LAST}"
    assert sheet.freeze_panes == "B4"
    assert sheet.protection.sheet
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:F1"]
    assert len(sheet.conditional_formatting) == 1
    assert len(sheet._charts) == len(book["Chart"]._charts) == 1
    assert "Total" in book.defined_names


def test_the_same_rows_are_read_from_the_copy(rich: Path, tmp_path: Path) -> None:
    marked(rich, tmp_path / "F.xlsx", **RICH)
    assert rows(tmp_path / "F.xlsx", **RICH) == rows(rich, **RICH)


def test_calamine_reads_the_column(rich: Path, tmp_path: Path) -> None:
    marked(rich, tmp_path / "F.xlsx", **RICH)
    table = CalamineWorkbook.from_path(tmp_path / "F.xlsx").get_sheet_by_name("Pay, outs").to_python()
    assert table[2][:5] == [*HEADER, "_problems"]
    assert table[4][4] == "Vendor: not a number"


def test_a_second_report_takes_the_first_ones_marks_off(rich: Path, tmp_path: Path) -> None:
    marked(rich, tmp_path / "F.xlsx", **RICH)
    book = load_workbook(tmp_path / "F.xlsx")
    book["Pay, outs"]["B5"] = "corrected"
    book.save(tmp_path / "corrected.xlsx")
    marked(tmp_path / "corrected.xlsx", tmp_path / "G.xlsx", [(8, (3,)), (9, (1,))], **RICH)
    sheet = load_workbook(tmp_path / "G.xlsx")["Pay, outs"]
    said = "batchrun check: not a number"
    assert fills(sheet) == {"C6": "00FFFF00", "D8": FILL, "B9": FILL}
    assert notes(sheet) == {"C6": "mine", "D8": said, "B9": f"other\n\n{said}"}
    column = {cell.row: cell.value for cell in sheet["E"] if cell.value is not None}
    assert column == {3: "_problems", 8: "Due: not a number", 9: "Vendor: not a number"}
    assert sheet["F3"].value is None
    shapes = parts(tmp_path / "G.xlsx")["xl/drawings/commentsDrawing1.vml"].decode()
    assert len(re.findall(r"\bObjectType=", shapes)) == 3


@pytest.mark.filterwarnings("ignore:Unknown extension")
def test_an_odd_sheet_is_marked_where_it_has_no_cells_and_no_references(tmp_path: Path) -> None:
    path = odd_book(tmp_path / "odd.xlsx")
    report = marked(path, tmp_path / "F.xlsx", [(2, (1,)), (4, (0, 1))], double_read=False)
    assert report.cells == 3
    sheet = load_workbook(tmp_path / "F.xlsx")["S"]
    assert [sheet["B2"].fill.fgColor.rgb, sheet["A4"].fill.fgColor.rgb, sheet["B4"].value] == [OVER_FILL, FILL, 7]
    assert (sheet["B2"].number_format, sheet["B2"].alignment.wrap_text) == ("@", True)
    assert sheet["E1"].value == "_problems"  # C and D are merged further down
    assert sheet["E4"].value == "Key, Amount: not a number"
    assert not sheet.column_dimensions["E"].hidden
    assert sheet.column_dimensions["C"].hidden
    assert rows(tmp_path / "F.xlsx", double_read=False) == rows(path, double_read=False)


def test_the_places_of_new_elements_are_those_of_the_schema(tmp_path: Path) -> None:
    marked(odd_book(tmp_path / "odd.xlsx"), tmp_path / "F.xlsx", [(4, (1,))], double_read=False)
    after = parts(tmp_path / "F.xlsx")
    sheet = after["xl/worksheets/sheet1.xml"].decode()
    assert re.findall(r"<(?:x:)?(cols|sheetData|pageMargins|legacyDrawing|extLst)\b", sheet) == [
        *("cols", "sheetData", "pageMargins", "legacyDrawing", "extLst"),
    ]
    assert b'Extension="vml"' in after["[Content_Types].xml"]
    assert b"/xl/comments1.xml" in after["xl/worksheets/_rels/sheet1.xml.rels"]
    assert "<!-- <row> -->" in sheet


def test_a_copy_of_a_workbook_with_macros_stays_one(tmp_path: Path) -> None:
    path = odd_book(tmp_path / "in.xlsm", {"xl/vbaProject.bin": b"\0macros"}, main=MACRO_TYPE)
    with pytest.raises(BadCommandLine, match=r"must end in \.xlsm"):
        marked(path, tmp_path / "F.xlsx", [(4, (1,))])
    marked(path, tmp_path / "F.xlsm", [(4, (1,))])
    assert parts(tmp_path / "F.xlsm")["xl/vbaProject.bin"] == b"\0macros"


def test_a_workbook_without_macros_does_not_become_one_with(rich: Path, tmp_path: Path) -> None:
    with pytest.raises(BadCommandLine, match=r"must end in \.xlsx"):
        marked(rich, tmp_path / "F.xlsm", **RICH)


UNEDITABLE = {
    "a signature": {"_xmlsignatures/sig1.xml": b"<a/>"},
    "no styles": {"xl/styles.xml": f'<styleSheet xmlns="{marked_package._OFFICE}"/>'.encode()},
    "another encoding": {
        "xl/worksheets/sheet1.xml": ODD_SHEET.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16")
    },
}


@pytest.mark.parametrize("case", UNEDITABLE)
def test_what_cannot_be_edited_becomes_a_fresh_workbook_and_that_is_said(tmp_path: Path, case: str) -> None:
    path = odd_book(tmp_path / "odd.xlsx", UNEDITABLE[case])
    report = marked(path, tmp_path / "F.xlsx", [(4, (1,))], double_read=False)
    (note,) = report.notes
    assert note.startswith("odd.xlsx cannot be marked itself, since it ")
    sheet = load_workbook(tmp_path / "F.xlsx")["S"]
    assert (sheet["B4"].value, sheet["B4"].fill.fgColor.rgb) == (7, FILL)


def test_what_cannot_be_edited_is_not_written_under_a_name_that_would_lie(tmp_path: Path) -> None:
    path = odd_book(tmp_path / "in.xlsm", UNEDITABLE["a signature"], main=MACRO_TYPE)
    with pytest.raises(BadCommandLine, match=r"name an \.xlsx file"):
        marked(path, tmp_path / "F.xlsm", [(4, (1,))])
    assert not (tmp_path / "F.xlsm").exists()


def test_nothing_is_written_over(rich: Path, tmp_path: Path) -> None:
    (tmp_path / "there.xlsx").write_bytes(b"mine")
    with pytest.raises(BadCommandLine, match="not written over"):
        marked(rich, tmp_path / "there.xlsx", **RICH)
    with pytest.raises(BadCommandLine, match="is the sheet that is checked"):
        marked(rich, rich, **RICH)
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "nowhere.xlsx")
    with pytest.raises(BadCommandLine, match="leads nowhere"):
        marked(rich, tmp_path / "link.xlsx", **RICH)
    assert (tmp_path / "there.xlsx").read_bytes() == b"mine"


def test_a_sheet_that_changes_meanwhile_is_not_marked(rich: Path, tmp_path: Path) -> None:
    with open_source(SourceOptions(rich, **RICH)) as source:
        plan = plan_report(tmp_path / "F.xlsx", source)
        rich_book(rich, rows=4)
        found = [problem(source.info, 5, 1)]
        with pytest.raises(CouldNotStart, match="changed while it was checked"):
            write_report(plan, source, found, (0,), None)
    assert [path.name for path in tmp_path.iterdir()] == [rich.name]


def test_a_folder_that_takes_no_file_is_told(rich: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CouldNotStart, match="could not be written"):
        marked(rich, tmp_path / "file" / "F.xlsx", **RICH)


def test_very_many_cells_are_marked_without_a_comment_each(
    rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marked_package, "MOST_COMMENTS", 2)
    report = marked(rich, tmp_path / "F.xlsx", [(row, (1,)) for row in range(4, 9)], **RICH)
    assert report.notes == ("Only the first 2 marked cells have a comment; _problems tells every problem.",)
    assert len(fills(load_workbook(tmp_path / "F.xlsx")["Pay, outs"])) == 6  # with C6, which had one


def test_the_first_entry_of_a_thread_keeps_its_text() -> None:
    part = (
        f'<comments xmlns="{MAIN}"><authors><author>tc={{1}}</author></authors><commentList><comment ref="B2" authorId='
    )
    part += '"0"><text><t>[Threaded comment]</t></text></comment></commentList></comments>'
    plan = plan_comments(part.encode(), {(2, 1): "bad", (3, 1): "worse"})
    sink = io.BytesIO()
    plan.write(sink)
    assert plan.places == [(3, 1)]
    assert sink.getvalue().count(b"batchrun check: ") == 1
    assert b"<t>[Threaded comment]</t></text>" in sink.getvalue()


def test_text_from_outside_is_text(rich: Path, tmp_path: Path) -> None:
    with open_source(SourceOptions(rich, **RICH)) as source:
        bad = Problem(5, source.info.row_address(5), None, None, None, "code", '=1+1 <&> "\x07 \ud800_x0041_')
        worse = problem(source.info, 6, 1, message="=2+2 ]]> \x00")
        write_report(plan_report(tmp_path / "F.xlsx", source), source, [bad, worse], (0,), None)
    sheet = load_workbook(tmp_path / "F.xlsx")["Pay, outs"]
    assert (sheet["E5"].data_type, sheet["E5"].value) == ("s", '=1+1 <&> "\\x07 \\ud800_x005F_x0041_')
    assert notes(sheet)["B6"] == "batchrun check: =2+2 ]]> \\x00"
