"""What a workbook shows is what the rows say; what two readers cannot agree on, or nobody can read, is refused."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from datetime import datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pytest

from batchrun.core.cells import Fault, Reading, as_number, as_text
from batchrun.errors import BadInput
from batchrun.io.excel_process import WorkbookProcess
from batchrun.io.excel_protocol import Request
from batchrun.io.source import Source, SourceOptions, open_source
from batchrun.model import Cell, DressedNumber, Number, SourceRow, Unreadable

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>Id</t></is></c><c r="B1" t="inlineStr"><is><t>V</t></is></c></row>'


def sheet_xml(rows: str, after: str = "", root: str = f'worksheet xmlns="{MAIN}"') -> str:
    return f"<{root}><sheetData>{rows}</sheetData>{after}</{root.split(maxsplit=1)[0]}>"


def row_xml(number: int, *cells: str, attributes: str = "") -> str:
    return f'<row r="{number}" {attributes}>{"".join(cells)}</row>'


def text_xml(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def package(
    path: Path,
    sheet: str,
    *,
    strings: str | None = None,
    styles: str | None = None,
    workbook: str = "",
    more: dict[str, str] | None = None,
    sheets: str = '<sheet name="Data" sheetId="1" r:id="rId1"/>',
    relations: str = "",
    namespace: str = MAIN,
) -> Path:
    """Write a package by hand: the only way to get the files that broken exports get."""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId8" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
        f'<Relationship Id="rId9" Type="{OFFICE}/styles" Target="/xl/styles.xml"/>{relations}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{namespace}" xmlns:r="{OFFICE}">{workbook}<sheets>{sheets}</sheets>'
        "</workbook>",
        "xl/worksheets/sheet1.xml": sheet,
        **({} if strings is None else {"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>'}),
        **({} if styles is None else {"xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'}),
        **(more or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def one_cell(tmp_path: Path, cell: str, **parts: str) -> Cell:
    """Read cell B2 of a sheet with two columns."""
    path = package(tmp_path / "one.xlsx", sheet_xml(HEADER + row_xml(2, text_xml("A2", "x"), cell)), **parts)  # type: ignore[arg-type]
    ((_, value),) = cells_of(path)
    return value


def opened(path: Path, **options: object) -> Source:
    return open_source(SourceOptions(path, **options))  # type: ignore[arg-type]


def rows_of(path: Path, **options: object) -> list[SourceRow]:
    with opened(path, **options) as source:
        return list(source.rows())


def cells_of(path: Path, **options: object) -> list[tuple[Cell, ...]]:
    return [row.cells for row in rows_of(path, **options)]


def notes_of(path: Path, **options: object) -> tuple[str, ...]:
    with opened(path, **options) as source:
        list(source.rows())
        return source.notes()


def fault_of(path: Path, **options: object) -> str:
    with pytest.raises(BadInput) as caught, opened(path, **options) as source:
        list(source.rows())
    assert "\n" not in caught.value.message
    return caught.value.message


def code_of(cell: Cell) -> str:
    assert isinstance(cell, Unreadable), cell
    assert cell.message.endswith(".")
    return cell.code


def saved(path: Path, *rows: tuple[object, ...], formats: dict[str, str] | None = None) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Payouts"
    for row in rows:
        sheet.append(row)
    for place, code in (formats or {}).items():
        sheet[place].number_format = code
    workbook.save(path)
    return path


# Ordinary files


def test_an_ordinary_sheet_is_read_as_it_shows(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "in.xlsx",
        ("Vendor payouts",),
        ("October",),
        ("Invoice", "Amount", "Postcode", "Due", "At", "Rush", "Note", "_row"),
        ("00123", 19.99, 42, datetime(2026, 10, 1), datetime(2026, 10, 1, 9, 12, 33, 123000), True, None, 1),
        ("None", 0.1 + 0.2, 1067, datetime(2024, 2, 29), datetime(1900, 3, 1), False, " x ", 2),
        formats={"C4": "00000", "C5": "00000"},
    )
    with opened(path, header_row=3) as source:
        assert source.info.header == ("Invoice", "Amount", "Postcode", "Due", "At", "Rush", "Note")
        assert source.info.cell_address(4, 2) == "in.xlsx!Payouts!C4"
        first, second = source.rows()
        assert source.notes() == ("Columns ignored because their names begin with _: _row.",)
    assert first == SourceRow(
        4,
        (
            "00123",
            Number(Decimal("19.99")),
            Number(Decimal(42), 5),
            datetime(2026, 10, 1),
            datetime(2026, 10, 1, 9, 12, 33, 123000),
            True,
            None,
        ),
    )
    assert second.cells[:3] == ("None", Number(Decimal("0.3")), Number(Decimal(1067), 5))
    assert second.cells[3:] == (datetime(2024, 2, 29), datetime(1900, 3, 1), False, " x ")


def test_rows_can_be_read_twice(tmp_path: Path) -> None:
    with opened(saved(tmp_path / "in.xlsx", ("Title",), ("a",), ("b",)), header_row=2) as source:
        assert list(source.rows()) == list(source.rows()) == [SourceRow(3, ("b",))]


def test_one_reader_alone_gives_the_same_rows(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id", "At"), ("a", datetime(2026, 10, 1)), (None, 1.5))
    assert rows_of(path, double_read=False) == rows_of(path)


def test_the_header_is_the_first_row_that_holds_something(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", (), (), (None, "Id", 2026, True), (None, "a", 1, 2))
    with opened(path) as source:
        assert source.info.header == ("Id", "2026", "True")
        assert source.info.header_row == 3
        assert [row.number for row in source.rows()] == [4]


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert rows_of(saved(tmp_path / "in.xlsx", ("Id", "Name"))) == []


def test_blank_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id", "_x"), ("a", 1), (), (None, 5), ("b", None))
    assert [row.number for row in rows_of(path)] == [2, 5]
    assert "2 blank rows skipped (rows 3, 4)." in notes_of(path)


def test_a_missing_header_row_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id",), (), ("a",))
    assert "nothing in row 2" in fault_of(path, header_row=2)
    assert "nothing in row 9" in fault_of(path, header_row=9)
    assert "no visible sheet with data" in fault_of(saved(tmp_path / "empty.xlsx"))


def test_headers_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    assert "in.xlsx!Payouts!A1 and in in.xlsx!Payouts!C1" in fault_of(
        saved(tmp_path / "in.xlsx", ("Id", "x", "Id\xa0"), (1, 2, 3))
    )
    message = fault_of(saved(tmp_path / "in.xlsx", ("Report",), ("Id", "Name"), (1, 2)))
    assert "in.xlsx!Payouts!B2 holds data, but its column has no header in in.xlsx!Payouts!B1" in message
    assert "source.header_row" in message
    assert cells_of(saved(tmp_path / "in.xlsx", ("Id", None, "Name"), ("a", None, "b"))) == [("a", "b")]


# Choosing the sheet


def many_sheets(path: Path, **states: str) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, state in states.items():
        sheet = workbook.create_sheet(name)
        sheet.sheet_state = state
        sheet.append((f"In {name}",))
        sheet.append((1,))
    workbook.save(path)
    return path


def header_of(path: Path, **options: object) -> tuple[str, ...]:
    with opened(path, **options) as source:
        return source.info.header


def test_the_only_visible_sheet_with_data_is_chosen(tmp_path: Path) -> None:
    path = many_sheets(tmp_path / "in.xlsx", Old="hidden", Data="visible", Secret="veryHidden")
    assert header_of(path) == ("In Data",)


def test_several_sheets_with_data_are_named_with_the_line_to_write(tmp_path: Path) -> None:
    path = many_sheets(tmp_path / "in.xlsx", Payouts="visible", Notes="visible")
    message = fault_of(path)
    assert 'in.xlsx has 2 sheets with data ("Payouts", "Notes")' in message
    assert "source.sheet: Payouts" in message


def test_a_sheet_is_chosen_by_name_or_by_number(tmp_path: Path) -> None:
    path = many_sheets(tmp_path / "in.xlsx", Payouts="visible", Notes="visible", Old="hidden")
    assert header_of(path, sheet="Notes") == header_of(path, sheet=2) == ("In Notes",)
    assert header_of(path, sheet="Old") == ("In Old",)
    assert '"Payouts", "Notes", "Old" (hidden)' in fault_of(path, sheet="Totals")
    assert "no sheet number 4" in fault_of(path, sheet=4)
    assert "may mean either" in fault_of(path, sheet=3)


def test_a_chart_sheet_is_never_the_table(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.create_chartsheet("Chart", 0)
    workbook.worksheets[0].append(("Id",))
    workbook.save(tmp_path / "in.xlsx")
    assert header_of(tmp_path / "in.xlsx") == header_of(tmp_path / "in.xlsx", sheet=2) == ("Id",)
    assert "is a chart" in fault_of(tmp_path / "in.xlsx", sheet="Chart")


def test_a_workbook_of_no_sheets_is_refused(tmp_path: Path) -> None:
    assert "holds no sheet with rows" in fault_of(package(tmp_path / "in.xlsx", sheet_xml(""), sheets=""))


# Hidden rows


def with_hidden_rows(path: Path) -> Path:
    hidden = "".join(row_xml(n, text_xml(f"A{n}", f"r{n}"), attributes='hidden="1"') for n in (1, 3, 5))
    shown = "".join(row_xml(n, text_xml(f"A{n}", f"r{n}")) for n in (2, 4))
    rows = sorted(("<row" + part for part in (hidden + shown).split("<row")[1:]), key=lambda xml: xml[8])
    return package(path, sheet_xml("".join(rows) + '<row r="9" hidden="1"/>'))


def test_hidden_rows_are_refused_unless_the_spec_says_what_to_do(tmp_path: Path) -> None:
    path = with_hidden_rows(tmp_path / "in.xlsx")
    message = fault_of(path, header_row=2)
    assert "in.xlsx!Data has 2 hidden rows with data (rows 3, 5)" in message
    assert "source.hidden_rows: include" in message
    assert fault_of(path, header_row=2, hidden_rows="refuse") == message


@pytest.mark.parametrize("height", ["0", "0.0"])
def test_a_row_of_no_height_is_hidden(tmp_path: Path, height: str) -> None:
    rows = (row_xml(2, text_xml("A2", "x"), attributes=f'ht="{height}"'), row_xml(3, text_xml("A3", "y")))
    assert "1 hidden row with data (row 2)" in fault_of(
        package(tmp_path / "in.xlsx", sheet_xml(HEADER + "".join(rows)))
    )


def test_hidden_rows_are_read_or_skipped_as_asked_and_said_so(tmp_path: Path) -> None:
    path = with_hidden_rows(tmp_path / "in.xlsx")
    assert cells_of(path, header_row=2, hidden_rows="include") == [("r3",), ("r4",), ("r5",)]
    assert notes_of(path, header_row=2, hidden_rows="include") == ("2 hidden rows read like all others (rows 3, 5).",)
    assert cells_of(path, header_row=2, hidden_rows="skip") == [("r4",)]
    assert notes_of(path, header_row=2, hidden_rows="skip") == ("2 hidden rows skipped (rows 3, 5).",)


# Cells


def test_error_cells_are_told_by_type_and_not_by_text(tmp_path: Path) -> None:
    cells = [text_xml("A2", "#N/A"), '<c r="B2" t="e"><v>#N/A</v></c>']
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(2, *cells)))
    ((text, error),) = cells_of(path)
    assert text == "#N/A"
    assert error == Unreadable("error-cell", "the cell shows the error #N/A; correct its formula or its value.", "#N/A")


@pytest.mark.parametrize("error", ["#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#BUSY!", "#CONNECT!", "#UNKNOWN!"])
def test_errors_of_newer_excels_spoil_one_cell_and_not_the_sheet(tmp_path: Path, error: str) -> None:
    rows = HEADER + row_xml(2, text_xml("A2", error), f'<c r="B2" t="e"><v>{error}</v></c>')
    path = package(tmp_path / "in.xlsx", sheet_xml(rows + row_xml(3, text_xml("A3", "whole"))))
    (text, spoiled), whole = cells_of(path)
    assert (text, code_of(spoiled), whole) == (error, "error-cell", ("whole", None))


def test_a_formula_without_a_stored_value_is_refused(tmp_path: Path) -> None:
    for cell in ("<f>1+1</f>", "<f>1+1</f><v/>", "<f>1+1</f><v></v>"):
        assert code_of(one_cell(tmp_path, f'<c r="B2">{cell}</c>')) == "formula-without-value"


def test_the_stored_value_of_a_formula_is_used(tmp_path: Path) -> None:
    assert one_cell(tmp_path, '<c r="B2"><f>1+1</f><v>2</v></c>') == Number(Decimal(2))
    assert one_cell(tmp_path, '<c r="B2" t="str"><f>"a"</f><v>a</v></c>') == "a"
    assert one_cell(tmp_path, '<c r="B2" t="str"><f>""</f><v></v></c>') is None


def test_a_formula_that_awaits_computing_is_refused_even_with_a_value(tmp_path: Path) -> None:
    cell = one_cell(tmp_path, '<c r="B2"><f>1+1</f><v>0</v></c>', workbook='<calcPr fullCalcOnLoad="1"/>')
    assert code_of(cell) == "formula-stale"


@pytest.mark.parametrize("on_opening", [True, False])
def test_an_empty_result_that_awaits_computing_is_refused_and_no_blank(tmp_path: Path, on_opening: bool) -> None:
    awaits = '<calcPr fullCalcOnLoad="1"/>' if on_opening else ""
    empty = '<c r="{}" t="str"><f>"a"</f><v></v></c>'
    rows = (row_xml(2, text_xml("A2", "x"), empty.format("B2")), row_xml(3, empty.format("B3")))
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + "".join(rows)), workbook=awaits)
    read = [[cell.code if isinstance(cell, Unreadable) else cell for cell in cells] for cells in cells_of(path)]
    assert read == ([["x", "formula-stale"], [None, "formula-stale"]] if on_opening else [["x", None]])


def test_references_of_drop_downs_are_no_values(tmp_path: Path) -> None:
    source = '<extLst><ext xmlns:xm="u"><xm:f>Other!A1:A3</xm:f></ext></extLst>'
    hidden = row_xml(3, '<c r="A3"/>', attributes='hidden="1"')
    last = row_xml(1_048_576, '<c r="A1048576"/>', '<c r="CA1048576"/>')
    filled = sheet_xml(HEADER + row_xml(2, text_xml("A2", "x")) + hidden + last, source)
    path = package(
        tmp_path / "in.xlsx",
        filled,
        sheets='<sheet name="Data" sheetId="1" r:id="rId1"/><sheet name="Blank" sheetId="2" r:id="rId2"/>',
        relations=f'<Relationship Id="rId2" Type="{OFFICE}/worksheet" Target="worksheets/sheet2.xml"/>',
        more={"xl/worksheets/sheet2.xml": sheet_xml(row_xml(1, '<c r="A1"/>'), source)},
    )
    assert cells_of(path) == [("x", None)]


def test_escaped_characters_are_decoded_as_excel_does(tmp_path: Path) -> None:
    assert one_cell(tmp_path, text_xml("B2", "a_x000D_b")) == "a\rb"
    strings = "<si><t>_x005F_x000D_</t></si>"
    assert one_cell(tmp_path, '<c r="B2" t="s"><v>0</v></c>', strings=strings) == "_x000D_"


def test_rich_text_is_joined_and_furigana_left_out(tmp_path: Path) -> None:
    strings = "<si><r><rPr><b/></rPr><t>Mül</t></r><r><t xml:space='preserve'>ler </t></r><rPh><t>x</t></rPh></si>"
    assert one_cell(tmp_path, '<c r="B2" t="s"><v>0</v></c>', strings=strings) == "Müller "


def test_spaces_around_text_are_kept_only_where_the_file_asks_for_it(tmp_path: Path) -> None:
    strings = "<si><t> a </t></si><si><t xml:space='preserve'> a </t></si><si><r><t>a </t></r><r><t> b</t></r></si>"
    values = [one_cell(tmp_path, f'<c r="B2" t="s"><v>{n}</v></c>', strings=strings) for n in range(3)]
    assert values == ["a", " a ", "ab"]
    assert one_cell(tmp_path, '<c r="B2" t="inlineStr"><is><t> a </t></is></c>') == "a"
    assert one_cell(tmp_path, '<c r="B2" t="inlineStr"><is><t>  </t></is></c>') is None


STYLES = (
    '<numFmts><numFmt numFmtId="170" formatCode="[h]:mm"/><numFmt numFmtId="171" formatCode="yyyy\\-mm\\-dd;@"/>'
    '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="20"/><xf numFmtId="170"/>'
    '<xf numFmtId="171"/><xf numFmtId="22"/><xf numFmtId="31"/></cellXfs>'
)


@pytest.mark.parametrize(
    ("style", "serial", "code"),
    [
        (2, "0.5", "duration"),
        (2, "45000.5", "duration"),
        (3, "1.25", "duration"),
        (1, "60", "date-too-early"),
        (1, "0.5", "date-too-early"),
        (1, "-1", "date-too-early"),
        (1, "2958466", "date-too-late"),
        (5, "45000.123456789", "time-too-fine"),
        (6, "45000", "regional-format"),
        (0, "4111111111111111", "too-many-digits"),
        (0, "1e300", "too-many-digits"),
    ],
)
def test_numbers_that_need_a_guess_are_refused(tmp_path: Path, style: int, serial: str, code: str) -> None:
    assert code_of(one_cell(tmp_path, f'<c r="B2" s="{style}"><v>{serial}</v></c>', styles=STYLES)) == code


@pytest.mark.parametrize(
    ("style", "serial", "since_1904", "moment"),
    [
        (1, "61", "0", datetime(1900, 3, 1)),
        (4, "45000", "0", datetime(2023, 3, 15)),
        (5, "46296.38371527778", "0", datetime(2026, 10, 1, 9, 12, 33)),
        (1, "1", "1", datetime(1904, 1, 2)),
        (1, "43538.25", "1", datetime(2023, 3, 15, 6)),
    ],
)
def test_dates_are_rebuilt_in_both_date_systems(
    tmp_path: Path, style: int, serial: str, since_1904: str, moment: datetime
) -> None:
    workbook = f'<workbookPr date1904="{since_1904}"/>'
    cell = f'<c r="B2" s="{style}"><v>{serial}</v></c>'
    assert one_cell(tmp_path, cell, styles=STYLES, workbook=workbook) == moment


def test_iso_dates_are_read(tmp_path: Path) -> None:
    assert one_cell(tmp_path, '<c r="B2" t="d"><v>2026-10-01T09:30:00</v></c>') == datetime(2026, 10, 1, 9, 30)


def test_merged_cells_over_data_are_refused_and_over_titles_are_not(tmp_path: Path) -> None:
    rows = (
        row_xml(1, text_xml("A1", "Title"))
        + row_xml(2, text_xml("A2", "Id"), text_xml("B2", "V"))
        + row_xml(3, text_xml("A3", "x"), text_xml("B3", "1"))
        + row_xml(4, text_xml("B4", "2"))
    )
    merges = '<mergeCells count="2"><mergeCell ref="A1:B1"/><mergeCell ref="A3:A4"/></mergeCells>'
    first, second = cells_of(package(tmp_path / "in.xlsx", sheet_xml(rows, merges)), header_row=2)
    assert first == ("x", "1")
    assert code_of(second[0]) == "merged-cell"
    assert "merged with A3" in second[0].message  # type: ignore[union-attr]
    assert second[1] == "2"


def test_a_cell_on_which_the_readers_differ_is_refused(tmp_path: Path) -> None:
    # A backslash within quotation marks is itself in Excel's grammar; calamine takes it for an escape.
    styles = (
        '<numFmts><numFmt numFmtId="170" formatCode="&quot;\\&quot;d"/></numFmts>'
        '<cellXfs><xf numFmtId="170"/></cellXfs>'
    )
    assert code_of(one_cell(tmp_path, '<c r="B2" s="0"><v>45000</v></c>', styles=styles)) == "readers-differ"


# Odd but readable files


def test_no_row_is_lost_to_a_wrong_dimension_or_to_disorder(tmp_path: Path) -> None:
    rows = row_xml(4, text_xml("A4", "d")) + HEADER + row_xml(3, text_xml("A3", "c")) + row_xml(2, text_xml("A2", "b"))
    xml = sheet_xml(rows).replace("<sheetData>", '<dimension ref="A1:B2"/><sheetData>')
    path = package(tmp_path / "in.xlsx", xml)
    assert rows_of(path) == [SourceRow(n, (letter, None)) for n, letter in ((2, "b"), (3, "c"), (4, "d"))]


def test_rows_and_cells_without_numbers_are_counted(tmp_path: Path) -> None:
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    rows = f"<row>{cell.format('Id')}{cell.format('V')}</row><row>{cell.format('a')}<c/><c/></row><row/>"
    path = package(tmp_path / "in.xlsx", sheet_xml(rows + f"<row>{cell.format('b')}</row>"))
    assert rows_of(path) == [SourceRow(2, ("a", None)), SourceRow(4, ("b", None))]


def test_prefixed_xml_is_read(tmp_path: Path) -> None:
    xml = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v></x:c></x:row>'
        '<x:row r="2"><x:c r="A2"><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    path = package(tmp_path / "in.xlsx", xml, strings="<si><t>Id</t></si>")
    assert cells_of(path) == [(Number(Decimal(7)),)]


def test_a_formatted_column_of_a_million_blank_rows_costs_nothing(tmp_path: Path) -> None:
    blank = "".join(f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(3, 1_048_577, 50))
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(2, text_xml("A2", "x")) + blank))
    started = time.monotonic()
    assert rows_of(path) == [SourceRow(2, ("x", None))]
    assert notes_of(path) == ()
    assert time.monotonic() - started < 5


def test_values_far_below_the_table_are_not_lost_silently(tmp_path: Path) -> None:
    near, far = row_xml(1001, text_xml("A1001", "y")), row_xml(1003, text_xml("A1003", "y"))
    assert len(rows_of(package(tmp_path / "in.xlsx", sheet_xml(HEADER + near)))) == 1
    assert "values in row 1,003" in fault_of(package(tmp_path / "in.xlsx", sheet_xml(HEADER + far)))


def test_external_links_are_told(tmp_path: Path) -> None:
    relation = f'<Relationship Id="rId5" Type="{OFFICE}/externalLink" Target="externalLinks/externalLink1.xml"/>'
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER), relations=relation)
    assert notes_of(path) == ("The workbook takes values from other workbooks; the values last stored were used.",)


def test_a_workbook_with_macros_is_read_without_them(tmp_path: Path) -> None:
    assert cells_of(package(tmp_path / "in.xlsm", sheet_xml(HEADER + row_xml(2, text_xml("A2", "x"))))) == [("x", None)]


# Files that are refused whole


def test_a_stray_cell_at_the_end_of_the_sheet_is_named(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(1048576, text_xml("XFD1048576", "x"))))
    assert "row 1,048,576 and out to column XFD" in fault_of(path)


def test_two_rows_with_one_number_are_refused(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(2, text_xml("A2", "x")) * 2))
    assert "in.xlsx!Data holds two rows with the number 2" in fault_of(path)


def test_a_cell_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(2, text_xml("A2", "x"), text_xml("A2", "y"))))
    assert "in.xlsx!Data!A2 stands in the file twice" in fault_of(path)


def test_a_bad_shared_string_is_named(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(2, '<c r="A2" t="s"><v>7</v></c>')))
    assert "in.xlsx!Data!A2 refers to a text" in fault_of(path)


def test_a_truncated_or_broken_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    whole = package(tmp_path / "in.xlsx", sheet_xml(HEADER)).read_bytes()
    (tmp_path / "cut.xlsx").write_bytes(whole[: len(whole) // 2])
    assert "cut.xlsx is cut off or damaged" in fault_of(tmp_path / "cut.xlsx")
    broken = package(tmp_path / "in.xlsx", sheet_xml(HEADER)[:-9])
    assert "in.xlsx is cut off or damaged" in fault_of(broken)
    assert "damaged" in fault_of(package(tmp_path / "in.xlsx", sheet_xml('<row r="1"><c r="A7"><v>1</v></c></row>')))


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]>' + sheet_xml(HEADER)
    assert "damaged" in fault_of(package(tmp_path / "in.xlsx", bomb))


def test_strict_open_xml_is_refused_and_named(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(""), namespace="http://purl.oclc.org/ooxml/spreadsheetml/main")
    assert "Strict Open XML" in fault_of(path)


def test_a_password_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le"))
    assert "protected by a password" in fault_of(path)


def test_other_documents_are_no_workbooks(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.xlsx", "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    assert "no workbook" in fault_of(tmp_path / "in.xlsx")
    (tmp_path / "in.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    assert "no workbook" in fault_of(tmp_path / "in.xls")


def test_a_workbook_under_another_kinds_name_is_refused(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xls", sheet_xml(HEADER))
    assert "is named .xls but is really a .xlsx file" in fault_of(path)


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER), more={"xl/media/a.bin": "0" * 3_000_000})
    assert "unpacks to 2 MB, more than the limit of 1 MB" in fault_of(path, max_size=1_048_576)
    with zipfile.ZipFile(tmp_path / "many.xlsx", "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}", "")
    assert "parts" in fault_of(tmp_path / "many.xlsx")


@pytest.mark.parametrize("name", ["xl/worksheets/sheet1.xml", "XL/Worksheets/SHEET1.xml"])
def test_two_parts_of_one_name_are_refused(tmp_path: Path, name: str) -> None:
    path = package(tmp_path / "in.xlsx", sheet_xml(HEADER + row_xml(2, text_xml("A2", "x"))))
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(name, sheet_xml(HEADER + row_xml(2, text_xml("A2", "other"))))
    assert "in.xlsx holds two parts of one name" in fault_of(path)


@pytest.mark.parametrize(
    "damage", ['<row r="' + "9" * 5000 + '"/>', '<row r="2"><c r="A2" s="99999"><v>1</v></c></row>']
)
def test_numbers_that_no_sheet_has_are_damage(tmp_path: Path, damage: str) -> None:
    assert "in.xlsx is cut off or damaged" in fault_of(package(tmp_path / "in.xlsx", sheet_xml(HEADER + damage)))


def test_an_encoding_that_nobody_knows_is_damage(tmp_path: Path) -> None:
    xml = '<?xml version="1.0" encoding="klingon"?>' + sheet_xml(HEADER)
    assert "in.xlsx is cut off or damaged" in fault_of(package(tmp_path / "in.xlsx", xml))


def test_a_blank_style_is_the_first(tmp_path: Path) -> None:
    assert one_cell(tmp_path, '<c r="B2" s=""><v>7</v></c>') == Number(Decimal(7))


def test_a_number_that_its_format_dresses_is_no_text(tmp_path: Path) -> None:
    styles = (
        '<numFmts><numFmt numFmtId="170" formatCode="&quot;INV-&quot;0000"/></numFmts>'
        '<cellXfs><xf numFmtId="170"/></cellXfs>'
    )
    cell = one_cell(tmp_path, '<c r="B2" s="0"><v>42</v></c>', styles=styles)
    assert cell == DressedNumber(Decimal(42))
    assert isinstance(as_text(cell, Reading()), Fault)
    assert as_number(cell, Reading()) == 42


def test_a_workbook_may_come_by_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id",), ("a",))
    with path.open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stream.read())))
    with opened(Path("-")) as source:
        assert [source.info.row_address(row.number) for row in source.rows()] == ["stdin!Payouts!2"]


# The child process


def test_a_child_that_is_killed_is_a_clear_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id", "V"), *[(f"r{n}", "x" * 50) for n in range(20_000)])
    process = WorkbookProcess(Request(str(path), "in.xlsx"))
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(BadInput, match=r"in\.xlsx could not be read: .*SIGKILL"):
        list(process.rows())
    process.close()


def test_a_child_that_runs_out_of_memory_is_a_clear_error(tmp_path: Path) -> None:
    program = (
        "import sys; from batchrun.io.excel_child import limit_memory; limit_memory(512 << 20); bytearray(1 << 30)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MemoryError" in ended.stderr


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id", "V"), *[(f"r{n}", "x" * 50) for n in range(20_000)])
    program = (
        "import sys; from batchrun.io.excel_process import WorkbookProcess; from batchrun.io.excel_protocol import "
        "Request; p = WorkbookProcess(Request(sys.argv[1], 'in.xlsx')); print(p._process.pid, flush=True); "
        "import os; os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    child = int(parent.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.02)
    assert not _runs(child)


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
        return Path(f"/proc/{process_id}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_closing_early_leaves_no_process_behind(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("Id", "V"), *[(f"r{n}", "x" * 50) for n in range(20_000)])
    with opened(path) as source:
        next(iter(source.rows()))
        child = source._process._process  # type: ignore[attr-defined]
    assert child.poll() is not None


def test_times_and_durations_written_by_python_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", ("T", "D"), (time_of_day(8, 30), timedelta(hours=30)))
    assert [code_of(cell) for cell in cells_of(path)[0]] == ["duration", "duration"]
