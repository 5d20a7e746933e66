"""What people made of a results workbook and is taken along to the next: its layout, their columns, their sheets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from xml.etree.ElementTree import Element

from batchrun.io.workbook_cells import GENERAL
from batchrun.io.workbook_extra_sheets import ExtraSheet, read_extra_sheets
from batchrun.io.workbook_layout import SheetLayout, StoredCell
from batchrun.io.workbook_losses import losses
from batchrun.io.workbook_references import Key, OldTable
from batchrun.io.workbook_results_layout import OWN, Layout, is_added
from batchrun.model import column_letters

if TYPE_CHECKING:
    from batchrun.io.workbook_reading import WorkbookCopy

# Excel counts widths in whole pixels of the default font, and some programs shift them by the padding of a cell, which
# is 5 pixels of 7 (0.7109375 in the file): so much, and a pixel, is nobody's doing.
_NOBODYS_DOING = 0.86
_TOLD_AT_MOST = 5


class Criterion(NamedTuple):
    """What a filter asks of one column: a `filterColumn` element."""

    column: Key
    element: Element


class KeptCell(NamedTuple):
    """A cell of a column that somebody added, with its number format's code and the sheet in which it stood."""

    sheet: str
    stored: StoredCell
    shown: str


@dataclass(frozen=True, slots=True)
class ExtraColumn:
    """A column that somebody added: its header, its width where it has one, and its cells by row number."""

    key: Key
    width: float | None
    hidden: bool
    cells: Mapping[int, KeptCell]


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is taken along. Columns are named by their headers, rows by their numbers, filters by their sheets.

    `columns` may hold some that batchrun writes itself; those are left to it. `lost` says in plain sentences what
    cannot be taken along: where it says anything, the file should be left alone.
    """

    widths: Mapping[str, float] = field(default_factory=dict)
    hidden_columns: frozenset[str] = frozenset()
    hidden_rows: frozenset[int] = frozenset()
    filters: Mapping[str, tuple[Criterion, ...]] = field(default_factory=dict)
    columns: tuple[ExtraColumn, ...] = ()
    sheets: tuple[ExtraSheet, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[OldTable, ...] = ()
    lost: tuple[str, ...] = ()


def keep(copy: WorkbookCopy, ours: Mapping[str, float], source: Collection[str] = ()) -> Kept:
    """Gather what people made of a workbook; NotFound where it cannot be read to its end.

    `ours` are the widths that batchrun wrote, by header: a width that differs is a person's, and where nothing is known
    of a column none is. `source` names the source's columns, where `ours` does not, so that their cells are passed by.
    """
    known = {*OWN, *ours, *source}
    layout = copy.layout(known)
    return Kept(
        widths={name: width for name, width in layout.widths.items() if name in ours and _by_hand(width, ours[name])},
        hidden_columns=layout.hidden,
        hidden_rows=frozenset(_hidden_rows(layout)),
        filters={title: tuple(_criteria(layout, table)) for title, table in _by_title(layout).items()},
        columns=tuple(_extra_columns(layout, known)),
        sheets=read_extra_sheets(copy.path, copy.name, copy.extra_sheets()),
        names={name: text for name, text in copy.names.items() if not name.startswith("_xlnm.")},
        tables=layout.tables,
        lost=(*_lost(copy.name, layout), *losses(copy.path, copy.name, copy.tables(), copy.extra_sheets())),
    )


def _by_title(layout: Layout) -> dict[str, OldTable]:
    return {table.sheet: table for table in layout.tables}


def _by_hand(width: float, ours: float) -> bool:
    return abs(width - ours) > _NOBODYS_DOING


def _hidden_rows(layout: Layout) -> Iterator[int]:
    for table in layout.tables:
        sheet = layout.sheets[table.sheet]
        # A filter that is not taken along would leave its hidden lines hidden for ever.
        if not sheet.dropped:
            yield from (table.rows[line] for line in sheet.hidden_lines if line in table.rows)


def _criteria(layout: Layout, table: OldTable) -> Iterator[Criterion]:
    sheet = layout.sheets[table.sheet]
    for element in () if sheet.dropped else sheet.criteria:
        position = sheet.filter_left + int(element.get("colId", "-1"))
        if 0 <= position < len(table.keys):
            yield Criterion(table.keys[position], element)


def _extra_columns(layout: Layout, known: Collection[str]) -> Iterator[ExtraColumn]:
    cells: dict[Key, dict[int, KeptCell]] = {}
    places: dict[Key, tuple[SheetLayout, int]] = {}
    for table in layout.tables:
        sheet = layout.sheets[table.sheet]
        for position, key in enumerate(table.keys):
            if is_added(key, known):
                places.setdefault(key, (sheet, position))
        for (line, position), stored in sheet.cells.items():
            if line in table.rows:
                shown = layout.formats[stored.style] if stored.style < len(layout.formats) else GENERAL
                kept = KeptCell(table.sheet, stored, shown)
                cells.setdefault(table.keys[position], {})[table.rows[line]] = kept
    for key, (sheet, position) in places.items():
        if key[0] or key in cells:
            width, hidden = sheet.widths.get(position), position in sheet.hidden_columns
            yield ExtraColumn(key, width, hidden, cells.get(key, {}))


def _lost(name: str, layout: Layout) -> Iterator[str]:
    if layout.since_1904:
        yield f"{name} counts its dates from 1904"
    for table in layout.tables:
        yield from _lost_lines(name, table, layout.sheets[table.sheet])


def _lost_lines(name: str, table: OldTable, sheet: SheetLayout) -> Iterator[str]:
    strays = [line for line in sorted(sheet.filled) if line != table.line and line not in table.rows]
    if strays:
        where = ", ".join(f"{column_letters(sheet.filled[line])}{line}" for line in strays[:_TOLD_AT_MOST])
        more = f" and {len(strays) - _TOLD_AT_MOST:,} more" if len(strays) > _TOLD_AT_MOST else ""
        yield f"{name}!{table.sheet}!{where}{more}: this belongs to no row, since there is no number under _row"
    twice = [number for number, count in Counter(table.rows.values()).items() if count > 1]
    if twice:
        yield f"{name}!{table.sheet}: row {twice[0]} stands in it twice"
