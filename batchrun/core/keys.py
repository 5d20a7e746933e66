"""The key that names a row: filled, and unique in the sheet."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from batchrun.core import cells
from batchrun.core.cells import Fault, Reading
from batchrun.core.mapping import cells_named, columns_named
from batchrun.model import Cell, Number, Problem, SheetInfo, SourceRow, Unreadable

# Soft hyphen, zero-width space and joiner, byte order mark, marks of direction. Not those that Persian is written with.
_UNSEEN = re.compile("[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def key_of(row: SourceRow, columns: Sequence[int]) -> tuple[str, ...]:
    """Give a row's key as text, one part a column, trimmed."""
    return tuple([cells.shown(row.cells[column]).strip() for column in columns])


def keys_of(rows: Sequence[SourceRow], columns: Sequence[int]) -> list[tuple[str, ...] | None]:
    """Give the keys of many rows, and None for those whose key has a problem."""
    parts = [_texts_of([row.cells[column] for row in rows]) for column in columns]
    if all(part is not None for part in parts):
        return list(zip(*(part for part in parts if part is not None), strict=True))
    return [_key_if_good(row, columns) for row in rows]


def _texts_of(column: Sequence[Any]) -> list[str] | None:
    """Give the cells of a column, trimmed; None unless all are filled and are good texts beyond doubt."""
    try:
        together = "\n".join(column)
    except TypeError:  # a cell that is no text
        return None
    texts = list(map(str.strip, column))
    is_seen = together.isascii() or _UNSEEN.search(together) is None
    return texts if all(texts) and is_seen and cells.are_plain_texts(together) else None


def _key_if_good(row: SourceRow, columns: Sequence[int]) -> tuple[str, ...] | None:
    return None if any(_fault_of(row.cells[column]) is not None for column in columns) else key_of(row, columns)


def key_problems(info: SheetInfo, row: SourceRow, columns: Sequence[int]) -> tuple[Problem, ...]:
    """Give a problem for each part of the key that is empty, damaged or cannot be read."""
    found = [(column, fault) for column in columns if (fault := _fault_of(row.cells[column])) is not None]
    return tuple(_problem(info, row, (column,), *fault) for column, fault in found) if found else ()


def _fault_of(cell: Cell) -> Fault | None:
    if type(cell) is str and cells.is_plain_text(cell) and cell.strip():
        return None
    if not isinstance(cell, Unreadable) and not cells.shown(cell).strip():
        return Fault("key-missing", "the key that names this row is empty")
    if isinstance(cell, str) and (unseen := _UNSEEN.search(cell)) is not None:
        return Fault(
            "key-unseen",
            f"the key holds a character that nobody sees (U+{ord(unseen[0]):04X}), so that it would pass for another "
            "key than it looks like; type the cell again",
        )
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
    """Notices keys that seem to come twice in one sheet, by hashes of 44 bits: 4 bytes a row, so a million take 4 MB.

    Two keys can have one hash (among a million keys, in one sheet of thirty), so those of its suspects are compared
    as they stand afterwards: see `same_keys`.
    """

    def __init__(self) -> None:
        # A hash's first 12 bits are the part that it lies in; only one part at a time becomes Python objects.
        self._parts = tuple(array("I") for _ in range(_PARTS))

    def add(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Note the keys of some rows."""
        parts = self._parts
        for hashed in map(hash, keys):
            parts[hashed % _PARTS].append(hashed // _PARTS & _REST)

    def suspects(self) -> frozenset[int]:
        """Give the hashes that came more than once."""
        return frozenset(rest * _PARTS + place for place, part in enumerate(self._parts) for rest in _repeated_in(part))


_PARTS, _REST = 1 << 12, (1 << 32) - 1


def hash_of(key: tuple[str, ...]) -> int:
    """Give the hash of a key by which it is a suspect. It differs from process to process."""
    return hash(key) & (_PARTS * (_REST + 1) - 1)


def _repeated_in(hashes: array[int]) -> Iterable[int]:
    if len(set(hashes)) == len(hashes):
        return ()
    return (hashed for hashed, count in Counter(hashes).items() if count > 1)


def same_keys(suspects: frozenset[int], numbered: Iterable[tuple[int, tuple[str, ...]]]) -> dict[int, tuple[int, ...]]:
    """Give each row whose key comes again, with all the rows that have it; `numbered` are row numbers and keys."""
    found: dict[tuple[str, ...], list[int]] = {}
    for number, key in numbered:
        if hash_of(key) in suspects:
            found.setdefault(key, []).append(number)
    return {number: group for group in map(tuple, found.values()) if len(group) > 1 for number in group}
