"""Read one sheet of a workbook with the readers that its kind has; runs in the child process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from python_calamine import CalamineSheet, SheetTypeEnum, SheetVisibleEnum

from batchrun.errors import BadInput
from batchrun.io.excel_blemishes import Blemishes
from batchrun.io.excel_calamine import numbered_rows, open_workbook, plain_faults, second_reading
from batchrun.io.excel_choice import SheetEntry, choose_sheet
from batchrun.io.excel_opendocument import opendocument_blemishes
from batchrun.io.excel_package import Package, open_package, workbook_kind
from batchrun.io.excel_parts import number_formats, shared_strings
from batchrun.io.excel_protocol import Request, SheetFacts
from batchrun.io.excel_records import xls_blemishes, xlsb_blemishes
from batchrun.io.excel_refusals import Refusals, merged_cells
from batchrun.io.excel_rows import CellRules, Row, read_by_calamine, read_once, read_twice
from batchrun.io.excel_sheet import stored_rows
from batchrun.io.excel_survey import Survey, has_values, survey_sheet
from batchrun.model import column_letters

_MOST_CELLS = 40_000_000  # calamine keeps the whole rectangle from A1 to the last cell


def read_workbook(request: Request) -> tuple[SheetFacts, Iterator[Row]]:
    """Give what is known of the chosen sheet, and its rows by number; raise BadInput and DamagedXmlError."""
    path = Path(request.path)
    kind = workbook_kind(path, request.name, request.max_size)
    return _read_xlsx(path, request) if kind == "xlsx" else _read_other(path, request, kind)


def _read_xlsx(path: Path, request: Request) -> tuple[SheetFacts, Iterator[Row]]:
    package = open_package(path, request.name)
    chosen = choose_sheet(
        package.sheets, request.sheet, request.name, lambda sheet: has_values(package.archive.open(sheet.path))
    )
    place = f"{request.name}!{chosen.name}"
    with package.archive.open(chosen.path) as stream:
        survey = survey_sheet(stream, place)
    _refuse_far_cells(survey.last_row, survey.last_column, place)
    facts = SheetFacts(chosen.name, survey.hidden, tuple(_link_notes(package)))
    return facts, _xlsx_rows(path, request, package, chosen, survey)


def _xlsx_rows(path: Path, request: Request, package: Package, chosen: SheetEntry, survey: Survey) -> Iterator[Row]:
    place, strings = f"{request.name}!{chosen.name}", shared_strings(package)
    rules = CellRules(number_formats(package), package.since_1904, package.computed_on_opening)
    refusals, width = Refusals(merged_cells(survey.merged)), survey.last_column + 1
    with package.archive.open(chosen.path) as stream:
        rows = stored_rows(stream, place, strings, in_order=survey.in_order)
        if not request.double_read:
            yield from read_once(rows, rules, refusals, width)
            return
        try:
            second = second_reading(path, request.name, chosen.name, chosen.path)
        except BadInput:
            for _ in rows:  # the first reader may know which cell it is
                pass
            raise
        yield from read_twice(rows, numbered_rows(second), rules, refusals, width)


def _link_notes(package: Package) -> Iterator[str]:
    if package.external_links:
        yield "The workbook takes values from other workbooks; the values last stored were used."


def _refuse_far_cells(last_row: int, last_column: int, place: str) -> None:
    if last_row * (last_column + 1) > _MOST_CELLS:
        raise BadInput(
            f"{place} reaches down to row {last_row:,} and out to column {column_letters(last_column)}, too far for "
            "one table; find the stray cell there (Ctrl+End in Excel), delete its row and its column, and save."
        )


def _read_other(path: Path, request: Request, kind: str) -> tuple[SheetFacts, Iterator[Row]]:
    workbook = open_workbook(path, request.name)
    sheets = [
        SheetEntry(sheet.name, sheet.visible == SheetVisibleEnum.Visible, has_rows=sheet.typ == SheetTypeEnum.WorkSheet)
        for sheet in workbook.sheets_metadata
    ]
    with plain_faults(request.name):
        chosen = choose_sheet(
            sheets, request.sheet, request.name, lambda sheet: workbook.get_sheet_by_name(sheet.name).height > 0
        )
        sheet = workbook.get_sheet_by_name(chosen.name)
    blemishes = _blemishes(path, request.name, kind, sheet)
    rows = _calamine_rows(sheet, request.name, blemishes, dates_by_format=kind != "ods")
    return SheetFacts(chosen.name, blemishes.hidden), rows


def _calamine_rows(sheet: CalamineSheet, name: str, blemishes: Blemishes, *, dates_by_format: bool) -> Iterator[Row]:
    areas = [(top + 1, left, bottom + 1, right) for (top, left), (bottom, right) in sheet.merged_cell_ranges or []]
    refusals = Refusals([*merged_cells(areas), *blemishes.refused])
    with plain_faults(name):
        rows = numbered_rows(sheet)
        yield from read_by_calamine(rows, refusals, blemishes.formats, dates_by_format=dates_by_format)


def _blemishes(path: Path, name: str, kind: str, sheet: CalamineSheet) -> Blemishes:
    if kind == "ods":
        return opendocument_blemishes(path, sheet.name, numbered_rows(sheet))
    return xls_blemishes(path, sheet.name, name) if kind == "xls" else xlsb_blemishes(path, sheet.name)
