"""The Summary of a comparison: what was compared, how the sums stand, and how they went month by month."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from batchrun.core.comparing import Comparison, Move
from batchrun.io.workbook_cells import plain_number
from batchrun.io.workbook_charts import finish_chart
from batchrun.io.workbook_style import BAD, INK, TINTS, at, font, put_text, set_page, set_widths
from batchrun.io.workbook_summary import head_table, rule_below, write_facts, write_notes, write_title
from batchrun.model import State, column_letters

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.chart import BarChart
    from openpyxl.worksheet.worksheet import Worksheet

_WIDTH = 5  # columns of the left block, at least
_ROWS_A_CHART = 18
_MOST_CHARTS, _MOST_MONTHS = 4, 36
_THIS = "this sheet"
PERCENT = "+#,##0.0%;-#,##0.0%;0.0%"


class Month(NamedTuple):
    """What was completed in one month, or under one set of params: in how many batches and rows, and the sums."""

    label: str
    batches: int
    rows: int
    amounts: Mapping[str, Decimal]


class Content(Protocol):
    """What the Summary is made of; see `ComparisonContent`."""

    @property
    def title(self) -> str: ...
    @property
    def facts(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def comparison(self) -> Comparison: ...
    @property
    def threshold(self) -> Decimal: ...
    @property
    def label(self) -> str: ...
    @property
    def months(self) -> tuple[Month, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


def dress_summary(content: Content) -> Callable[..., None]:
    """Give the function that writes the summary on a worksheet."""

    def dress(sheet: Worksheet) -> None:
        found = content.comparison
        width = max(_WIDTH, 3 + 2 * len(found.decimals))
        set_widths(sheet, [22, 15.0, 15.0, *[21.0] * (width - 3), 3])
        sheet.sheet_view.showGridLines = False
        write_title(sheet, content.title)
        row = write_facts(sheet, 3, content.facts, width)
        row = _write_totals(sheet, row + 1, content)
        row = _write_counts(sheet, row + 1, found)
        row, charts = _write_months(sheet, row + 1, content, width)
        row = write_notes(sheet, row + 1, content.notes, width)
        set_page(sheet, content.title, across=1)
        sheet.print_area = f"A1:{column_letters(width + 10)}{max(row, charts)}"
        sheet.print_options.horizontalCentered = True

    return dress


def _write_totals(sheet: Worksheet, row: int, content: Content) -> int:
    found = content.comparison
    if not found.totals:
        return row
    head_table(sheet, row, ["Control total", "Then", "Now", "Difference", "Percent"])
    for line, move in enumerate(found.totals, row + 1):
        put_text(at(sheet, line, 1), move.column).font = font(bold=True)
        for column, amount in enumerate((move.old, move.new, move.difference), 2):
            _write_amount(at(sheet, line, column), amount, found.decimals[move.column])
        _write_percent(at(sheet, line, 5), move, moved=move.is_beyond(content.threshold))
        rule_below(sheet, line, 5)
    return row + len(found.totals) + 1


def _write_counts(sheet: Worksheet, row: int, found: Comparison) -> int:
    counts = {"In both": len(found.same), "New": len(found.new), "Missing": len(found.missing)}
    counts |= {"Fields changed": len(found.changed), "Amounts moved": len(found.moved)}
    head_table(sheet, row, ["Keys", "Number"])
    for line, (name, count) in enumerate(counts.items(), row + 1):
        put_text(at(sheet, line, 1), name)
        _write_count(at(sheet, line, 2), count)
        rule_below(sheet, line, 2)
    return row + len(counts) + 1


def _write_months(sheet: Worksheet, row: int, content: Content, width: int) -> tuple[int, int]:
    """Write what was completed month by month and what the sheet holds; answer the next free row, and the charts'."""
    columns = list(content.comparison.decimals)
    months = list(content.months[-_MOST_MONTHS:])
    if not any(month.label == content.label for month in months):
        months.append(Month(content.label, 0, 0, {}))
    heads = [name for column in columns for name in (f"{column}, completed", f"{column}, {_THIS}")]
    head_table(sheet, row, ["Month", "Batches", "Rows completed", *heads])
    for number, month in enumerate(months, row + 1):
        _write_month(sheet, number, month, content)
    place = range(row + 1, row + 1 + len(months))
    for at_chart, column in enumerate(columns[:_MOST_CHARTS]):
        chart = _chart(sheet, place, 4 + 2 * at_chart, column)
        sheet.add_chart(chart, f"{column_letters(width + 1)}{3 + at_chart * _ROWS_A_CHART}")
    return place.stop, 3 + _ROWS_A_CHART * min(len(columns), _MOST_CHARTS)


def _write_month(sheet: Worksheet, row: int, month: Month, content: Content) -> None:
    found = content.comparison
    put_text(at(sheet, row, 1), month.label)
    _write_count(at(sheet, row, 2), month.batches)
    _write_count(at(sheet, row, 3), month.rows)
    now = {move.column: move.new for move in found.totals} if month.label == content.label else {}
    for place, (column, decimals) in enumerate(found.decimals.items()):
        for offset, amounts in enumerate((month.amounts, now)):
            if column in amounts:
                _write_amount(at(sheet, row, 4 + 2 * place + offset), amounts[column], decimals)
    rule_below(sheet, row, 3 + 2 * len(found.decimals))


def _chart(sheet: Worksheet, months: Sequence[int], column: int, name: str) -> BarChart:
    from openpyxl.chart import BarChart, Reference
    from openpyxl.chart.legend import Legend

    chart = BarChart()
    chart.type, chart.gapWidth, chart.overlap = "col", 60, 0
    first, last = months[0], months[-1]
    # With the heads of the table as the names of the series.
    for place, colour in ((column, TINTS[State.COMPLETED].bar), (column + 1, TINTS[State.RUNNING].bar)):
        chart.add_data(Reference(sheet, min_col=place, min_row=first - 1, max_row=last), titles_from_data=True)
        chart.series[-1].graphicalProperties.solidFill = colour
    chart.set_categories(Reference(sheet, min_col=1, min_row=first, max_row=last))
    finish_chart(chart, f"{name} by month", "Month", name)
    chart.legend = Legend()
    chart.legend.position = "b"
    return chart


def _write_count(cell: Cell, count: int) -> None:
    cell.value, cell.number_format = count, "#,##0"


def _write_amount(cell: Cell, amount: Decimal, decimals: int) -> None:
    from openpyxl.styles import Alignment

    if plain_number(amount) is None:
        put_text(cell, f"{amount:,f}").alignment = Alignment(horizontal="right")
        return
    cell.value = amount
    cell.number_format = "#,##0" + ("." + "0" * decimals if decimals else "")


def _write_percent(cell: Cell, move: Move, *, moved: bool) -> None:
    from openpyxl.styles import Alignment

    share = None if move.percent is None else round(move.percent / 100, 6)
    if share is not None and plain_number(share) is not None:
        cell.value, cell.number_format = share, PERCENT
    else:
        put_text(cell, "new" if move.new and share is None else "")
    cell.font = font(bold=moved, colour=BAD if moved else INK)
    cell.alignment = Alignment(horizontal="right")
