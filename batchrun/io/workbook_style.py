"""The looks that all sheets share: colours, number formats, widths and the printed page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from batchrun.io.workbook_cells import BOOLEAN, DATE, DATE_TIME, TEXT, WRAPPED
from batchrun.io.workbook_text import escaped, number_text, safe_text
from batchrun.model import Number, State, Unreadable

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell.cell import Cell
    from openpyxl.styles import Alignment, Font
    from openpyxl.worksheet.worksheet import Worksheet


class Tint(NamedTuple):
    """A state's colours: behind its word, of its word, and of its bar in the chart."""

    fill: str
    ink: str
    bar: str


TINTS: dict[State, Tint] = {
    State.COMPLETED: Tint("DDF1E4", "17643A", "3E9C62"),
    State.AWAITING_REVIEW: Tint("FFF0C7", "7A5600", "E3AE2B"),
    State.RUNNING: Tint("DCE8FB", "1D4E9E", "4C82D3"),
    State.PENDING: Tint("E3EFFA", "2B5F8F", "7DB0DD"),
    State.SENDING: Tint("E3EFFA", "2B5F8F", "9CC3E6"),
    State.READY: Tint("EEF3F8", "44607A", "BBD0E3"),
    State.IN_DOUBT: Tint("F1DFF6", "73248C", "9B4DB5"),
    State.REFUSED: Tint("FDE5D3", "96430A", "E0803A"),
    State.FAILED: Tint("FBDEDB", "A01C14", "CC4740"),
    State.CANCELLED: Tint("E6E8EC", "414B59", "7C8796"),
    State.DUPLICATE: Tint("ECEBE8", "5B564C", "A8A296"),
    State.INVALID: Tint("F3E1DC", "7C3A28", "A9654F"),
}
"""In the order in which sheets list them: what went well, what is open, what needs somebody, what was not sent."""

INK, MUTED, RULE = "1F2933", "616E7C", "CBD2D9"
SOURCE_HEADER, OWN_HEADER, FILL_IN_HEADER = "323F4B", "486581", "9A6B00"
FILL_IN, GOOD, BAD = "FFF9E3", "17643A", "A01C14"
_WIDEST = 42


class Styles:
    """The workbook's cell styles, by look; each is added the first time it is asked for."""

    def __init__(self, workbook: Workbook) -> None:
        self._sheet = workbook.worksheets[0]
        self._known: dict[str, int] = {}

    def number(self, look: str) -> int:
        """Give the number by which cells name the style of this look."""
        known = self._known.get(look)
        if known is None:
            known = self._known[look] = self._add(look)
        return known

    def _add(self, look: str) -> int:
        from openpyxl.cell.cell import WriteOnlyCell

        cell: Any = WriteOnlyCell(self._sheet)
        cell.font, cell.alignment = font(), _alignment(look)
        if look not in {TEXT, WRAPPED}:
            cell.number_format = look
        style: int = cell.style_id
        return style


def _alignment(look: str) -> Alignment:
    from openpyxl.styles import Alignment

    if look == BOOLEAN:
        return Alignment(horizontal="center", vertical="top")
    if look in {TEXT, WRAPPED, DATE, DATE_TIME} or not look.strip("0"):
        # Read from the left, and kept off a number in the column before. Zeros only: an identifier, not a quantity.
        return Alignment(horizontal="left", vertical="top", indent=1, wrap_text=look == WRAPPED)
    return Alignment(horizontal="right", vertical="top")


def font(*, size: float = 10, bold: bool = False, italic: bool = False, colour: str = INK) -> Font:
    """Give the one font of the workbook: every system has Arial, or Liberation Sans with the same widths."""
    from openpyxl.styles import Font

    return Font(name="Arial", size=size, bold=bold, italic=italic, color=colour)


