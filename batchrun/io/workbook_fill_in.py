"""Prepares the cells that a reviewer fills in: shaded, text as it is typed, and a drop-down of decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from batchrun.io.workbook_body import ranges
from batchrun.io.workbook_content import WorkbookContent
from batchrun.io.workbook_style import FILL_IN, RULE, font
from batchrun.model import State

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

DECISIONS = ("approve", "reject")
_OVERRIDE = "_override."
_MOST_RANGES = 1_000  # beyond it one drop-down serves the whole column, so that the file stays quick to open


def prepare_fill_in(
    sheet: Worksheet, letters: Mapping[str, str], waiting: Sequence[int], last: int, content: WorkbookContent
) -> None:
    """Prepare the review's columns, and of the lines down to `last` those that are `waiting`.

    `letters` are all columns' by their headers.
    """
    names = list(letters)
    for name in names[names.index("_decision") : names.index("_reviewer") + 1]:
        _set_blank_cells(sheet, letters[name], as_text=_is_text(name, content))
    if waiting:
        _shade(sheet, letters, last)
        _offer_decisions(sheet, letters["_decision"], waiting, last)


def _is_text(name: str, content: WorkbookContent) -> bool:
    return not name.startswith(_OVERRIDE) or name.removeprefix(_OVERRIDE) in content.typed_overrides


def _set_blank_cells(sheet: Worksheet, column: str, *, as_text: bool) -> None:
    if as_text:
        # As typed: 00123 must not become 123, nor 1-2 a date, on its way to the API.
        sheet.column_dimensions[column].number_format = "@"
    sheet.column_dimensions[column].font = font()


def _shade(sheet: Worksheet, letters: Mapping[str, str], last: int) -> None:
    from openpyxl.formatting.rule import Rule
    from openpyxl.styles import Border, PatternFill, Side
    from openpyxl.styles.differential import DifferentialStyle

    line = Side("thin", color=RULE)
    look = DifferentialStyle(
        fill=PatternFill(bgColor=FILL_IN, fill_type="solid"),
        border=Border(left=line, right=line, top=line, bottom=line),
    )
    waits = f'${letters["_status"]}2="{State.AWAITING_REVIEW.value}"'
    rule = Rule(type="expression", formula=[waits], dxf=look)
    sheet.conditional_formatting.add(f"{letters['_decision']}2:{letters['_reviewer']}{last}", rule)


def _offer_decisions(sheet: Worksheet, column: str, waiting: Sequence[int], last: int) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    runs = ranges(waiting)
    if len(runs) > _MOST_RANGES:
        runs = [(2, last)]
    choice = DataValidation(
        type="list",
        formula1=f'"{",".join(DECISIONS)}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle="Decision",
        error="Please choose approve or reject, or leave it blank.",
        sqref=" ".join(f"{column}{start}:{column}{end}" for start, end in runs),
    )
    sheet.add_data_validation(choice)
