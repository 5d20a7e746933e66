"""The Problems sheet: one line a problem, or one sentence that there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchrun.io.workbook_body import SheetBody
from batchrun.io.workbook_cells import CellEncoders
from batchrun.io.workbook_content import WorkbookContent
from batchrun.io.workbook_style import MUTED, SOURCE_HEADER, Widths, at, font, head, put_text, set_page, set_widths
from batchrun.model import Problem

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

HEADER = ("row", "cell", "column", "path", "value", "code", "message")
_MESSAGE_WIDTH, _CHARACTERS_A_LINE = 84, 88
NONE_FOUND = "No problems were found in the sheet."


def spool_problems(
    content: WorkbookContent, cells: CellEncoders, folder: Path, limit: int, held: ExitStack
) -> tuple[list[SheetBody], Widths]:
    """Write all problems to sheet bodies, at most `limit` on each; no body where there is no problem."""
    widths = Widths(HEADER, {"message": _MESSAGE_WIDTH})
    bodies: list[SheetBody] = []
    for problem in content.problems():
        if not bodies or bodies[-1].rows == limit:
            bodies.append(held.enter_context(SheetBody(folder, len(HEADER))))
        values = _values(problem)
        widths.see(values)
        lines = -(-len(problem.message) // _CHARACTERS_A_LINE)
        bodies[-1].append([*(cells.any(value) for value in values[:-1]), cells.wrapped(problem.message)], lines)
    return bodies, widths


def _values(problem: Problem) -> Sequence[Any]:
    return (
        problem.row,
        problem.cell,
        problem.column,
        problem.path,
        problem.value,
        problem.code,
        problem.message,
    )


def dress_problems(body: SheetBody, widths: Widths, title: str) -> Callable[..., None]:
    """Give the function that makes a worksheet the frame of these problems."""

    def dress(sheet: Worksheet) -> None:
        for position, name in enumerate(HEADER, 1):
            head(at(sheet, 1, position), name, SOURCE_HEADER)
        sheet.row_dimensions[1].height = 22
        set_widths(sheet, widths.widths())
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = body.area
        set_page(sheet, title, across=1)
        sheet.print_title_rows = "1:1"

    return dress


def dress_no_problems(title: str) -> Callable[..., None]:
    """Give the function that says on a worksheet that there is no problem."""

    def dress(sheet: Worksheet) -> None:
        put_text(sheet["A1"], NONE_FOUND).font = font(size=11, colour=MUTED)
        sheet.column_dimensions["A"].width = 40
        set_page(sheet, title, across=1)

    return dress
