"""Workbooks to be marked: one that openpyxl makes, with all that must survive, and one written by hand, oddly."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule, DataBarRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from batchrun.model import Problem, SheetInfo

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEADER = ("Invoice No", "Vendor", "Amount", "Due")
LAST = 13


def rich_book(path: Path, rows: int = LAST - 3) -> Path:
    """Write a workbook with a title, header in row 3, and everything beside the table that openpyxl can write."""
    book = Workbook()
    sheet: Any = book.worksheets[0]
    sheet.title = "Pay, outs"
    sheet.merge_cells("A1:F1")
    sheet["A1"] = "Payouts of October"
    sheet["A1"].font = Font(bold=True, size=16)
    for column, name in enumerate(HEADER, 1):
        sheet.cell(3, column, name).font = Font(bold=True)
    for number in range(4, 4 + rows):
        for column, value in enumerate((f"{number:05d}", f"Vendor {number}", 10.5, datetime(2026, 10, 1)), 1):
            sheet.cell(number, column, value)
        sheet.cell(number, 1).number_format, sheet.cell(number, 3).number_format = "@", "#,##0.00"
    sheet["C6"].fill = PatternFill("solid", fgColor="FFFF00")
    sheet["C6"].comment, sheet["B9"].comment = Comment("mine", "Ann"), Comment("other", "Bob")
    _adorn(book, sheet)
    book.save(path)
    return path


def _adorn(book: Workbook, sheet: Any) -> None:
    sheet.add_table(Table(displayName="Pay", ref=f"A3:D{LAST}"))
    sheet.freeze_panes = "B4"
    sheet.conditional_formatting.add("C4:C13", CellIsRule("greaterThan", ["30"], fill=PatternFill("solid")))
    sheet.conditional_formatting.add("C4:C13", DataBarRule("min", 0, "max", 50, "638EC6"))
    choice = DataValidation(type="list", formula1='"x,y"')
    choice.add("B4:B13")
    sheet.add_data_validation(choice)
    sheet.protection.sheet = True
    book.defined_names["Total"] = DefinedName("Total", attr_text="'Pay, outs'!$C$4:$C$13")
    other: Any = book.create_sheet("Chart")
    other.append([1])
    other["A1"].comment = Comment("elsewhere", "Ann")
    for place, source in ((other, other), (sheet, sheet)):
        chart: Any = BarChart()
        chart.add_data(Reference(source, min_col=1, min_row=1, max_row=1))
        place.add_chart(chart, "K3")


ODD_SHEET = f"""<?xml version="1.0"?><x:worksheet xmlns:x="{MAIN}" xmlns:r="{OFFICE}"><x:dimension ref="A1"/>\
<x:cols><x:col min="1" max="2" width="9"/><x:col min="3" max="16384" width="1" hidden="1" style="1"/></x:cols>\
<x:sheetData><x:row><x:c t="inlineStr"><x:is><x:t>Key</x:t></x:is></x:c><x:c t="inlineStr"><x:is><x:t>Amount</x:t>\
</x:is></x:c></x:row><x:row spans="1:2" s="1" customFormat="1"><x:c t="inlineStr"><x:is><x:t>K1 &gt; &#13;</x:t>\
</x:is></x:c><!-- <row> --></x:row><x:row r="4"><x:c r="B4"><x:v>7</x:v></x:c><x:c r="E4" s="1"/></x:row><x:row r="7"/>\
</x:sheetData><x:mergeCells count="1"><x:mergeCell ref="C4:D5"/></x:mergeCells>\
<x:pageMargins left="1" right="1" top="1" bottom="1" \
header="1" footer="1"/><x:extLst><x:ext uri="u"/></x:extLst></x:worksheet>"""
ODD_STYLES = f"""<?xml version="1.0"?><x:styleSheet xmlns:x="{MAIN}"><x:fonts count="1"><x:font/></x:fonts>\
<x:fills count="3"><x:fill><x:patternFill patternType="none"/></x:fill><x:fill><x:patternFill patternType="gray125"/>\
</x:fill><x:fill><x:patternFill patternType="solid"><x:fgColor theme="4" tint="0.5"/></x:patternFill></x:fill>\
</x:fills><x:borders count="1"><x:border/></x:borders><x:cellStyleXfs count="1"><x:xf/></x:cellStyleXfs>\
<x:cellXfs count="2"><x:xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>\
<x:xf numFmtId="49" fontId="0" fillId='2' borderId="0" \
xfId="0" applyFill='1'><x:alignment wrapText="1"/></x:xf></x:cellXfs><x:cellStyles count="1">\
<x:cellStyle name="Normal" xfId="0" builtinId="0"/></x:cellStyles></x:styleSheet>"""
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
MACRO_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"


def odd_book(path: Path, more: dict[str, bytes] | None = None, *, main: str = f"{SHEET_TYPE}.sheet.main+xml") -> Path:
    """Write a workbook with prefixes, without cell references, and with hidden columns to the sheet's end."""
    types = {"xl/workbook.xml": main, "xl/worksheets/sheet1.xml": f"{SHEET_TYPE}.worksheet+xml"}
    types["xl/styles.xml"] = f"{SHEET_TYPE}.styles+xml"
    overrides = "".join(f'<Override PartName="/{part}" ContentType="{kind}"/>' for part, kind in types.items())
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType='
        '"application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        f'relationships+xml"/>{overrides}</Types>',
        "_rels/.rels": _relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(
            ("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml")
        ),
        "xl/worksheets/sheet1.xml": ODD_SHEET,
        "xl/styles.xml": ODD_STYLES,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            if name not in (more or {}):
                archive.writestr(name, text)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def _relations(*found: tuple[str, str, str]) -> str:
    every = "".join(f'<Relationship Id="{one}" Type="{OFFICE}/{kind}" Target="{to}"/>' for one, kind, to in found)
    return f'<Relationships xmlns="{PACKAGE}/relationships">{every}</Relationships>'


def problem(info: SheetInfo, row: int, *columns: int, message: str = "not a number") -> Problem:
    """Make a problem of some cells of a row, or of the whole row."""
    cell = ", ".join(info.cell_address(row, column) for column in columns) or info.row_address(row)
    names = ", ".join(info.header[column] for column in columns) or None
    return Problem(row, cell, names, None, None, "code", message)


def parts(path: Path) -> dict[str, bytes]:
    """Give every part of a package."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