class Widths:
    """Column widths from what the first rows show, so that a long sheet is not read twice."""

    def __init__(self, header: Sequence[str], widest: Mapping[str, int] | None = None, sample: int = 500) -> None:
        self._found = [len(name) + 3 for name in header]  # room for the filter's button
        self._widest = [(widest or {}).get(name, _WIDEST) for name in header]
        self._left = sample

    def see(self, values: Sequence[Any]) -> None:
        """Take one more row into account."""
        if self._left:
            self._left -= 1
            self._found = [max(width, shown_length(value)) for width, value in zip(self._found, values, strict=True)]

    def widths(self) -> list[float]:
        """Give each column's width in characters."""
        return [min(max(_room(seen), 8.0), widest) for seen, widest in zip(self._found, self._widest, strict=True)]


def _room(characters: int) -> float:
    # Widths count digits. Identifiers are as wide; the letters of a sentence are narrower.
    return 2.5 + 1.05 * min(characters, 24) + 0.8 * max(characters - 24, 0)


def shown_length(value: Any) -> int:
    """Give the characters that a cell's value takes, roughly."""
    if value is None or isinstance(value, float):
        return 0 if value is None else 8
    if isinstance(value, datetime):
        return 19 if value.time() != datetime.min.time() else 10
    if isinstance(value, Number):
        return len(number_text(value)) + 3  # separators
    text = value.shown if isinstance(value, Unreadable) else str(value)
    return max(map(len, text[:500].split("\n")))


def set_widths(sheet: Worksheet, widths: Sequence[float]) -> None:
    """Set the widths of columns from A on."""
    from openpyxl.utils import get_column_letter

    for position, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(position)].width = width


def at(sheet: Worksheet, row: int, column: int) -> Cell:
    """Give a cell that can be written: any but the covered ones of a merged area."""
    return cast("Cell", sheet.cell(row, column))


def put_text(cell: Cell, text: str) -> Cell:
    """Write text as text into a cell: never a formula, an error or a date."""
    cell.value = escaped(safe_text(text))
    cell.data_type = "s"
    return cell


def head(cell: Cell, name: str, colour: str, comment: str = "") -> None:
    """Write a column's header."""
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Border, PatternFill, Side

    put_text(cell, name)
    cell.font = font(bold=True, colour="FFFFFF")
    cell.fill = PatternFill("solid", fgColor=colour)
    cell.alignment = Alignment(horizontal="left", vertical="center", indent=1)
    cell.border = Border(right=Side("thin", color="FFFFFF"))
    if comment:
        cell.comment = Comment(comment, "batchrun", height=40 + 18 * (len(comment) // 34), width=240)


def set_page(sheet: Worksheet, title: str, *, across: int | None, scale: int | None = None) -> None:
    """Lay out the printed page: A4 landscape, `across` pages wide or at `scale` percent, numbered, titled."""
    from openpyxl.worksheet.properties import PageSetupProperties

    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.pageOrder = "overThenDown"
    if across is not None:
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = across, 0
    elif scale is not None:
        sheet.page_setup.scale = scale
    margins = sheet.page_margins
    margins.left = margins.right = 0.45
    margins.top, margins.bottom, margins.header, margins.footer = 0.75, 0.6, 0.35, 0.3
    _set_running_text(sheet, title)


def _set_running_text(sheet: Worksheet, title: str) -> None:
    # A stated size ends in a space, so that a title that begins with a digit is not read as one; "&" is a command.
    page: Any = sheet
    for part, text in (
        (page.oddHeader.left, safe_text(title)[:100].replace("&", "&&")),
        (page.oddHeader.right, "&A"),
        (page.oddFooter.left, "batchrun"),
        (page.oddFooter.right, "Page &P of &N"),
    ):
        part.text, part.size, part.color = text, 8, MUTED


def tint_states(sheet: Worksheet, area: str) -> None:
    """Colour the words of states in `area`: one conditional format a state."""
    from openpyxl.formatting.rule import Rule
    from openpyxl.styles import Font, PatternFill
    from openpyxl.styles.differential import DifferentialStyle

    for priority, (state, tint) in enumerate(TINTS.items(), 1):
        look = DifferentialStyle(font=Font(color=tint.ink), fill=PatternFill(bgColor=tint.fill, fill_type="solid"))
        rule = Rule(type="cellIs", operator="equal", formula=[f'"{state.value}"'], dxf=look, priority=priority)
        sheet.conditional_formatting.add(area, rule)
