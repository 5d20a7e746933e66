"""Corrected rows: which cells really changed, and how changes and problems are told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from batchrun.core import cells, mapping
from batchrun.core.spec import JobSpec
from batchrun.model import Cell, Number, Problem

# The texts as which a report writes a cell.
Written = Callable[[Cell], Collection[str]]

_ONE_POINT = re.compile(r"-?\d+\.\d+", re.ASCII)
_KINDS = {str: "text", bool: "TRUE/FALSE", Number: "a number", datetime: "a date"}


class Change(NamedTuple):
    """One cell that is not what it was."""

    column: str
    before: Cell
    after: Cell

    def told(self) -> str:
        """Say the change: `Amount: 10,00 -> 10.00`; the kinds too, where both read alike."""
        before, after = _word(self.before), _word(self.after)
        if before == after:
            before, after = f"{before} ({_kind(self.before)})", f"{after} ({_kind(self.after)})"
        return f"{self.column}: {before} -> {after}"


def _word(cell: Cell) -> str:
    return cells.cut(cells.shown(cell)) or "(empty)"


def _kind(cell: Cell) -> str:
    return _KINDS.get(type(cell), "unreadable")


def restored(before: Sequence[Cell], after: Sequence[Cell], written: Written) -> tuple[Cell, ...]:
    """Give the corrected cells; one that nobody touched stays the very cell it was, whatever kind the file made of it.

    So a date of a spreadsheet is the same date again after its way through a CSV file.
    """
    return tuple(old if _is_untouched(old, new, written) else new for old, new in zip(before, after, strict=True))


def _is_untouched(old: Cell, new: Cell, written: Written) -> bool:
    if isinstance(new, str):
        return _lines(new) in {_lines(text) for text in written(old)}
    if new is None:
        return old is None or old == ""
    return type(new) is type(old) and new == old


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def changes(header: Sequence[str], before: Sequence[Cell], after: Sequence[Cell]) -> tuple[Change, ...]:
    """Give the cells that changed, in the sheet's order."""
    pairs = zip(header, before, after, strict=True)
    return tuple(Change(name, old, new) for name, old, new in pairs if type(old) is not type(new) or old != new)


def grouped_by_points(spec: JobSpec) -> frozenset[str]:
    """Give the columns in whose texts a point groups thousands."""
    readings = {target.column: mapping.reading_of(target) for target in spec.data.values() if target.column is not None}
    return frozenset(column for column, reading in readings.items() if reading.thousands == ".")


def is_ambiguous(change: Change, by_points: Collection[str]) -> bool:
    """Tell whether a number was replaced by a text such as 1.234 where a point groups thousands.

    The report wrote the number with a decimal point, so nobody can say which of the two is meant.
    """
    return (
        change.column in by_points
        and isinstance(change.before, Number)
        and isinstance(change.after, str)
        and _ONE_POINT.fullmatch(change.after) is not None
    )


def told(found: Sequence[Problem], most: int) -> list[str]:
    """Give a line for each problem, the commonest cause first; beyond `most`, how many more there are."""
    causes = Counter(map(_cause, found))
    ordered = sorted(found, key=lambda one: (-causes[_cause(one)], _cause(one), one.row))
    left = len(ordered) - most
    return [*map(_line, ordered[:most]), *([f"and {left:,} more"] if left > 0 else [])]


def _cause(problem: Problem) -> tuple[str, str]:
    return problem.column or "", problem.code


def _line(problem: Problem) -> str:
    column = f" {problem.column}" if problem.column else ""
    value = f' "{problem.value}"' if problem.value else ""
    return f"{problem.cell}{column}{value}: {problem.message}"


def nearest_key(key: Sequence[str], known: Mapping[tuple[str, ...], tuple[str, ...]]) -> str:
    """Name the key that this one was before a spreadsheet took its leading zeros; else say nothing."""
    found = known.get(without_zeros(key))
    return (
        f'; did you mean "{", ".join(found)}"? Format the column as Text, so that Excel keeps the zeros'
        if found
        else ""
    )


def without_zeros(key: Sequence[str]) -> tuple[str, ...]:
    """Give a key without its leading zeros."""
    return tuple(part.lstrip("0") for part in key)
