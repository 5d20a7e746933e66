"""The Doubts sheet of the workbook: what to look for in the dashboard, and what somebody found, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from batchrun.errors import BadDecisions, NotFound
from batchrun.io.settlements import Settlement
from batchrun.io.workbook_name import batch_in
from batchrun.io.workbook_opening import opened_workbook
from batchrun.io.workbook_style import (
    FILL_IN,
    FILL_IN_HEADER,
    INK,
    SOURCE_HEADER,
    at,
    font,
    head,
    put_text,
    set_page,
    set_widths,
)
from batchrun.model import Doubt

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

TITLE = "Doubts"
TOLD = ("row", "key", "amount", "sent after (UTC)", "sent before (UTC)", "what to look for")
ROW, RUN_ID, NOT_RUN, CHECKED_BY = "row", "run id", "not run", "checked by"
FILLED_IN = (RUN_ID, NOT_RUN, CHECKED_BY)
_HELP = {
    RUN_ID: "The id of the run that the dashboard shows for this row. It is proved before it counts.",
    NOT_RUN: "yes, when you are sure that there is no such run: the row can then be sent again.",
    CHECKED_BY: "Your name.",
}
_WIDTHS = (8, 22, 16, 25, 25, 60, 34, 11, 18)
_YES, _NO = ("yes", "y", "true", "x", "1"), ("", "no", "n", "false", "0")


class DoubtTyped(NamedTuple):
    """What somebody typed about one row in doubt, as text; blank where nothing was."""

    run_id: str
    not_run: str
    checked_by: str


def dress_doubts(doubts: Sequence[Doubt], title: str) -> Callable[..., None]:
    """Give the function that writes the doubts on a worksheet, with the cells to fill in."""

    def dress(sheet: Worksheet) -> None:
        for column, name in enumerate((*TOLD, *FILLED_IN), 1):
            filled_in = name in FILLED_IN
            head(at(sheet, 1, column), name, FILL_IN_HEADER if filled_in else SOURCE_HEADER, _HELP.get(name, ""))
        for row, doubt in enumerate(doubts, 2):
            _write(sheet, row, doubt)
        set_widths(sheet, _WIDTHS)
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:I{len(doubts) + 1}"
        _offer_yes(sheet, len(doubts) + 1)
        set_page(sheet, title, across=1)
        sheet.print_title_rows = "1:1"

    return dress


def _write(sheet: Worksheet, row: int, doubt: Doubt) -> None:
    from openpyxl.styles import Alignment, PatternFill

    told: tuple[Any, ...] = (doubt.row, doubt.key, doubt.amount, doubt.sent_after, doubt.sent_before, doubt.look_for)
    for column, value in enumerate(told, 1):
        cell = at(sheet, row, column)
        if isinstance(value, datetime):
            cell.value = value.astimezone(UTC).replace(tzinfo=None)
            cell.number_format = "yyyy-mm-dd hh:mm:ss.000"
        elif isinstance(value, str):
            put_text(cell, value)
        else:
            cell.value = value
        cell.font = font(colour=INK)
        cell.alignment = Alignment(horizontal="left", vertical="top", indent=1, wrap_text=column == len(told))
    for column, typed in enumerate((doubt.run_id, doubt.not_run, doubt.checked_by), len(told) + 1):
        cell = at(sheet, row, column)
        if typed:
            put_text(cell, typed)
        cell.fill = PatternFill("solid", fgColor=FILL_IN)
        cell.number_format = "@"  # what is typed stays as it is typed


def _offer_yes(sheet: Worksheet, last: int) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    choice = DataValidation(type="list", formula1='"yes"', allow_blank=True, sqref=f"H2:H{max(last, 2)}")
    sheet.add_data_validation(choice)


def read_doubts(path: Path, batch: str) -> list[Settlement]:
    """Read what was filled in on the Doubts sheet of a batch's workbook; raise BadDecisions with every faulty cell."""
    if not path.exists():
        raise NotFound(f"there is no workbook at {path}; write it with: batchrun report {batch}")
    with opened_workbook(path) as workbook:
        return _read(workbook, path.name, batch)


def typed_doubts(workbook: Workbook) -> dict[int, DoubtTyped]:
    """Give what stands in the cells to fill in, by row number; lines without a row number, or blank ones, left out."""
    if TITLE not in workbook.sheetnames:
        return {}
    typed: dict[int, DoubtTyped] = {}
    for _, values in _table(workbook)[1]:
        row = values.get(ROW, "")
        found = DoubtTyped(values.get(RUN_ID, ""), values.get(NOT_RUN, ""), values.get(CHECKED_BY, ""))
        if any(found) and row.isascii() and row.isdigit():
            typed[int(row)] = found
    return typed


def _read(workbook: Workbook, name: str, batch: str) -> list[Settlement]:
    if TITLE not in workbook.sheetnames:
        raise NotFound(f"{name} has no sheet {TITLE}; write it again with: batchrun report {batch}")
    if batch_in(workbook) != batch:
        raise BadDecisions([f"{name} is the workbook of another batch than {batch}"])
    header, lines = _table(workbook)
    if not {ROW, RUN_ID, NOT_RUN} <= set(header):
        raise BadDecisions([f"{name}!{TITLE}: the first line must keep its columns {ROW}, {RUN_ID} and {NOT_RUN}"])
    faults: list[str] = []
    found = list(_settlements(lines, f"{name}!{TITLE}", faults))
    if faults:
        raise BadDecisions(faults)
    if not found:
        raise BadDecisions([f"{name}!{TITLE}: nothing is filled in; write a run id, or yes under {NOT_RUN}"])
    return found


def _table(workbook: Workbook) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Give the header, and each line below it with its number: the text under each header, blank for none."""
    sheet: Any = workbook[TITLE]
    sheet.reset_dimensions()  # some programs state them wrongly, and cells beyond them would not be read
    lines = sheet.iter_rows(values_only=True)
    header = [_shown(cell).lower() for cell in next(lines, ())]
    blank = dict.fromkeys(header, "")
    texts = ({**blank, **dict(zip(header, map(_shown, cells), strict=False))} for cells in lines)
    return header, enumerate(texts, 2)


def _shown(cell: Any) -> str:
    return str(cell if cell is not None else "").strip()


def _settlements(lines: Iterator[tuple[int, dict[str, str]]], where: str, faults: list[str]) -> Iterator[Settlement]:
    for number, values in lines:
        run_id, not_run = values[RUN_ID], values[NOT_RUN].lower()
        if not run_id and not_run in _NO:
            continue
        fault = _fault(values[ROW], run_id, not_run)
        if fault is not None:
            faults.append(f"{where}!{number}: {fault}")
            continue
        yield Settlement(int(values[ROW]), run_id or None, f"{where}!{number}", values.get(CHECKED_BY) or None)


def _fault(row: str, run_id: str, not_run: str) -> str | None:
    if not (row.isascii() and row.isdigit()):
        return f'the row number "{row}" was changed'
    if run_id and not_run not in _NO:
        return "there is a run id, and it says not run; only one of them can be"
    return None if run_id or not_run in _YES else f'under "{NOT_RUN}" write yes, or leave it empty'
