"""How some cells of one column become values at once: much quicker than cell by cell, and only where all are plain.

Whatever is not plain (a fault, damaged text, a cell that is no text) makes a reader give up: the column is then read
cell by cell, which alone decides what such a cell is, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from batchrun.core import cells
from batchrun.core.cells import Coercer, Fault, Reading, are_plain_texts
from batchrun.model import Cell

MOST_REMEMBERED = 2_000  # values of a column: a year has 366 dates, and a table of words few


class Values(NamedTuple):
    """A column's values; `whole` tells that none of them is left out."""

    values: Sequence[Any]
    whole: bool


ColumnReader = Callable[[Sequence[Cell]], Values | None]
"""Gives the values of some cells of a column, or None where they must be read cell by cell."""

_Reader = Callable[[Sequence[Any], str], Sequence[Any] | None]  # gets the cells, and all of them run together by lines

_NUMBER, _INTEGER, _DATE = r"-?\d+(?:\.\d+)?", r"-?\d+", r"\d{4}-\d{2}-\d{2}"


def column_reader(coerce: Coercer, reading: Reading, blank: Any, omitted: object) -> ColumnReader:
    """Compile a reader of cells that go through `coerce`; `blank` is the value of an empty one."""
    if isinstance(blank, Fault):
        blank = _GIVE_UP
    return _with_gaps(_reader_of(coerce, reading), reading.blanks, blank, whole=blank is not omitted)


_GIVE_UP = object()


def _reader_of(coerce: Coercer, reading: Reading) -> _Reader:
    """Give the reader that says what `coerce` says of plain text, only sooner."""
    if coerce in (cells.as_text, cells.as_it_is):
        return _texts
    if coerce is cells.as_date and reading.date_format is None:
        return _dates
    if reading.is_plain and coerce in (cells.as_number, cells.as_integer):
        return _numbers if coerce is cells.as_number else _integers
    return _remembered(coerce, reading)


def _with_gaps(read: _Reader, blanks: frozenset[str], blank: Any, *, whole: bool) -> ColumnReader:
    def empty(cell: Cell) -> bool:
        return cell is None or cell == "" or (bool(blanks) and cell in blanks)

    def column(given: Sequence[Cell]) -> Values | None:
        if all(given) and (not blanks or blanks.isdisjoint(given)):
            values = _read(read, given)
            return None if values is None else Values(values, whole=True)
        if blank is _GIVE_UP:
            return None
        values = _read(read, [cell for cell in given if not empty(cell)])
        if values is None:
            return None
        following = iter(values)
        return Values([blank if empty(cell) else next(following) for cell in given], whole)

    return column


def _read(read: _Reader, given: Sequence[Any]) -> Sequence[Any] | None:
    try:
        together = "\n".join(given)
    except TypeError:  # a cell that is no text
        return None
    return read(given, together) if given else given


def _texts(given: Sequence[str], together: str) -> Sequence[str] | None:
    return given if are_plain_texts(together) else None


def _all_of(form: str) -> Callable[[Sequence[str], str], bool]:
    """Give the test whether each of some cells has a form: one look at all of them, not one look at each."""
    matches = re.compile(f"{form}(?:\n{form})*", re.ASCII).fullmatch

    def test(given: Sequence[str], together: str) -> bool:
        return matches(together) is not None and together.count("\n") == len(given) - 1

    return test


_are_numbers, _are_integers, _are_dates = _all_of(_NUMBER), _all_of(_INTEGER), _all_of(_DATE)


def _numbers(given: Sequence[str], together: str) -> Sequence[Decimal] | None:
    return list(map(Decimal, given)) if _are_numbers(given, together) else None


def _integers(given: Sequence[str], together: str) -> Sequence[int] | None:
    try:
        return list(map(int, given)) if _are_integers(given, together) else None
    except ValueError:  # thousands of digits
        return None


def _dates(given: Sequence[str], together: str) -> Sequence[str] | None:
    try:
        for _ in map(date.fromisoformat, given if _are_dates(given, together) else ("",)):
            pass
    except ValueError:  # no day of the calendar
        return None
    return given


class _Memory(dict[str, Any]):
    """What texts become; a text that gives a fault, or a list that somebody could change, is not remembered."""

    def __init__(self, coerce: Coercer, reading: Reading) -> None:
        super().__init__()
        self._coerce, self._reading = coerce, reading

    def __missing__(self, text: str) -> Any:
        value = self._coerce(text, self._reading)
        if isinstance(value, Fault):
            raise _FaultFound
        if len(self) < MOST_REMEMBERED and not isinstance(value, list | dict):
            self[text] = value
        return value


class _FaultFound(Exception):
    """One of the cells gives no value."""


def _remembered(coerce: Coercer, reading: Reading) -> _Reader:
    memory: Mapping[str, Any] = _Memory(coerce, reading)

    def read(given: Sequence[str], _together: str) -> Sequence[Any] | None:
        try:
            return list(map(memory.__getitem__, given))
        except _FaultFound:
            return None

    return read
