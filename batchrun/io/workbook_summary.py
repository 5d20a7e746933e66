"""The Summary sheet: what ran, what became of it, and whether it adds up, on one page to forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from batchrun.core.proofs import SUM
from batchrun.io.workbook_cells import plain_number
from batchrun.io.workbook_charts import add_charts
from batchrun.io.workbook_style import BAD, GOOD, INK, MUTED, RULE, TINTS, at, font, put_text, set_page, set_widths
from batchrun.model import ControlTotal, Proof, ProofLine, State, Summary, column_letters

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

ADDS_UP, DOES_NOT = "adds up", "DOES NOT ADD UP"
UNREADABLE = "amounts that could not be read"
_LEFT_COLUMNS = 6  # facts need this much room beside their label; tables may take more
_NARROWEST, _WIDEST = 16.0, 34.0
_LINE = 15.0
_FACT_CHARACTERS = 70


class Area(NamedTuple):
    """Where the state table stands: its first and last row of states, and the sheet's left block's last column."""

    first: int
    last: int
    width: int


def dress_summary(summary: Summary) -> Callable[..., None]:
    """Give the function that writes the summary on a worksheet."""

    def dress(sheet: Worksheet) -> None:
        width = max(_LEFT_COLUMNS, 3 + len(summary.totals))
        wide = [_width_of(total) for total in summary.totals]
        set_widths(sheet, [22, 11, 11, *wide, *[_NARROWEST] * (width - 3 - len(wide)), 3])
        sheet.sheet_view.showGridLines = False
        write_title(sheet, summary.title)
        row = write_facts(sheet, 3, summary.facts, width)
        area, row = _write_states(sheet, row + 1, summary, width)
        row = _write_proof(sheet, row + 1, summary.proof)
        row = _write_seconds(sheet, row + 1, summary)
        row = write_notes(sheet, row + 1, summary.notes, width)
        row = max(row, add_charts(sheet, summary, area))
        set_page(sheet, summary.title, across=1)
        sheet.print_area = f"A1:{column_letters(width + 10)}{row}"
        sheet.print_options.horizontalCentered = True

    return dress


def _width_of(total: ControlTotal) -> float:
    return min(max(_NARROWEST, len(total.column) + 3.0), _WIDEST)


def shown_states(summary: Summary) -> list[State]:
    """List the states that occur, in the order of the table and its chart."""
    counted = {state for state, count in summary.counts.items() if count}
    summed = {state for total in summary.totals for state in total.by_state}
    return [state for state in TINTS if state in counted | summed]


def write_title(sheet: Worksheet, title: str) -> None:
    """Write the sheet's title into its first row."""
    put_text(sheet["A1"], title).font = font(size=18, bold=True, colour=INK)
    sheet.row_dimensions[1].height = 28


def write_facts(sheet: Worksheet, row: int, facts: Sequence[tuple[str, str]], width: int) -> int:
    """Write pairs of a label and a value from a row on, up to the column `width`; answer the next free row."""
    from openpyxl.styles import Alignment

    for label, value in facts:
        put_text(at(sheet, row, 1), label).font = font(colour=MUTED)
        at(sheet, row, 1).alignment = Alignment(vertical="top")
        cell = put_text(at(sheet, row, 2), value)
        cell.font, cell.alignment = font(colour=INK), Alignment(vertical="top", wrap_text=True)
        sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=width)
        sheet.row_dimensions[row].height = _LINE * _lines(value, _FACT_CHARACTERS)
        row += 1
    return row


def _write_states(sheet: Worksheet, row: int, summary: Summary, width: int) -> tuple[Area, int]:
    head_table(sheet, row, ["State", "Rows", "Share", *(total.column for total in summary.totals)])
    states = shown_states(summary)
    for offset, state in enumerate(states, 1):
        _write_state(sheet, row + offset, state, summary)
    return Area(row + 1, row + len(states), width), row + len(states) + 1


def _write_state(sheet: Worksheet, row: int, state: State, summary: Summary) -> None:
    from openpyxl.styles import PatternFill

    tint = TINTS[state]
    cell = put_text(at(sheet, row, 1), state.value)
    cell.font, cell.fill = font(colour=tint.ink, bold=True), PatternFill("solid", fgColor=tint.fill)
    count = summary.counts.get(state, 0)
    _write_count(at(sheet, row, 2), count)
    _write_share(at(sheet, row, 3), count, summary.rows)
    for column, total in enumerate(summary.totals, 4):
        _write_amount(at(sheet, row, column), total.by_state.get(state, Decimal(0)), total)
    rule_below(sheet, row, 3 + len(summary.totals))


