"""The door to the workbook of a comparison: what is new, missing, changed and moved; written whole, as a new file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchrun.core.comparing import Comparison, Entry, Move, name_of
from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.io.comparison_summary import PERCENT, Month, dress_summary
from batchrun.io.whole_file import new_file
from batchrun.io.workbook import Sheet, save_sheets
from batchrun.io.workbook_body import MAX_ROWS, SheetBody
from batchrun.io.workbook_cells import CellEncoders, Encoder, plain_number
from batchrun.io.workbook_style import (
    MUTED,
    OWN_HEADER,
    Styles,
    Widths,
    at,
    font,
    head,
    put_text,
    set_page,
    set_widths,
)
from batchrun.model import Number

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet


@dataclass(frozen=True, slots=True)
class ComparisonContent:
    """All that the workbook says.

    `facts` are label and value pairs in reading order. `months` tells what was completed in each month, and `label`
    is what they would call the present one. `made_at` (aware) is the file's date in its properties.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    comparison: Comparison
    threshold: Decimal
    label: str
    months: tuple[Month, ...] = ()
    notes: tuple[str, ...] = ()
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """One long sheet to be. `empty` is what it says where it has no rows."""

    title: str
    empty: str
    header: tuple[str, ...]
    encoders: tuple[Encoder, ...]
    rows: Iterable[Sequence[Any]]


def free_place(path: Path) -> Path:
    """Give the place of a new workbook; raise BadCommandLine where none can lie there."""
    target = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  a link that leads nowhere is to be seen as it is
    if target.suffix.lower() != ".xlsx":
        raise BadCommandLine(f"--output: {path.name} is no workbook's name; write for example compared.xlsx")
    if os.path.lexists(target):
        raise _taken(target)
    return target


def write_comparison(path: Path, content: ComparisonContent, *, max_rows: int = MAX_ROWS) -> None:
    """Write the workbook of a comparison, whole or not at all, and never over another file.

    Sheets beyond `max_rows` go on to `New 2` and so on. Raise CouldNotStart where it cannot be written.
    """
    from openpyxl import Workbook

    workbook = Workbook()
    try:
        with new_file(path) as file, ExitStack() as held:
            cells = CellEncoders(Styles(workbook).number)
            sheets = [Sheet("Summary", dress_summary(content))]
            for table in _tables(content, cells):
                sheets += _sheets(table, content.title, path.parent, max_rows, held)
            save_sheets(workbook, sheets, content.title, content.made_at, file)
    except OSError as error:
        if os.path.lexists(path):
            raise _taken(path) from None
        raise CouldNotStart(f"--output: {path} could not be written ({error.strerror})") from None


def _taken(path: Path) -> BadCommandLine:
    return BadCommandLine(f"--output: there is a file {path} already, and it is not written over; name another one")


def _tables(content: ComparisonContent, cells: CellEncoders) -> Iterator[_Table]:
    found = content.comparison
    by = () if found.groups is None else (found.groups.column,)
    amounts = tuple(cells.amount(places) for places in found.decimals.values())
    columns, plain = ("Row", "Key", *by, *found.decimals), (cells.any, cells.any, *(cells.any for _ in by))
    for title, empty, entries in (
        ("New", "No key is new.", found.new),
        ("Missing", "No key is missing.", found.missing),
    ):
        rows = (_entry(one, found, grouped=bool(by)) for one in entries)
        yield _Table(title, empty, columns, (*plain, *amounts), rows)
    changes = ((one.row, name_of(one.key), one.column, one.path, one.old, one.new) for one in found.changed)
    header = ("Row", "Key", "Column", "Path", "Then", "Now")
    yield _Table("Changed", "No field of a key that is in both has changed.", header, (cells.any,) * 6, changes)
    beyond = f"more than {content.threshold.normalize():f} %"
    moves = ((one.row, one.name, one.column, *_amounts_of(one)) for one in found.moved)
    heads = ("Row", "Key", "Total", "Then", "Now", "Difference", "Percent")
    encoders = (cells.any, cells.any, cells.any, *_of_moves(cells, found))
    yield _Table("Moved", f"No amount of a key that is in both has moved by {beyond}.", heads, encoders, moves)
    if found.groups is not None:
        yield _sums_table(content, cells)


