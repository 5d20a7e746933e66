"""The key that names a row: filled, and unique in the sheet."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from itertools import groupby, islice

import orjson

from batchrun.core import cells
from batchrun.core.cells import Fault, Reading
from batchrun.core.mapping import cells_named, columns_named
from batchrun.model import Cell, Number, Problem, SheetInfo, SourceRow, Unreadable


def key_of(row: SourceRow, columns: Sequence[int]) -> tuple[str, ...]:
    """Give a row's key as text, one part a column, trimmed."""
    return tuple([cells.shown(row.cells[column]).strip() for column in columns])


def key_problems(info: SheetInfo, row: SourceRow, columns: Sequence[int]) -> tuple[Problem, ...]:
    """Give a problem for each part of the key that is empty, damaged or cannot be read."""
    found = [(column, fault) for column in columns if (fault := _fault_of(row.cells[column])) is not None]
    return tuple(_problem(info, row, (column,), *fault) for column, fault in found) if found else ()


def _fault_of(cell: Cell) -> Fault | None:
    if type(cell) is str and cells.is_plain_text(cell) and cell.strip():
        return None
    if not isinstance(cell, Unreadable) and not cells.shown(cell).strip():
        return Fault("key-missing", "the key that names this row is empty")
    # Dates and TRUE/FALSE name a row as well as any text; what was damaged on its way here names nothing.
    read = cells.as_it_is(cell, Reading()) if isinstance(cell, str | Number | Unreadable) else cell
    return read if isinstance(read, Fault) else None


def repeated(info: SheetInfo, row: SourceRow, columns: Sequence[int], group: Sequence[int]) -> Problem:
    """Say that a key comes more than once; all of its rows are invalid."""
    others = islice((number for number in group if number != row.number), 3)
    places = ", ".join(cells_named(info, number, columns[:1]) for number in others)
    more = f" and {len(group) - 4} more" if len(group) > 4 else ""
    return _problem(info, row, columns, "key-repeated", f"the same key also stands in {places}{more}")


def _problem(info: SheetInfo, row: SourceRow, columns: Sequence[int], code: str, message: str) -> Problem:
    return Problem(
        row=row.number,
        cell=cells_named(info, row.number, columns),
        column=columns_named(info, columns),
        path=None,
        value=cells.cut(", ".join(key_of(row, columns))) or None,
        code=code,
        message=message,
    )


class KeyIndex:
    """Finds keys that come twice in one sheet, by 64-bit hashes: 16 bytes a row."""

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._rows = array("Q")

    def add(self, row: int, key: Sequence[str]) -> None:
        """Note one row's key."""
        digest = hashlib.blake2b(orjson.dumps(list(key)), digest_size=8).digest()
        self._hashes.append(int.from_bytes(digest, "big"))
        self._rows.append(row)

    def repeats(self) -> dict[int, tuple[int, ...]]:
        """Give each row whose key comes again, with all the rows that have it."""
        found: dict[int, tuple[int, ...]] = {}
        order = sorted(range(len(self._hashes)), key=self._hashes.__getitem__)
        for _, same in groupby(order, key=self._hashes.__getitem__):
            group = tuple(self._rows[index] for index in same)
            if len(group) > 1:
                found.update(dict.fromkeys(group, group))
        return found
