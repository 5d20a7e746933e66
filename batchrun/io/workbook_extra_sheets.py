"""Takes along the sheets that people added to a results workbook: values, formulas, looks and widths."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from batchrun.io.excel_package import open_package
from batchrun.io.temporary_copy import TemporaryCopy
from batchrun.io.workbook_opening import opened_workbook, plain_damage

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

_BLANK_SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>'
_LOOKS = ("font", "fill", "border", "alignment", "number_format", "protection")
_WHOLE = ("sheet_format", "page_margins", "page_setup", "print_options", "protection", "auto_filter")
_COLUMN = ("width", "hidden", "outlineLevel", "collapsed", "min", "max")
_ROW = ("height", "hidden", "outlineLevel", "collapsed")


class ExtraSheet(NamedTuple):
    """A sheet that somebody added, as openpyxl reads it: once with its formulas, once with what they showed."""

    title: str
    sheet: Worksheet
    shown: Worksheet


class Move(NamedTuple):
    """How formulas come along: `moved` gives the new one or None, `left` is told the cell of one that cannot."""

    moved: Callable[[str, str], str | None]
    left: Callable[[str], None]


def read_extra_sheets(path: Path, name: str, titles: Collection[str]) -> tuple[ExtraSheet, ...]:
    """Read the sheets of these titles, and no other: the others may be long, and openpyxl reads whole workbooks."""
    if not titles:
        return ()
    with TemporaryCopy("sheets", ".xlsx") as thinned:
        with plain_damage(name):
            _thin(path, name, titles, thinned.path)
        with (
            opened_workbook(thinned.path, name, read_only=False, data_only=False, rich_text=True) as told,
            opened_workbook(thinned.path, name, read_only=False) as shown,
        ):
            sheets = {sheet.title: sheet for sheet in told.worksheets}
            return tuple(ExtraSheet(title, sheets[title], shown[title]) for title in titles if title in sheets)


def _thin(path: Path, name: str, titles: Collection[str], thinned: Path) -> None:
    """Write a copy of a workbook in which the other sheets are blank."""
    package = open_package(path, name)
    others = {sheet.path for sheet in package.sheets if sheet.path and sheet.name not in titles}
    passed = {f"{part.rpartition('/')[0]}/_rels/{part.rpartition('/')[2]}.rels" for part in others}
    with package.archive, zipfile.ZipFile(thinned, "w", zipfile.ZIP_DEFLATED) as target:
        for part in package.archive.namelist():
            if part not in passed:
                target.writestr(part, _BLANK_SHEET if part in others else package.archive.read(part))


def dress_extra(extra: ExtraSheet, move: Move) -> Callable[..., None]:
    """Give the function that makes a worksheet what the extra one was."""

    def dress(sheet: Worksheet) -> None:
        for line in extra.sheet.iter_rows():
            for cell in line:
                _copy_cell(cell, sheet, extra, move)
        for area in extra.sheet.merged_cells.ranges:
            sheet.merge_cells(str(area))
        _copy_dimensions(extra.sheet, sheet)
        _copy_whole(extra.sheet, sheet)
        _copy_rules(extra, sheet, move)

    return dress


def _copy_cell(cell: Any, sheet: Worksheet, extra: ExtraSheet, move: Move) -> None:
    if cell.value is None and not cell.has_style and not getattr(cell, "comment", None):
        return
    target: Any = sheet.cell(cell.row, cell.column)
    if cell.has_style:
        for look in _LOOKS:
            setattr(target, look, copy(getattr(cell, look)))
    if cell.value is not None and cell.data_type is not None:
        # The kind after the value: what looks like a formula or an error may be meant as text.
        target.value, kind = _value(cell, extra, move)
        target.data_type = kind
        target.number_format = cell.number_format
    if getattr(cell, "hyperlink", None):
        target.hyperlink = copy(cell.hyperlink)
    if getattr(cell, "comment", None):
        target.comment = copy(cell.comment)


def _value(cell: Any, extra: ExtraSheet, move: Move) -> tuple[Any, str]:
    from openpyxl.worksheet.formula import ArrayFormula

    if cell.data_type != "f":
        return cell.value, cell.data_type
    array = cell.value if isinstance(cell.value, ArrayFormula) else None
    text = str(array.text if array is not None else cell.value)
    moved = move.moved(text.removeprefix("="), extra.title)
    if moved is not None:
        return f"={moved}" if array is None else ArrayFormula(array.ref, f"={moved}"), "f"
    move.left(f"{extra.title}!{cell.coordinate}")
    shown: Any = extra.shown[cell.coordinate]
    return (text, "s") if shown.value is None else (shown.value, shown.data_type)


def _copy_dimensions(source: Worksheet, target: Worksheet) -> None:
    for letters, column in source.column_dimensions.items():
        for name in _COLUMN:
            setattr(target.column_dimensions[letters], name, getattr(column, name))
        if column.has_style:
            for look in _LOOKS[:5]:
                setattr(target.column_dimensions[letters], look, copy(getattr(column, look)))
    for number, row in source.row_dimensions.items():
        for name in _ROW:
            setattr(target.row_dimensions[number], name, getattr(row, name))


def _copy_whole(source: Any, target: Any) -> None:
    for name in _WHOLE:
        setattr(target, name, copy(getattr(source, name)))
    target.sheet_properties.tabColor = copy(source.sheet_properties.tabColor)
    target.sheet_properties.outlinePr = copy(source.sheet_properties.outlinePr)
    target.sheet_state = source.sheet_state
    target.freeze_panes = source.freeze_panes
    target.sheet_view.showGridLines = source.sheet_view.showGridLines
    target.sheet_view.zoomScale = source.sheet_view.zoomScale
    target.print_title_rows, target.print_title_cols = source.print_title_rows, source.print_title_cols


def _copy_rules(extra: ExtraSheet, target: Any, move: Move) -> None:
    """Copy conditional formats, drop-downs and tables."""
    source: Any = extra.sheet
    for area in source.conditional_formatting:
        for rule in area.rules:
            target.conditional_formatting.add(str(area.sqref), copy(rule))
    for choice in source.data_validations.dataValidation:
        moved = copy(choice)
        for name in ("formula1", "formula2"):
            text = getattr(choice, name)
            if text:
                setattr(moved, name, move.moved(text, extra.title) or text)
        target.add_data_validation(moved)
    for table in source.tables.values():
        target.add_table(table)  # the very one: openpyxl cannot copy it


def name_areas(workbook: Workbook, names: Mapping[str, str]) -> None:
    """Give a workbook the names that somebody defined for areas and values."""
    from openpyxl.workbook.defined_name import DefinedName

    for name, text in names.items():
        workbook.defined_names[name] = DefinedName(name, attr_text=text)
