"""Reads how the Results sheets of a workbook are laid out: columns by their headers, lines by their rows' numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, overload

from batchrun.io.excel_package import Package, open_package
from batchrun.io.excel_parts import format_codes, shared_strings
from batchrun.io.workbook_layout import SheetLayout, StoredCell, sheet_layout
from batchrun.io.workbook_references import Key, OldTable

ROW = "_row"
OWN = frozenset(
    {
        *(ROW, "_status", "_next", "_run_id", "_error", "_attempts", "_sent_at", "_finished_at", "_seconds"),
        *("_review_title", "_review_data", "_decision", "_rejection_reason", "_reviewer", "_decision_status"),
    }
)
"""The columns that every Results sheet has."""


class Table(NamedTuple):
    """Where the table of a Results sheet stands: its header's line, and its headers by position ("" for none)."""

    sheet: str
    line: int
    names: tuple[str, ...]

    def places(self) -> dict[str, int]:
        """Give each header's zero-based position; of two the first."""
        return {name: position for position, name in reversed([*enumerate(self.names)]) if name}


@dataclass(frozen=True, slots=True)
class Layout:
    """How all Results sheets are laid out.

    `widths` and `hidden` are those of the first one, by header. `sheets` holds each one's own layout, and `tables` its
    columns and rows. `formats` are the codes of number formats by style number.
    """

    widths: Mapping[str, float] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    sheets: Mapping[str, SheetLayout] = field(default_factory=dict)
    tables: tuple[OldTable, ...] = ()
    formats: Sequence[str] = ()
    since_1904: bool = False


def results_layout(path: Path, name: str, tables: Iterable[Table], known: Collection[str] = ()) -> Layout:
    """Read the layout; the stored cells are those of columns that are not `known` by their headers."""
    package = open_package(path, name)
    with package.archive:
        strings = _Strings(package)
        sheets = {table.sheet: _sheet(package, table, strings, known) for table in tables}
        first = next(iter(tables))
        shown = sheets[first.sheet]
        return Layout(
            widths={text: shown.widths[place] for text, place in first.places().items() if place in shown.widths},
            hidden=frozenset(text for text, place in first.places().items() if place in shown.hidden_columns),
            sheets=sheets,
            tables=tuple(_table(table, sheets[table.sheet]) for table in tables),
            formats=format_codes(package),
            since_1904=package.since_1904,
        )


def is_added(key: Key, known: Collection[str]) -> bool:
    """Tell a column that is not known by its header, or is the second one of it."""
    return key[1] > 0 or key[0] not in known


def _sheet(package: Package, table: Table, strings: _Strings, known: Collection[str]) -> SheetLayout:
    row_place = table.places().get(ROW)
    passed = {place for place, key in enumerate(_keys(table.names)) if place != row_place and not is_added(key, known)}
    part = next(sheet.path for sheet in package.sheets if sheet.name == table.sheet)
    with package.archive.open(part) as stream:
        return sheet_layout(stream, strings, lambda _, column: column not in passed)


def _table(table: Table, sheet: SheetLayout) -> OldTable:
    row_place = table.places().get(ROW, -1)
    numbers = {
        line: number
        for (line, place), stored in sheet.cells.items()
        if place == row_place and line > table.line and (number := _row_number(stored)) is not None
    }
    width = max((place + 1 for _, place in sheet.cells), default=0)
    return OldTable(table.sheet, table.line, _keys(table.names, width), numbers)


def _keys(names: Sequence[str], width: int = 0) -> tuple[Key, ...]:
    seen: Counter[str] = Counter()
    keys: list[Key] = []
    for place, name in enumerate((*names, *[""] * (width - len(names)))):
        keys.append((name, seen[name] if name else place))
        seen[name] += 1
    return tuple(keys)


def _row_number(stored: StoredCell) -> int | None:
    """Give the whole number under `_row`, as `TypedRow` has it."""
    if stored.kind == "n":
        value = float(stored.value or "nan")
        return int(value) if value.is_integer() else None
    text = stored.value.strip()
    return int(text) if stored.kind in {"str", "inlineStr"} and text.isascii() and text.isdigit() else None


class _Strings(Sequence[str]):
    """The texts that cells share, read when the first is asked for: often none is."""

    def __init__(self, package: Package) -> None:
        self._package = package

    @cached_property
    def _all(self) -> list[str]:
        return shared_strings(self._package)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)
