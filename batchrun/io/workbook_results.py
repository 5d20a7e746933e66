"""The Results sheets: the source's columns as they were, then what became of each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from batchrun.io.workbook_body import SheetBody
from batchrun.io.workbook_cells import CellEncoders, Encoder
from batchrun.io.workbook_content import WorkbookContent
from batchrun.io.workbook_fill_in import prepare_fill_in
from batchrun.io.workbook_style import (
    FILL_IN_HEADER,
    OWN_HEADER,
    SOURCE_HEADER,
    Widths,
    at,
    head,
    set_page,
    set_widths,
    tint_states,
)
from batchrun.io.workbook_taken import Taken, results_title
from batchrun.model import ResultRow, State, column_letters

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

_WIDEST = {"_next": 76, "_error": 60, "_review_data": 60, "_decision_status": 76}
_ROOM = {"_decision": 14.0, "_rejection_reason": 30.0, "_reviewer": 20.0}  # blank at first; an answer must fit
_PAGE = 133.0  # characters across A4 landscape at 100 %


class Column(NamedTuple):
    """One column: its header, how its values are written, and what its header's comment says."""

    name: str
    encode: Encoder
    comment: str = ""
    colour: str = OWN_HEADER


@dataclass(slots=True)
class ResultsSheet:
    """One sheet's rows, and what its looks depend on."""

    title: str
    body: SheetBody
    waiting: list[int] = field(default_factory=list)
    reviewed: bool = False


def columns(content: WorkbookContent, cells: CellEncoders) -> list[Column]:
    """List the columns of a Results sheet, in order."""
    return [
        *source_columns(content, cells),
        Column("_row", cells.any, "The row's number in the source sheet."),
        Column("_status", cells.text, "The row's state. The Summary sheet counts them."),
        Column("_next", cells.text, "What this state means, and what to do."),
        Column("_run_id", cells.text, "The run that this row became."),
        *(
            Column(f"_output.{name}", cells.any, f"The field {name} of the run's output.")
            for name in content.output_fields
        ),
        Column("_error", cells.text, "What went wrong, in the API's own words where it said so."),
        Column("_attempts", cells.any, "How often this row was sent. 0: never."),
        Column("_sent_at", cells.moment, "When the request was sent. Times are in UTC."),
        Column("_finished_at", cells.moment, "When the run ended. Times are in UTC."),
        Column("_seconds", cells.seconds, "From sending to the end of the run, in seconds."),
        Column("_review_title", cells.text, "What the procedure asks a reviewer."),
        Column("_review_data", cells.text, "What the reviewer should look at."),
        *_fill_in_columns(content, cells),
        Column("_decision_status", cells.text, "What became of the decision that was filled in."),
    ]


def source_columns(content: WorkbookContent, cells: CellEncoders) -> list[Column]:
    """List the source's own columns; amounts are shown with their decimals."""
    amounts = {name: cells.amount(content.decimals.get(name, 2)) for name in content.amounts}
    return [Column(name, amounts.get(name, cells.any), "", SOURCE_HEADER) for name in content.header]


def _fill_in_columns(content: WorkbookContent, cells: CellEncoders) -> Iterator[Column]:
    told = "Fill in on the shaded rows, then run: batchrun review WORKBOOK"
    yield Column("_decision", cells.text, f"approve or reject. {told}", FILL_IN_HEADER)
    yield Column("_rejection_reason", cells.text, "Why, where the decision is reject.", FILL_IN_HEADER)
    for name in content.override_fields:
        yield Column(f"_override.{name}", cells.any, f"Another value for {name}, or blank to keep it.", FILL_IN_HEADER)
    yield Column("_reviewer", cells.text, "Who decided.", FILL_IN_HEADER)


def row_values(row: ResultRow, content: WorkbookContent) -> list[Any]:
    """List a row's values, one for each of `columns`."""
    return [
        *source_cells(row, len(content.header)),
        row.number,
        row.state.value,
        row.next_step,
        row.run_id or "",
        *(row.output.get(name) for name in content.output_fields),
        row.error or "",
        row.attempts,
        row.sent_at,
        row.finished_at,
        row.seconds,
        row.review_title or "",
        row.review_data or "",
        row.decision or "",
        row.rejection_reason or "",
        *(row.overrides.get(name) for name in content.override_fields),
        row.reviewer or "",
        row.decision_status or "",
    ]


def source_cells(row: ResultRow, width: int) -> Sequence[Any]:
    """Give a row's source cells, as many as there are columns, though a faulty row may have fewer or more."""
    if len(row.cells) == width:
        return row.cells
    return (*row.cells, *(None,) * width)[:width]