def _write_proof(sheet: Worksheet, row: int, proof: Proof | None) -> int:
    """Hold what became of the rows against what was read, line by line; answer the next free row."""
    if proof is None:
        return row
    head_table(sheet, row, ["Proof", "Rows", "", *(total.column for total in proof.totals)])
    for line in proof.lines:
        row += 1
        _write_line(sheet, row, line, proof.totals, bold=line.label == SUM)
    if proof.totals:
        row += 1
        _write_unreadable(sheet, row, proof.unreadable)
    _write_verdicts(sheet, row + 1, proof.verdicts)
    return row + 2


def _write_line(
    sheet: Worksheet, row: int, line: ProofLine, totals: Sequence[ControlTotal], *, bold: bool = False
) -> None:
    put_text(at(sheet, row, 1), line.label).font = font(bold=bold)
    _write_count(at(sheet, row, 2), line.rows).font = font(bold=bold)
    for column, (amount, total) in enumerate(zip(line.amounts, totals, strict=True), 4):
        _write_amount(at(sheet, row, column), amount, total).font = font(bold=bold)
    rule_below(sheet, row, 3 + len(totals))


def _write_unreadable(sheet: Worksheet, row: int, counts: Sequence[int]) -> None:
    put_text(at(sheet, row, 1), UNREADABLE)
    for column, count in enumerate(counts, 4):
        _write_count(at(sheet, row, column), count)
    rule_below(sheet, row, 3 + len(counts))


def _write_verdicts(sheet: Worksheet, row: int, verdicts: Sequence[bool]) -> None:
    from openpyxl.styles import Alignment

    put_text(at(sheet, row, 1), "Check").font = font(bold=True, colour=INK)
    for column, good in zip((2, *range(4, 3 + len(verdicts))), verdicts, strict=True):
        cell = put_text(at(sheet, row, column), ADDS_UP if good else DOES_NOT)
        cell.font = font(bold=True, colour=GOOD if good else BAD)
        cell.alignment = Alignment(horizontal="right")


def _write_seconds(sheet: Worksheet, row: int, summary: Summary) -> int:
    if not summary.seconds:
        return row
    head_table(sheet, row, ["Time to end", *summary.seconds])
    put_text(at(sheet, row + 1, 1), "seconds")
    for column, seconds in enumerate(summary.seconds.values(), 2):
        cell = at(sheet, row + 1, column)
        cell.value, cell.number_format = round(seconds, 3), "#,##0.00"
    rule_below(sheet, row + 1, 1 + len(summary.seconds))
    return row + 2


def write_notes(sheet: Worksheet, row: int, notes: Sequence[str], width: int) -> int:
    """Write sentences from a row on, up to the column `width`; answer the next free row."""
    from openpyxl.styles import Alignment

    if not notes:
        return row
    put_text(at(sheet, row, 1), "Notes").font = font(bold=True, colour=INK)
    for note in notes:
        row += 1
        cell = put_text(at(sheet, row, 1), f"• {note}")
        cell.font, cell.alignment = font(colour=INK), Alignment(vertical="top", wrap_text=True)
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=width)
        sheet.row_dimensions[row].height = _LINE * _lines(note, _FACT_CHARACTERS + 18)
    return row + 1


def head_table(sheet: Worksheet, row: int, names: Sequence[str]) -> None:
    """Write the head of a table: the first column to the left, the others to the right."""
    from openpyxl.styles import Alignment, Border, Side

    for column, name in enumerate(names, 1):
        cell = put_text(at(sheet, row, column), name)
        cell.font, cell.border = font(bold=True, colour=INK), Border(bottom=Side("medium", color=INK))
        cell.alignment = Alignment(horizontal="left" if column == 1 else "right")


def rule_below(sheet: Worksheet, row: int, columns: int) -> None:
    """Draw a thin line below the first columns of a row."""
    from openpyxl.styles import Border, Side

    for column in range(1, columns + 1):
        at(sheet, row, column).border = Border(bottom=Side("thin", color=RULE))


def _write_count(cell: Cell, count: int) -> Cell:
    cell.value, cell.number_format = count, "#,##0"
    return cell


def _write_share(cell: Cell, count: int, rows: int) -> None:
    cell.value, cell.number_format = (count / rows if rows else 0), "0.0%"


def _write_amount(cell: Cell, amount: Decimal, total: ControlTotal) -> Cell:
    from openpyxl.styles import Alignment

    if plain_number(amount) is None:
        put_text(cell, f"{amount:,f}").alignment = Alignment(horizontal="right")
        return cell
    cell.value = amount
    cell.number_format = "#,##0" + ("." + "0" * total.decimals if total.decimals else "")
    return cell


def _lines(text: str, characters: int) -> int:
    return sum(max(1, -(-len(line) // characters)) for line in text.split("\n"))