def _sums_table(content: ComparisonContent, cells: CellEncoders) -> _Table:
    found, groups = content.comparison, content.comparison.groups
    assert groups is not None  # noqa: S101  # else there is no such table
    rows: list[tuple[Any, ...]] = [(move.name, "moved", move.column, *_amounts_of(move)) for move in groups.moved]
    for told, sums in (("new", groups.new), ("missing", groups.missing)):
        for one in sums:
            for column, amount in one.amounts or ((None, None),):
                then, now = (None, amount) if told == "new" else (amount, None)
                rows.append((one.name, told, column, _number(then), _number(now), None, None))
    header = (groups.column, "What", "Total", "Then", "Now", "Difference", "Percent")
    empty = f"No sum by {groups.column} is new, missing, or moved by more than {content.threshold.normalize():f} %."
    return _Table("Sums", empty, header, (cells.any, cells.any, cells.any, *_of_moves(cells, found)), rows)


def _entry(one: Entry, found: Comparison, *, grouped: bool) -> Sequence[Any]:
    amounts = dict(one.amounts)
    group = (one.group,) if grouped else ()
    return (one.row, name_of(one.key), *group, *(_number(amounts.get(column)) for column in found.decimals))


def _amounts_of(move: Move) -> tuple[Any, ...]:
    return _number(move.old), _number(move.new), _number(move.difference), move.percent


def _number(amount: Decimal | None) -> Number | None:
    return None if amount is None else Number(amount)


def _of_moves(cells: CellEncoders, found: Comparison) -> tuple[Encoder, ...]:
    """Give the encoders of amounts then and now, whose control totals may have different decimals, and of a percent."""
    amount = cells.amount(max(found.decimals.values(), default=0))
    return amount, amount, amount, _percent(cells)


def _percent(cells: CellEncoders) -> Encoder:
    def encode(value: Decimal | None) -> str:
        if value is None:
            return ""
        share = plain_number(round(value / 100, 6)) if abs(value) < 10**12 else None
        return cells.text(f"{value:,.0f} %") if share is None else f"{cells.styled(PERCENT)}><v>{share}</v></c>"

    return encode


def _sheets(table: _Table, title: str, folder: Path, max_rows: int, held: ExitStack) -> Iterator[Sheet]:
    widths = Widths(table.header)
    bodies: list[SheetBody] = []
    for values in table.rows:
        if not bodies or bodies[-1].rows == max_rows:
            bodies.append(held.enter_context(SheetBody(folder, len(table.header))))
        widths.see([_seen(value) for value in values])
        bodies[-1].append([encode(value) for encode, value in zip(table.encoders, values, strict=True)])
    for number, body in enumerate(bodies, 1):
        name = table.title if number == 1 else f"{table.title} {number}"
        yield Sheet(name, _dress(table.header, body, widths, title), body)
    if not bodies:
        yield Sheet(table.title, _dress_empty(table.empty, title))


def _seen(value: Any) -> Any:
    return f"{value:.1f}" if isinstance(value, Decimal) else value


def _dress(header: Sequence[str], body: SheetBody, widths: Widths, title: str) -> Callable[..., None]:
    def dress(sheet: Worksheet) -> None:
        for position, name in enumerate(header, 1):
            head(at(sheet, 1, position), name, OWN_HEADER)
        sheet.row_dimensions[1].height = 22
        set_widths(sheet, widths.widths())
        sheet.freeze_panes, sheet.auto_filter.ref = "A2", body.area
        set_page(sheet, title, across=1)
        sheet.print_title_rows = "1:1"

    return dress


def _dress_empty(told: str, title: str) -> Callable[..., None]:
    def dress(sheet: Worksheet) -> None:
        put_text(sheet["A1"], told).font = font(size=11, colour=MUTED)
        sheet.column_dimensions["A"].width = 60
        set_page(sheet, title, across=1)

    return dress
