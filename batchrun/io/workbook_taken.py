"""Gives a new results workbook what people made of the last one: their columns, widths, filters and hidden lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from batchrun.io.workbook_cells import BOOLEAN, TEXT, CellEncoders
from batchrun.io.workbook_content import WorkbookContent
from batchrun.io.workbook_extra_sheets import Move
from batchrun.io.workbook_kept import ExtraColumn, Kept, KeptCell
from batchrun.io.workbook_references import NewPlaces, References
from batchrun.io.workbook_style import SOURCE_HEADER, at, head
from batchrun.io.workbook_text import safe_text
from batchrun.model import column_letters

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

THE_PERSONS = 0.0
"""Stands in place of a width that a person set: no width in a file is it, so that it stays the person's."""

_NARROWEST = 8.0


def results_title(part: int) -> str:
    """Name the Results sheets: `Results`, `Results 2`, ..."""
    return "Results" if part == 0 else f"Results {part + 1}"


class Taken:
    """What is taken along to the Results sheets of one workbook, with `names` for the columns of batchrun's own."""

    def __init__(self, content: WorkbookContent, names: Sequence[str], cells: CellEncoders, max_rows: int) -> None:
        self._kept = content.kept or Kept()
        self._names, self._cells = names, cells
        self._left: list[str] = []
        self.columns = [one for one in self._kept.columns if one.key[1] > 0 or one.key[0] not in names]
        self._places = {(name, 0): position for position, name in enumerate(names)}
        self._places.update({one.key: position for position, one in enumerate(self.columns, len(names))})
        rows = _new_rows(content, max_rows) if self._has_formulas() else {}
        last: dict[str, int] = {}
        for title, line in rows.values():
            last[title] = max(last.get(title, 1), line)
        new, fixed = NewPlaces(self._places, rows, last), [one.title for one in self._kept.sheets]
        plain = References(self._kept.tables, new, fixed)
        moved = {name: plain.moved(text, "") for name, text in self._kept.names.items()}
        self.defined_names = {name: text for name, text in moved.items() if text is not None}
        self._references = References(self._kept.tables, new, fixed, self.defined_names)

    def _has_formulas(self) -> bool:
        kept = self._kept
        stored = (cell.stored.formula for column in self.columns for cell in column.cells.values())
        return bool(kept.sheets or kept.names) or any(stored)

    @property
    def sheets(self) -> Move:
        """Give what the extra sheets' formulas are moved by."""
        return Move(self._references.moved, self._left.append)

    def notes(self) -> Iterator[str]:
        """Say of which formulas only what they showed was taken along."""
        if self._left:
            more = f" and {len(self._left) - 1:,} more cells" if len(self._left) > 1 else ""
            yield (
                f"{self._left[0]}{more}: what the formula refers to has moved, and not for certain where to, so that "
                "what it showed last stands there now"
            )

    def encoded(self, number: int, title: str) -> list[str]:
        """Give the XML of a row's cells in the columns that people added."""
        if not self.columns:
            return []
        found = ((column, column.cells.get(number)) for column in self.columns)
        return ["" if cell is None else self._encode(cell, column, number, title) for column, cell in found]

    def _encode(self, cell: KeptCell, column: ExtraColumn, number: int, title: str) -> str:
        stored, formula = cell.stored, ""
        if stored.formula:
            movable = cell.sheet.casefold() == title.casefold() and not stored.spreads
            moved = self._references.moved(stored.formula, cell.sheet) if movable else None
            if moved is None:
                self._left.append(f"{title}, row {number}, {column.key[0] or 'a column without a header'}")
            if moved is None and not stored.value:
                return self._cells.text(f"={stored.formula}")
            formula = f"<f>{escape(moved)}</f>" if moved is not None else ""
        return _KINDS.get(stored.kind, _text)(self._cells, cell, formula)

    def hidden(self, number: int) -> bool:
        """Tell whether a row's line was hidden."""
        return number in self._kept.hidden_rows

    def written_widths(self, computed: Mapping[str, float]) -> dict[str, float]:
        """Give the widths to compare with when the workbook comes back: THE_PERSONS where a person set one."""
        return {name: THE_PERSONS if name in self._kept.widths else width for name, width in computed.items()}

    def widths(self, computed: Mapping[str, float]) -> list[float]:
        """Give the widths of all columns, of those that people added too."""
        own = [self._kept.widths.get(name, computed[name]) for name in self._names]
        return own + [one.width or max(_NARROWEST, len(one.key[0]) + 3.0) for one in self.columns]

    def dress(self, sheet: Worksheet) -> None:
        """Head the columns that people added, hide what they hid, and put their criteria into the filter."""
        for position, column in enumerate(self.columns, len(self._names)):
            if column.key[0]:
                head(at(sheet, 1, position + 1), column.key[0], SOURCE_HEADER)
            self._hide(sheet, position, hidden=column.hidden)
        for position, name in enumerate(self._names):
            self._hide(sheet, position, hidden=name in self._kept.hidden_columns)
        self._filter(sheet)

    def _hide(self, sheet: Worksheet, position: int, *, hidden: bool) -> None:
        if hidden:
            sheet.column_dimensions[column_letters(position)].hidden = True

    def _filter(self, sheet: Any) -> None:
        from openpyxl.worksheet.filters import FilterColumn

        for key, element in self._kept.filters.get(sheet.title, ()):
            position = self._places.get(key)
            if position is not None:
                moved: Any = copy(element)
                moved.set("colId", str(position))
                sheet.auto_filter.filterColumn.append(FilterColumn.from_tree(moved))


def _new_rows(content: WorkbookContent, max_rows: int) -> dict[int, tuple[str, int]]:
    places: dict[int, tuple[str, int]] = {}
    for index, row in enumerate(content.rows()):
        part, line = divmod(index, max_rows)
        places[row.number] = (results_title(part), line + 2)
    return places


def _number(cells: CellEncoders, cell: KeptCell, formula: str) -> str:
    try:
        float(cell.stored.value)
    except ValueError:
        return _text(cells, cell, formula)
    return f"{cells.styled(cell.shown)}>{formula}<v>{escape(cell.stored.value)}</v></c>"


def _boolean(cells: CellEncoders, cell: KeptCell, formula: str) -> str:
    return f'{cells.styled(BOOLEAN)} t="b">{formula}<v>{int(cell.stored.value in {"1", "true"})}</v></c>'


def _error(cells: CellEncoders, cell: KeptCell, formula: str) -> str:
    return f'{cells.styled(cell.shown)} t="e">{formula}<v>{escape(cell.stored.value)}</v></c>'


def _date(cells: CellEncoders, cell: KeptCell, formula: str) -> str:
    try:
        return cells.date(datetime.fromisoformat(cell.stored.value))
    except ValueError:
        return _text(cells, cell, formula)


def _text(cells: CellEncoders, cell: KeptCell, formula: str) -> str:
    if not formula:
        return cells.text(cell.stored.value)
    return f'{cells.styled(TEXT)} t="str">{formula}<v>{escape(safe_text(cell.stored.value))}</v></c>'


_KINDS: dict[str, Callable[[CellEncoders, KeptCell, str], str]] = {"n": _number, "b": _boolean, "e": _error, "d": _date}
