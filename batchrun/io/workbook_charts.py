"""The Summary's two charts: rows by state, and completions over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from batchrun.io.workbook_cells import DATE_TIME
from batchrun.io.workbook_style import INK, MUTED, RULE, TINTS, at, font, put_text
from batchrun.model import State, Summary, column_letters

if TYPE_CHECKING:
    from openpyxl.chart import BarChart, ScatterChart
    from openpyxl.worksheet.worksheet import Worksheet

_WIDTH, _HEIGHT = 15.5, 8.6  # centimetres
_ROWS_A_CHART = 17
_MARKS = 7
_DAY, _EPOCH_DAY = 86_400, 25_569  # Excel's number of 1970-01-01
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)


class Place(Protocol):
    """Where the state table stands."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def width(self) -> int: ...


def add_charts(sheet: Worksheet, summary: Summary, table: Place) -> int:
    """Put the charts right of the tables; answer the last row that they reach."""
    anchor, row = column_letters(table.width + 1), 3
    if table.last >= table.first:
        states = [State(str(at(sheet, number, 1).value)) for number in range(table.first, table.last + 1)]
        sheet.add_chart(_states_chart(sheet, table, states), f"{anchor}{row}")
        row += _ROWS_A_CHART
    if len(summary.completions) > 1:
        first = table.width + 14
        _write_completions(sheet, summary.completions, first)
        sheet.add_chart(_completions_chart(sheet, first, summary.completions), f"{anchor}{row}")
        row += _ROWS_A_CHART
    return row


def _states_chart(sheet: Worksheet, table: Place, states: Sequence[State]) -> BarChart:
    from openpyxl.chart import BarChart, Reference
    from openpyxl.chart.label import DataLabelList
    from openpyxl.chart.marker import DataPoint

    chart = BarChart()
    chart.type = "bar"
    chart.gapWidth = 45
    chart.add_data(Reference(sheet, min_col=2, min_row=table.first, max_row=table.last), titles_from_data=False)
    chart.set_categories(Reference(sheet, min_col=1, min_row=table.first, max_row=table.last))
    series = chart.series[0]
    for index, state in enumerate(states):
        point = DataPoint(idx=index)
        point.graphicalProperties.solidFill = TINTS[state].bar
        point.graphicalProperties.line.noFill = True
        series.dPt.append(point)
    series.dLbls = DataLabelList(
        showVal=True, showSerName=False, showCatName=False, showLegendKey=False, showPercent=False, numFmt="#,##0"
    )
    finish_chart(chart, "Rows by state", "State", "Rows")
    chart.x_axis.scaling.orientation = "maxMin"  # the table's order, from the top
    chart.y_axis.crosses = "max"  # which would else put the counts at the top
    return chart


def _completions_chart(sheet: Worksheet, first: int, completions: Sequence[tuple[datetime, int]]) -> ScatterChart:
    from openpyxl.chart import Reference, ScatterChart, Series

    chart, last = ScatterChart(style=13, scatterStyle="lineMarker"), 3 + len(completions)
    series = Series(
        Reference(sheet, min_col=first + 1, min_row=4, max_row=last),
        Reference(sheet, min_col=first, min_row=4, max_row=last),
    )
    series.marker.symbol, series.smooth = "none", False
    series.graphicalProperties.line.solidFill = TINTS[State.COMPLETED].bar
    series.graphicalProperties.line.width = 28_575  # EMU: 2.25 pt
    chart.series.append(series)
    finish_chart(chart, "Rows ended over time", "Time (UTC)", "Rows ended")
    axis: Any = chart.x_axis
    start, end = completions[0][0].timestamp(), completions[-1][0].timestamp()
    step, shown = _time_step(end - start)
    axis.majorGridlines, axis.number_format, axis.majorUnit = None, shown, step / _DAY
    axis.scaling.min, axis.scaling.max = _serial(start // step * step), _serial(end)
    return chart


def _time_step(span: float) -> tuple[int, str]:
    """Give the seconds between two marks of a time axis, and the format of their labels."""
    step = next((step for step in _STEPS if span / step <= _MARKS), _DAY * -(-int(span) // (_DAY * _MARKS)))
    if step < 60:
        return step, "hh:mm:ss"
    return step, "hh:mm" if span < _DAY else "d mmm hh:mm"


def _serial(timestamp: float) -> float:
    return timestamp / _DAY + _EPOCH_DAY


def finish_chart(chart: Any, title: str, across: str, up: str) -> None:
    """Give a chart its title, the titles of its axes and the looks of the house; it has no legend."""
    chart.title, chart.legend = _words(title, 1300, bold=True), None
    chart.width, chart.height = _WIDTH, _HEIGHT
    for axis, words in ((chart.x_axis, across), (chart.y_axis, up)):
        axis.title = _words(words, 900)
        axis.delete = False  # openpyxl 3.1 hides axes unless told
        axis.txPr = _text_look(900)
        axis.graphicalProperties = _line(RULE)
    chart.y_axis.majorGridlines.spPr = _line("E4E7EB")
    chart.y_axis.number_format, chart.y_axis.scaling.min = "#,##0", 0
    chart.graphical_properties = _line(RULE)


def _words(text: str, size: int, *, bold: bool = False) -> Any:
    from openpyxl.chart.text import RichText, Text
    from openpyxl.chart.title import Title
    from openpyxl.drawing.text import Paragraph, ParagraphProperties, RegularTextRun

    look = _character(size, INK if bold else MUTED, bold=bold)
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=look), r=[RegularTextRun(rPr=look, t=text)])
    return Title(tx=Text(rich=RichText(p=[paragraph])), overlay=False)


def _text_look(size: int) -> Any:
    from openpyxl.chart.text import RichText
    from openpyxl.drawing.text import Paragraph, ParagraphProperties, RichTextProperties

    look = _character(size, MUTED)
    return RichText(
        bodyPr=RichTextProperties(rot=0), p=[Paragraph(pPr=ParagraphProperties(defRPr=look), endParaRPr=look)]
    )


def _character(size: int, colour: str, *, bold: bool = False) -> Any:
    from openpyxl.drawing.text import CharacterProperties, Font

    return CharacterProperties(sz=size, b=bold, solidFill=colour, latin=Font(typeface="Arial"))


def _line(colour: str) -> Any:
    from openpyxl.chart.shapes import GraphicalProperties
    from openpyxl.drawing.line import LineProperties

    return GraphicalProperties(ln=LineProperties(solidFill=colour, w=9_525))


def _write_completions(sheet: Worksheet, completions: Sequence[tuple[datetime, int]], first: int) -> None:
    """Write the chart's data beyond the printed area: times, and rows ended by then."""
    put_text(at(sheet, 2, first), "Data of the chart “Rows ended over time”").font = font(colour=MUTED, italic=True)
    for offset, name in enumerate(("Time (UTC)", "Rows ended")):
        put_text(at(sheet, 3, first + offset), name).font = font(colour=MUTED, bold=True)
        sheet.column_dimensions[column_letters(first - 1 + offset)].width = 20
    for row, (moment, ended) in enumerate(completions, 4):
        shown = ((_serial(moment.timestamp()), DATE_TIME), (ended, "#,##0"))
        for column, (value, looks) in enumerate(shown, first):
            cell = at(sheet, row, column)
            cell.value, cell.number_format, cell.font = value, looks, font(colour=MUTED)
