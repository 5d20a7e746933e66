"""What people made of a results workbook is still there after batchrun has written it again."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from python_calamine import CalamineWorkbook
from results_books import (
    HEADER,
    NAME,
    change_part,
    column,
    content,
    edited,
    result_row,
    saved_by_libreoffice,
    sort_lines,
    written,
)

from batchrun.io.whole_file import ChangedMeanwhile
from batchrun.io.workbook import Written, write_workbook
from batchrun.io.workbook_cells import CellEncoders
from batchrun.io.workbook_kept import Kept, keep
from batchrun.io.workbook_reading import open_copy
from batchrun.io.workbook_results import columns
from batchrun.io.workbook_results_layout import OWN
from batchrun.model import Doubt, Number, ResultRow

OUTPUT = {"output_fields": ("fee", "id"), "rows": lambda: map(with_output, range(2, 8))}
"""What changes when a batch has gone on: new columns between the old ones."""


def with_output(number: int) -> ResultRow:
    return result_row(number, output={"fee": Number(Decimal(1)), "id": f"x{number}"})


def kept_of(path: Path, ours: Mapping[str, float] | None = None) -> Kept:
    with open_copy(path) as copy:
        return keep(copy, ours or {})


def again(path: Path, ours: Mapping[str, float] | None = None, max_rows: int = 1_000_000, **changes: Any) -> Written:
    """Write a workbook again over itself, with all that is kept of it."""
    with open_copy(path) as copy:
        kept = keep(copy, ours or {})
        assert kept.lost == ()
        return write_workbook(path, content(kept=kept, **changes), max_rows=max_rows)


def sheet(path: Path, title: str = "Results", **how: Any) -> Any:
    return load_workbook(path, **how)[title]


def under(path: Path, name: str, title: str = "Results", **how: Any) -> list[Any]:
    """Give the values under a header."""
    found = sheet(path, title, **how)
    return [found.cell(line, column(found, name)).value for line in range(2, found.max_row + 1)]


def width(path: Path, name: str) -> float:
    found = sheet(path)
    width: float = found.column_dimensions[found.cell(1, column(found, name)).column_letter].width
    return width


def by_openpyxl(path: Path) -> Path:
    return path


def by_libreoffice(path: Path) -> Path:
    return saved_by_libreoffice(path).replace(path)


Save = Callable[[Path], Path]
SAVERS = [by_openpyxl, pytest.param(by_libreoffice, marks=pytest.mark.slow)]


# Layout


def test_a_width_that_nobody_touched_follows_what_the_column_holds(tmp_path: Path) -> None:
    made = write_workbook(tmp_path / NAME, content())
    path = tmp_path / NAME
    before = width(path, "_error")
    long = replace(result_row(2), error="The payee's bank refused the transfer.")
    again(path, made.widths, rows=lambda: [long])
    assert width(path, "_error") > before + 5


@pytest.mark.parametrize("save", SAVERS)
def test_a_width_that_a_person_set_stays_however_often_it_is_written(tmp_path: Path, save: Save) -> None:
    made = write_workbook(tmp_path / NAME, content())
    path = tmp_path / NAME
    with edited(path) as book:
        book["Results"].column_dimensions["B"].width = 33
    for _ in range(3):
        made = again(save(path), made.widths)
        assert width(path, "Vendor") == pytest.approx(33, abs=0.3)
    assert made.widths["Vendor"] == 0
    assert made.widths["Invoice"] == pytest.approx(width(path, "Invoice"))


@pytest.mark.parametrize("shift", [-0.7109375, 0.7109375, 0.85, -0.14])
def test_what_a_program_shifts_is_no_persons_width(tmp_path: Path, shift: float) -> None:
    made = write_workbook(tmp_path / NAME, content())
    path = tmp_path / NAME
    with edited(path) as book:
        for dimension in book["Results"].column_dimensions.values():
            dimension.width += shift
    assert kept_of(path, made.widths).widths == {}
    assert kept_of(path, {}).widths == {}, "nothing is known of what was written"


@pytest.mark.parametrize("save", SAVERS)
def test_columns_that_were_hidden_stay_hidden(tmp_path: Path, save: Save) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        found = book["Results"]
        for name in ("_attempts", "_seconds"):
            found.column_dimensions[found.cell(1, column(found, name)).column_letter].hidden = True
    again(save(path), **OUTPUT)
    found = sheet(path)
    hidden = [cell.value for cell in found[1] if found.column_dimensions[cell.column_letter].hidden]
    assert hidden == ["_attempts", "_seconds"]


@pytest.mark.parametrize("save", SAVERS)
def test_a_filter_goes_with_its_column_and_its_hidden_lines_with_their_rows(tmp_path: Path, save: Save) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        found = book["Results"]
        sort_lines(found, key=lambda values: -values[2])
        found.auto_filter.add_filter_column(column(found, "_attempts") - 1, ["0"])
        found.auto_filter.add_sort_condition("C2:C7")
        for line in (2, 3):
            found.row_dimensions[line].hidden = True
    again(save(path), **OUTPUT)
    found = sheet(path)
    [criterion] = found.auto_filter.filterColumn
    assert found.cell(1, criterion.colId + 1).value == "_attempts"
    assert criterion.filters.filter == ["0"]
    assert found.auto_filter.sortState is None
    assert found.auto_filter.ref == f"A1:{found.cell(1, found.max_column).column_letter}7"
    assert [line for line in range(2, 8) if found.row_dimensions[line].hidden] == [6, 7], "rows 6 and 7, in their order"


def test_custom_criteria_are_kept_and_a_colour_is_not_nor_what_it_hid(tmp_path: Path) -> None:
    path = written(tmp_path)
    with zipfile.ZipFile(path) as pack:
        parts = {name: pack.read(name) for name in pack.namelist()}
    name = "xl/worksheets/sheet1.xml"

    def with_filter(criterion: bytes) -> None:
        ref = b'ref="A1:S7">' + criterion + b"</autoFilter>"
        changed = parts[name].replace(b'<autoFilter ref="A1:S7" />', b"<autoFilter " + ref)
        changed = changed.replace(b'<row r="3">', b'<row r="3" hidden="1">')
        assert changed.count(b"hidden") == 1
        assert b"filterColumn" in changed
        with zipfile.ZipFile(path, "w") as pack:
            for part, held in parts.items():
                pack.writestr(part, changed if part == name else held)

    above = b'<customFilters><customFilter operator="greaterThan" val="3"/></customFilters>'
    with_filter(b'<filterColumn colId="2">' + above + b"</filterColumn>")
    kept = kept_of(path)
    assert [one.column for one in kept.filters["Results"]] == [("Amount", 0)]
    assert kept.hidden_rows == {3}
    with_filter(b'<filterColumn colId="2"><colorFilter dxfId="0"/></filterColumn>')
    kept = kept_of(path)
    assert (kept.filters["Results"], kept.hidden_rows) == ((), frozenset())


# Columns that people added


def with_notes(path: Path) -> None:
    with edited(path) as book:
        found = book["Results"]
        last = found.max_column
        for position, name in enumerate(("Note", "Paid", "Seen on", "_check", "Double"), last + 1):
            found.cell(1, position).value = name
        for line in range(2, 8):
            if line % 2:
                found.cell(line, last + 1).value = f"note {line}"
            found.cell(line, last + 2).value = line + 0.25
            found.cell(line, last + 2).number_format = "#,##0.00"
            found.cell(line, last + 3).value = datetime(2026, 11, line)
            found.cell(line, last + 3).number_format = "dd/mm/yyyy"
            found.cell(line, last + 4).value = line == 3
            found.cell(line, last + 5).value = f"=C{line}*2"
        found.cell(4, last + 1).value, found.cell(4, last + 1).data_type = "=not a formula", "s"
        found.column_dimensions[found.cell(1, last + 1).column_letter].width = 44


@pytest.mark.parametrize("save", SAVERS)
def test_columns_that_were_added_stand_behind_ours_with_all_that_they_hold(tmp_path: Path, save: Save) -> None:
    path = written(tmp_path)
    with_notes(path)
    with edited(path) as book:
        sort_lines(book["Results"], key=lambda values: -values[2])
        for line in range(2, 8):
            found = book["Results"]
            found.cell(line, column(found, "Double")).value = f"=C{line}*2"
    again(save(path), **OUTPUT)

    found = sheet(path)
    names = [cell.value for cell in found[1]]
    assert names[-6:] == ["_decision_status", "Note", "Paid", "Seen on", "_check", "Double"]
    assert under(path, "Note") == [None, "note 3", "=not a formula", "note 5", None, "note 7"]
    assert found.cell(4, column(found, "Note")).data_type == "s"
    assert under(path, "Paid") == [line + 0.25 for line in range(2, 8)]
    assert under(path, "Seen on") == [datetime(2026, 11, line) for line in range(2, 8)]
    assert under(path, "_check", data_only=True) == [line == 3 for line in range(2, 8)]
    assert under(path, "Double") == [f"=C{line}*2" for line in range(2, 8)]
    formats = [found.cell(2, column(found, name)).number_format.lower() for name in ("Paid", "Seen on")]
    assert formats == ["#,##0.00", "dd/mm/yyyy"]
    assert width(path, "Note") == pytest.approx(44, abs=0.3)


def test_a_field_that_the_caller_writes_is_no_column_of_somebody_elses(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        book["Results"].cell(1, book["Results"].max_column + 1).value = "_override.amount"
        book["Results"].cell(2, book["Results"].max_column).value = 5
    again(path, override_fields=("amount",))
    names = [cell.value for cell in sheet(path)[1]]
    assert names.count("_override.amount") == 1
    assert names[-1] == "_decision_status"


def test_a_second_column_of_a_header_and_one_without_a_header_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        found = book["Results"]
        last = found.max_column
        found.cell(1, last + 1).value = "Amount"
        found.cell(3, last + 1).value = "mine"
        found.cell(4, last + 3).value = "without header"
    for _ in range(2):
        again(path)
        found = sheet(path)
        assert [cell.value for cell in found[1]][-3:] == ["_decision_status", "Amount", None]
        assert found.cell(3, last + 1).value == "mine"
        assert found.cell(4, last + 2).value == "without header"
        assert under(path, "Amount")[1] == 3.5


def test_a_column_that_somebody_took_away_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        book["Results"].delete_cols(2, 2)
    again(path)
    assert under(path, "Amount") == [line + 0.5 for line in range(2, 8)]


def test_a_columns_cells_follow_their_rows_over_several_sheets(tmp_path: Path) -> None:
    path = written(tmp_path, max_rows=4)
    with edited(path) as book:
        for title in ("Results", "Results 2"):
            found = book[title]
            last = found.max_column + 1
            found.cell(1, last).value = "Note"
            found.cell(2, last).value = f"{title}, first"
            found.cell(3, last).value = "=C3*2"
    again(path, max_rows=4, **OUTPUT)
    assert under(path, "Note") == ["Results, first", "=C3*2", None, None]
    assert under(path, "Note", "Results 2") == ["Results 2, first", "=C3*2"]


# Formulas


@pytest.mark.parametrize("save", SAVERS)
def test_a_formula_follows_its_columns_and_its_rows(tmp_path: Path, save: Save) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        found = book["Results"]
        sort_lines(found, key=lambda values: -values[2])
        attempts = found.cell(1, column(found, "_attempts")).column_letter
        last = found.max_column + 1
        found.cell(1, last).value = "Sum"
        own = found.cell(1, last).column_letter
        for line in range(2, 8):
            found.cell(line, last).value = f"={attempts}{line}+$C{line}"
        found.cell(3, last).value = f"={own}2+C7"
        found.cell(4, last).value = "=SUM(C2:C7)&C1"
        found.cell(5, last).value = "=SUM(C:C)"
    made = again(save(path), **OUTPUT)
    found = sheet(path)
    attempts = found.cell(1, column(found, "_attempts")).column_letter
    own = found.cell(1, column(found, "Sum")).column_letter
    expected = [f"={attempts}{line}+$C{line}" for line in range(2, 8)]
    expected[4] = f"={own}7+C2"  # row 6 stood in line 3, under row 7 in line 2
    expected[3], expected[2] = "=SUM(C2:C7)&C1", "=SUM(C:C)"
    assert under(path, "Sum") == expected
    assert made.notes == ()


@pytest.mark.slow
def test_a_formula_that_came_along_computes_what_it_computed_before(tmp_path: Path) -> None:
    path = written(tmp_path)
    with_notes(path)
    again(by_libreoffice(path), **OUTPUT)
    assert under(path, "Double", data_only=True) == [2 * line + 1 for line in range(2, 8)], "what it showed last"
    recomputed = CalamineWorkbook.from_path(str(saved_by_libreoffice(path))).get_sheet_by_name("Results").to_python()
    place = recomputed[0].index("Double")
    assert [line[place] for line in recomputed[1:7]] == [2 * line + 1 for line in range(2, 8)]


@pytest.mark.slow
def test_a_formula_that_cannot_be_moved_for_certain_leaves_what_it_showed(tmp_path: Path) -> None:
    path = written(tmp_path)
    formulas = ("=SUM(D2:J2)", "=ROW()", '=INDIRECT("C4")', "=Summary!B3", "=C99+1", "=SUM(C2:C3)")
    with edited(path) as book:
        found = book["Results"]
        found.cell(1, found.max_column + 1).value = "Sum"
        for line, formula in enumerate(formulas, 2):
            found.cell(line, found.max_column).value = formula
    shown = under(by_libreoffice(path), "Sum", data_only=True)
    made = again(path, **OUTPUT)
    assert under(path, "Sum")[:5] == shown[:5]
    assert under(path, "Sum")[5] == "=SUM(C2:C3)"
    assert made.notes[0].startswith("Results, row 2, Sum and 4 more cells: ")


def test_a_formula_that_cannot_be_moved_and_showed_nothing_is_written_as_text(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        found = book["Results"]
        found.cell(1, found.max_column + 1).value = "Sum"
        found.cell(2, found.max_column).value = "=SUM(D2:J2)"
    again(path, **OUTPUT)
    found = sheet(path)
    cell = found.cell(2, column(found, "Sum"))
    assert (cell.value, cell.data_type) == ("=SUM(D2:J2)", "s")


def test_formulas_that_excel_shares_or_spreads_are_read_for_each_cell(tmp_path: Path) -> None:
    path = written(tmp_path)

    def as_excel_writes(part: bytes) -> bytes:
        cells = {
            1: '<c r="T1" t="inlineStr"><is><t>Sum</t></is></c>',
            2: '<c r="T2"><f t="shared" ref="T2:T3" si="0">C2*2</f><v>5</v></c>',
            3: '<c r="T3"><f t="shared" si="0"/><v>7</v></c>',
            4: '<c r="T4" cm="1"><f t="array" ref="T4">SUM(C2:C7*2)</f><v>60</v></c>',
            5: '<c r="T5" t="str"><f>C5&amp;"&lt;"</f><v>5.5&lt;</v></c>',
            6: '<c r="T6" t="e"><f>NA()</f><v>#N/A</v></c>',
            7: '<c r="T7" t="inlineStr"><is><t>a_x0009_b</t></is></c>',
        }
        for line, xml in cells.items():
            part = re.sub(rb'(<row r="%d".*?)(</row>)' % line, rb"\1" + xml.encode() + rb"\2", part, count=1)
        newer = (
            b'<extLst><ext uri="x"><x14:cfRule xmlns:x14="y"><xm:f xmlns:xm="z">$A$1</xm:f></x14:cfRule></ext></extLst>'
        )
        return part.replace(b"</worksheet>", newer + b"</worksheet>")

    change_part(path, "xl/worksheets/sheet1.xml", as_excel_writes)
    made = again(path, **OUTPUT)
    assert [note.split(":")[0] for note in made.notes] == ["Results, row 4, Sum"]
    assert under(path, "Sum") == ["=C2*2", "=C3*2", 60, '=C5&"<"', "=NA()", "a\tb"]
    assert under(path, "Sum", data_only=True) == [5, 7, 60, "5.5<", "#N/A", "a\tb"]


def test_a_rule_of_newer_programs_below_a_blank_line_is_no_cell_of_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    newer = b'<extLst><ext uri="x"><xm:f xmlns:xm="z">$A$1</xm:f></ext></extLst></worksheet>'

    def changed(part: bytes) -> bytes:
        part = part.replace(b"</sheetData>", b'<row r="9"><c r="B9" s="1"/></row></sheetData>')
        return part.replace(b"</worksheet>", newer)

    change_part(path, "xl/worksheets/sheet1.xml", changed)
    assert kept_of(path).lost == ()


def test_without_a_note_of_the_last_layout_no_column_of_ours_is_taken_for_somebodys(tmp_path: Path) -> None:
    path = written(tmp_path)
    with open_copy(path) as copy:
        assert keep(copy, {}, HEADER).columns == ()
    cells = CellEncoders(lambda _: 0)
    own = [one.name for one in columns(content(), cells)]
    assert own == [*HEADER, *[name for name in own if name in OWN]]
    assert set(own) == {*HEADER, *OWN}


# Sheets that people added


def with_sheet(path: Path) -> None:
    with edited(path) as book:
        notes = book.create_sheet("Notes & sums", 0)
        notes["A1"], notes["B1"] = "Total", "=SUM(Results!C2:C7)"
        notes["A2"], notes["B2"] = "First", '=Results!$H$2&"!"'
        notes["A3"], notes["B3"] = "Day", datetime(2026, 11, 30)
        notes["A4"], notes["B4"] = "=text", "#N/A"
        notes["A4"].data_type = notes["B4"].data_type = "s"
        notes["A5"], notes["B5"] = "own", "=B1*2"
        notes["B1"].number_format, notes["B3"].number_format = "#,##0.00", "dd.mm.yyyy"
        notes["A1"].font, notes["A1"].fill = Font(bold=True, color="FF0000"), PatternFill("solid", fgColor="FFFF00")
        notes.column_dimensions["A"].width = 27
        notes.row_dimensions[2].height = 40
        notes.merge_cells("D1:E2")
        notes.freeze_panes = "A2"
        notes.conditional_formatting.add("B1:B9", CellIsRule("greaterThan", ["5"], fill=PatternFill(bgColor="00FF00")))
        choice = DataValidation("list", formula1='"a,b"', sqref="F1:F9")
        notes.add_data_validation(choice)
        notes["G1"].comment = Comment("look", "Ida")
        notes["A20"], notes["A21"] = "Head", "x"
        notes.add_table(Table(displayName="Mine", ref="A20:A21"))
        book.create_sheet("Hidden").sheet_state = "hidden"


@pytest.mark.parametrize("save", SAVERS)
def test_sheets_that_were_added_are_there_again_behind_ours(tmp_path: Path, save: Save) -> None:
    path = written(tmp_path)
    with_sheet(path)
    made = again(save(path), **OUTPUT)
    book = load_workbook(path)
    assert book.sheetnames == ["Results", "Summary", "Problems", "Notes & sums", "Hidden"]
    notes = book["Notes & sums"]
    status = sheet(path).cell(1, column(sheet(path), "_run_id")).column_letter
    assert status == "H"
    assert [notes[place].value for place in ("B1", "B2", "B5")] == ["=SUM(Results!C2:C7)", '=Results!$H$2&"!"', "=B1*2"]
    assert notes["B3"].value == datetime(2026, 11, 30)
    assert [(notes[place].value, notes[place].data_type) for place in ("A4", "B4")] == [("=text", "s"), ("#N/A", "s")]
    shown = [notes[place].number_format.lower().replace("\\", "") for place in ("B1", "B3")]
    assert shown == ["#,##0.00", "dd.mm.yyyy"]
    assert (notes["A1"].font.b, notes["A1"].font.color.rgb[-6:]) == (True, "FF0000")
    assert notes["A1"].fill.fgColor.rgb[-6:] == "FFFF00"
    assert notes.column_dimensions["A"].width == pytest.approx(27, abs=0.3)
    assert notes.row_dimensions[2].height == pytest.approx(40, abs=0.5)
    assert [str(area) for area in notes.merged_cells.ranges] == ["D1:E2"]
    assert notes.freeze_panes == ("A2" if save is by_openpyxl else None), "without a screen LibreOffice drops it itself"
    assert [rule.dxf.fill.bgColor.rgb[-6:] for area in notes.conditional_formatting for rule in area.rules] == [
        "00FF00"
    ]
    assert notes.data_validations.dataValidation[0].formula1 == '"a,b"'
    assert notes["G1"].comment.text == "look"
    assert book["Hidden"].sheet_state == "hidden"
    assert made.notes == ()


def test_a_sheets_formulas_follow_columns_that_moved(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        sort_lines(book["Results"], key=lambda values: -values[2])
        notes = book.create_sheet("Notes")
        attempts = book["Results"].cell(1, column(book["Results"], "_attempts")).column_letter
        notes["A1"], notes["A2"] = f"=Results!{attempts}2", f"=SUM(Results!${attempts}:${attempts})"
        notes["A3"] = "=Amounts+1"
        notes["A4"] = "=Unknown+1"
        book.defined_names["Amounts"] = DefinedName("Amounts", attr_text="Results!$C$2:$C$7")
    made = again(path, **OUTPUT)
    found = sheet(path)
    attempts = found.cell(1, column(found, "_attempts")).column_letter
    notes = sheet(path, "Notes")
    assert [notes[f"A{line}"].value for line in (1, 2, 3)] == [
        *(f"=Results!{attempts}7", f"=SUM(Results!${attempts}:${attempts})", "=Amounts+1"),
    ]
    assert load_workbook(path).defined_names["Amounts"].attr_text == "Results!$C$2:$C$7"
    assert (notes["A4"].value, notes["A4"].data_type) == ("=Unknown+1", "s")
    assert made.notes[0].startswith("Notes!A4: ")


def test_a_workbook_with_everything_is_the_same_when_written_a_second_time(tmp_path: Path) -> None:
    path = written(tmp_path)
    with_notes(path)
    with_sheet(path)
    again(path)
    once = path.read_bytes()
    again(path)
    assert path.read_bytes() == once


# What would be lost


def with_a_chart(book: Any) -> None:
    notes = book.create_sheet("Notes")
    chart = BarChart()
    chart.add_data(Reference(book["Results"], min_col=3, min_row=1, max_row=5))
    notes.add_chart(chart, "A1")


def with_a_chart_on_results(book: Any) -> None:
    book["Results"].add_chart(BarChart(), "A20")


def with_a_comment(book: Any) -> None:
    book["Results"]["C4"].comment = Comment("is this right?", "Ida")


def with_a_total_below(book: Any) -> None:
    book["Results"]["C9"] = "=SUM(C2:C7)"


def with_a_title_above(book: Any) -> None:
    book["Results"].insert_rows(1)
    book["Results"]["B1"] = "For the board"


def with_a_row_twice(book: Any) -> None:
    found = book["Results"]
    found.cell(9, column(found, "_row")).value = 4


def with_a_table(book: Any) -> None:
    found = book["Results"]
    found.auto_filter.ref = None
    found.add_table(Table(displayName="All", ref="A1:S7"))


def with_our_name(book: Any) -> None:
    book.create_sheet("problems 2")["A1"] = "x"


LOST = [
    *((with_a_chart, "Notes holds a chart"), (with_a_chart_on_results, "Results holds a chart")),
    *((with_a_comment, "Results!C4: there is a comment"), (with_a_total_below, "Results!C9: this belongs to no row")),
    *(
        (with_a_title_above, "Results!B1: this belongs to no row"),
        (with_a_row_twice, "Results: row 4 stands in it twice"),
    ),
    *((with_a_table, "Results was formatted as a table"), (with_our_name, "problems 2 is named like a sheet")),
]


@pytest.mark.parametrize(("change", "told"), LOST, ids=lambda item: getattr(item, "__name__", None))
def test_what_cannot_be_taken_along_is_told_in_a_sentence(
    tmp_path: Path, change: Callable[[Any], None], told: str
) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        change(book)
    [lost] = kept_of(path).lost
    assert lost.startswith(f"{NAME}!{told}")


@pytest.mark.slow
def test_libreoffice_adds_nothing_that_would_be_lost(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert kept_of(saved_by_libreoffice(path)).lost == kept_of(path).lost == ()
    with edited(path) as book:
        with_a_comment(book)
        with_a_chart(book)
    lost = kept_of(saved_by_libreoffice(path)).lost
    assert [text.split(":")[0] for text in lost] == [
        f"{NAME}!Results!C4",
        f"{NAME}!Notes holds a chart, picture or shape",
    ]


# Doubts, and what is saved meanwhile


def test_what_was_typed_about_doubts_stands_there_again(tmp_path: Path) -> None:
    doubt = Doubt(3, "00003", "1", None, None, "a run", run_id="0012", not_run="perhaps", checked_by="=Ida")
    path = written(tmp_path, doubts=(doubt, replace(doubt, row=4, run_id=None, not_run="", checked_by=None)))
    lines = [[cell.value for cell in line] for line in sheet(path, "Doubts").iter_rows(min_row=2, min_col=7)]
    assert lines == [["0012", "perhaps", "=Ida"], [None, None, None]]
    assert sheet(path, "Doubts")["I2"].data_type == "s"
    with open_copy(path) as copy:
        assert copy.doubts() == {3: ("0012", "perhaps", "=Ida")}


def test_a_workbook_that_was_saved_between_reading_and_writing_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path)

    def rows() -> Any:
        yield result_row(2)
        with edited(path) as book:
            book["Results"]["Z1"] = "typed meanwhile"

    with open_copy(path) as copy, pytest.raises(ChangedMeanwhile):
        write_workbook(path, content(kept=keep(copy, {}), rows=rows), unless_changed=copy.sha256)
    assert sheet(path)["Z1"].value == "typed meanwhile"
    assert list(tmp_path.iterdir()) == [path]
