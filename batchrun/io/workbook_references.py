"""Moves what formulas refer to, from where columns and rows stood in a workbook to where they stand in the next one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchrun.io.excel_survey import column_position
from batchrun.model import column_letters

Key = tuple[str, int]
"""A column: its header, and 0 for the first one of that header; a column without a header by its position."""

_SHEET = re.compile(r"(?:'((?:[^']|'')+)'|([^'!\[\]:]+))!(.+)", re.DOTALL)
_AREA = re.compile(r"(\$?)([A-Za-z]{1,3})?(\$?)(\d{1,7})?(?::(\$?)([A-Za-z]{1,3})?(\$?)(\d{1,7})?)?")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*\(")
# What they give depends on where things stand, beyond what they refer to.
_BY_PLACE = frozenset({"INDIRECT(", "OFFSET(", "ADDRESS(", "CELL(", "ROW(", "COLUMN(", "SHEET("})


class NotForCertainError(Exception):
    """A reference whose place in the next workbook is not certain."""


@dataclass(frozen=True, slots=True)
class OldTable:
    """A Results sheet as it was: its header's line, its columns by position, and each line's row number."""

    sheet: str
    line: int
    keys: tuple[Key, ...]
    rows: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class NewPlaces:
    """The Results sheets to be: each column's position, each row's sheet and line, each sheet's last line."""

    columns: Mapping[Key, int]
    rows: Mapping[int, tuple[str, int]]
    last: Mapping[str, int]


class References:
    """Moves formulas; `fixed` names sheets that are taken along as they are, `names` the defined names that are."""

    def __init__(
        self, old: Iterable[OldTable], new: NewPlaces, fixed: Collection[str], names: Collection[str] = ()
    ) -> None:
        self._tables = {table.sheet.casefold(): _TableMove(table, new) for table in old}
        self._fixed = {sheet.casefold() for sheet in fixed}
        self._names = {name.casefold() for name in names}

    def moved(self, formula: str, home: str) -> str | None:
        """Give a formula (without `=`) of the sheet `home` as it has to be; None where that is not certain."""
        from openpyxl.formula import Tokenizer
        from openpyxl.formula.tokenizer import Token, TokenizerError

        try:
            tokens = Tokenizer(f"={formula}").items
            if any(
                _is_by_place(token.value) if token.type == Token.FUNC else "#REF!" in token.value for token in tokens
            ):
                return None
            return "".join(
                self._reference(token.value, home) if token.subtype == Token.RANGE else token.value for token in tokens
            )
        except (TokenizerError, NotForCertainError, IndexError):
            return None

    def _reference(self, text: str, home: str) -> str:
        qualified = _SHEET.fullmatch(text)
        sheet = home if qualified is None else (qualified[1] or qualified[2]).replace("''", "'")
        area = text if qualified is None else qualified[3]
        if qualified is None and area.casefold() in self._names:
            return text
        if sheet.casefold() in self._fixed:
            return text if _is_area(area) else _uncertain()
        move = self._tables.get(sheet.casefold())
        if move is None:
            raise NotForCertainError
        return text[: len(text) - len(area)] + move.area(area)


class _Corner(NamedTuple):
    column: int | None
    line: int | None


class _TableMove:
    """Moves references to one Results sheet."""

    def __init__(self, old: OldTable, new: NewPlaces) -> None:
        self._columns: list[int | None] = [new.columns.get(key) for key in old.keys]
        self._lines = {old.line: 1}
        for line, number in old.rows.items():
            sheet, place = new.rows.get(number, ("", 0))
            if sheet == old.sheet:
                self._lines[line] = place
        self._header, self._first = old.line, min(old.rows, default=old.line + 1)
        self._last, self._new_last = max(old.rows, default=old.line), new.last.get(old.sheet, 0)
        self._breaks = self._count_breaks()
        self._stays = (
            len(self._lines) == len(old.rows) + 1
            and all(before == after for before, after in self._lines.items())
            and all(
                after in (before, None if not old.keys[before][0] else before)
                for before, after in enumerate(self._columns)
            )
        )

    def _count_breaks(self) -> Sequence[int]:
        """Count, up to each line, how often the next one does not follow it in the new sheet."""
        breaks = [0] * (self._last + 2)
        for line in range(self._header + 1, self._last + 1):
            here, before = self._lines.get(line), self._lines.get(line - 1)
            follows = here is not None and before is not None and here == before + 1
            breaks[line] = breaks[line - 1] + (not follows)
        return breaks

    def area(self, text: str) -> str:
        """Move `C14`, `$C$2:D9`, `C:D` or `2:9`."""
        found = _AREA.fullmatch(text)
        if found is None or not _is_area(text):
            raise NotForCertainError
        if self._stays:
            return text
        first, last = _corner(found[2], found[4]), _corner(found[6], found[8])
        if ":" not in text:
            last = first
        columns = self._column_span(first.column, last.column)
        lines = self._line_span(first.line, last.line)
        begin = _written(found[1], columns[0], found[3], lines[0])
        if ":" not in text:
            return begin
        return f"{begin}:{_written(found[5], columns[1], found[7], lines[1])}"

    def _column_span(self, first: int | None, last: int | None) -> tuple[int | None, int | None]:
        if first is None or last is None:
            return None, None
        if not first <= last < len(self._columns):
            raise NotForCertainError
        moved = self._columns[first : last + 1]
        begin = moved[0]
        if begin is None or any(after != begin + step for step, after in enumerate(moved)):
            raise NotForCertainError
        return begin, begin + last - first

    def _line_span(self, first: int | None, last: int | None) -> tuple[int | None, int | None]:
        if first is None or last is None:
            return None, None
        if first < last and self._header <= first <= self._first and last >= self._last:
            # All rows are meant, and all rows it will be.
            return 1 if first == self._header else 2, self._new_last + last - self._last
        if not (self._header <= first <= last <= self._last) or self._breaks[last] != self._breaks[first]:
            raise NotForCertainError
        if first not in self._lines:
            raise NotForCertainError
        return self._lines[first], self._lines[first] + last - first


def _is_by_place(function: str) -> bool:
    """Tell a function whose value depends on places, among them what begins a range: `C2:INDEX(`."""
    return function.upper() in _BY_PLACE or (function != ")" and _FUNCTION.fullmatch(function) is None)


def _is_area(text: str) -> bool:
    """Tell a cell, a range, whole columns or whole rows from a defined name, which may look like a column."""
    found = _AREA.fullmatch(text)
    if found is None:
        return False
    first, last = (bool(found[2]), bool(found[4])), (bool(found[6]), bool(found[8]))
    return first == last != (False, False) if ":" in text else first == (True, True)


def _uncertain() -> str:
    raise NotForCertainError


def _corner(letters: str | None, digits: str | None) -> _Corner:
    return _Corner(column_position(letters) if letters else None, int(digits) if digits else None)


def _written(column_fixed: str, column: int | None, line_fixed: str, line: int | None) -> str:
    # Of a whole row (`$14`) the only `$` is found where a column's would be.
    letters = "" if column is None else f"{column_fixed}{column_letters(column)}"
    digits = "" if line is None else f"{line_fixed if column is not None else column_fixed or line_fixed}{line}"
    return letters + digits