def spool_results(
    content: WorkbookContent, plan: Sequence[Column], taken: Taken, folder: Path, limit: int, held: ExitStack
) -> tuple[list[ResultsSheet], dict[str, float]]:
    """Write all rows to sheet bodies, at most `limit` on each, and give the width that each column asks for.

    What is `taken` along stands beside each row. `held` closes the bodies.
    """
    encoders = [column.encode for column in plan]
    widths = Widths([column.name for column in plan], _WIDEST)
    sheets: list[ResultsSheet] = []
    for row in content.rows():
        if not sheets or sheets[-1].body.rows == limit:
            sheets.append(_next_sheet(sheets, folder, len(plan) + len(taken.columns), held))
        values = row_values(row, content)
        widths.see(values)
        cells = [encode(value) for encode, value in zip(encoders, values, strict=True)]
        cells += taken.encoded(row.number, sheets[-1].title)
        _note_review(sheets[-1], row, sheets[-1].body.append(cells, hidden=taken.hidden(row.number)))
    sheets = sheets or [_next_sheet(sheets, folder, len(plan) + len(taken.columns), held)]
    return sheets, _widths(plan, widths)


def _next_sheet(sheets: Sequence[ResultsSheet], folder: Path, width: int, held: ExitStack) -> ResultsSheet:
    return ResultsSheet(results_title(len(sheets)), held.enter_context(SheetBody(folder, width)))


def _note_review(sheet: ResultsSheet, row: ResultRow, number: int) -> None:
    if row.state is State.AWAITING_REVIEW:
        sheet.waiting.append(number)
    if row.review_title is not None or row.decision is not None:
        sheet.reviewed = True


def dress_results(
    content: WorkbookContent, plan: Sequence[Column], taken: Taken, results: ResultsSheet, computed: Mapping[str, float]
) -> Callable[..., None]:
    """Give the function that makes a worksheet the frame of these rows; `computed` are the widths they ask for."""

    def dress(sheet: Worksheet) -> None:
        for position, column in enumerate(plan, 1):
            head(at(sheet, 1, position), column.name, column.colour, column.comment)
        sheet.row_dimensions[1].height = 22
        across = taken.widths(computed)
        set_widths(sheet, across)
        sheet.freeze_panes = "B2"
        sheet.auto_filter.ref = results.body.area
        letters = {column.name: column_letters(position) for position, column in enumerate(plan)}
        last = max(results.body.rows + 1, 2)
        tint_states(sheet, f"{letters['_status']}2:{letters['_status']}{last}")
        prepare_fill_in(sheet, letters, results.waiting, last, content)
        _prepare_print(sheet, plan, results, across, content.summary.title)
        taken.dress(sheet)

    return dress


def _widths(plan: Sequence[Column], widths: Widths) -> dict[str, float]:
    asked = zip(plan, widths.widths(), strict=True)
    return {column.name: _ROOM.get(column.name, width) for column, width in asked}


def _prepare_print(
    sheet: Worksheet, plan: Sequence[Column], results: ResultsSheet, widths: Sequence[float], title: str
) -> None:
    """Print the source with its state, then what happened, then the review, each with the first column again.

    Attempts and times are for the screen: with them the paper is too small to read.
    """
    from openpyxl.worksheet.pagebreak import Break, ColBreak

    names = [column.name for column in plan]
    blocks = [(0, names.index("_next")), (names.index("_next"), names.index("_attempts"))]
    areas = [(0, names.index("_attempts"))]
    if results.reviewed:
        areas.append((names.index("_review_title"), len(names)))
        blocks.append(areas[-1])
    last = results.body.rows + 1
    set_page(sheet, title, across=None, scale=_scale(widths, blocks))
    sheet.print_title_rows, sheet.print_title_cols = "1:1", "A:A"
    sheet.print_area = ",".join(f"{column_letters(start)}1:{column_letters(end - 1)}{last}" for start, end in areas)
    sheet.col_breaks = ColBreak()
    sheet.col_breaks.append(Break(id=names.index("_next")))


def _scale(widths: Sequence[float], blocks: Sequence[tuple[int, int]]) -> int:
    """Give the percentage at which the widest block still fits on a page, as far as it stays readable."""
    widest = max(sum(widths[start:end]) + (widths[0] if start else 0) for start, end in blocks)
    return round(100 * min(0.85, max(0.5, _PAGE / widest)))
