"""Turn a header row into the columns that are read, for every kind of source."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from batchrun.core.totals import counted
from batchrun.errors import BadInput

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a sheet: those read, those ignored, and those without a header, by zero-based position."""

    names: tuple[str, ...]
    positions: tuple[int, ...]
    ignored: tuple[str, ...]
    blank: tuple[int, ...]
    width: int


def header_name(text: str) -> str:
    """Give a header as it is compared: trimmed, composed (NFC), no-break spaces as spaces."""
    return unicodedata.normalize("NFC", text.replace("\xa0", " ")).strip()


def plan_columns(headers: Sequence[str], address: Callable[[int], str]) -> Columns:
    """Sort a header row's columns; `address` names the cell at a position. Raise BadInput for duplicates."""
    names = [header_name(text) for text in headers]
    read = [position for position, name in enumerate(names) if name and not name.startswith("_")]
    if not read:
        raise BadInput(
            f"{address(0)} should begin the header row, but that row names no column; "
            "write the number of the row that holds the headers as source.header_row."
        )
    _refuse_duplicates(names, read, address)
    return Columns(
        names=tuple(names[position] for position in read),
        positions=tuple(read),
        ignored=tuple(name for name in names if name.startswith("_")),
        blank=tuple(position for position, name in enumerate(names) if not name),
        width=len(names),
    )


def _refuse_duplicates(names: Sequence[str], read: Iterable[int], address: Callable[[int], str]) -> None:
    first: dict[str, int] = {}
    for position in read:
        earlier = first.setdefault(names[position], position)
        if earlier != position:
            raise BadInput(
                f'the header "{names[position]}" stands twice, in {address(earlier)} and in {address(position)}; '
                "rename one of them, or let it begin with _ to have it ignored."
            )


def blank_header(header_cell: str, data_cell: str) -> BadInput:
    """Say that a cell holds data where its column has no header."""
    return BadInput(
        f"the cell {data_cell} holds data, but its column has no header in {header_cell}; "
        "write a header there (one that begins with _ is ignored), clear the cells below it, or, if another row holds "
        "the headers, write its number as source.header_row."
    )


class SkippedRows:
    """Count rows that are left out, and remember the first few."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._count = 0
        self._first: list[int] = []

    def add(self, number: int) -> None:
        """Leave out one row."""
        self._count += 1
        if len(self._first) < _NAMED_AT_MOST:
            self._first.append(number)

    def notes(self) -> tuple[str, ...]:
        """Say how many and which, or nothing when there was none."""
        if not self._count:
            return ()
        return (f"{counted(self._count, self._noun)} skipped ({rows_named(self._first, self._count)}).",)


def rows_named(first: Sequence[int], count: int) -> str:
    """Name rows, the first few by number: `row 7`, `rows 5, 9 and 3 more`."""
    named = ", ".join(str(number) for number in first[:_NAMED_AT_MOST])
    more = count - min(count, _NAMED_AT_MOST)
    return ("row " if count == 1 else "rows ") + named + (f" and {more:,} more" if more else "")


def ignored_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Say which columns are ignored, or nothing when none is."""
    return (f"Columns ignored because their names begin with _: {', '.join(names)}.",) if names else ()
