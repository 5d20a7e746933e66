"""Which cells of a sheet are to be marked, and with which words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from batchrun.io.excel_survey import column_position
from batchrun.model import Problem, SheetInfo

COLUMN = "_problems"
_CELL = re.compile(r"([A-Z]+)([0-9]+)")


@dataclass(slots=True)
class RowMarks:
    """What is wrong in one row: words by cell (zero-based column), and words for its `_problems` cell.

    `whole` says that some problem belongs to no cell, so that the `_problems` cell itself is marked.
    """

    cells: dict[int, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    whole: bool = False

    @property
    def note(self) -> str:
        """Give the words of the `_problems` cell, as one line."""
        return "; ".join([*(note.rstrip(".") for note in self.notes[:-1]), *self.notes[-1:]])


Marks = Mapping[int, RowMarks]


def marks_of(problems: Iterable[Problem], info: SheetInfo) -> dict[int, RowMarks]:
    """Sort problems by row and cell. A problem of several cells marks them all; it is told in its own row."""
    marks: dict[int, RowMarks] = {}
    prefix = info.row_address(0).removesuffix("0")
    for problem in problems:
        own = marks.setdefault(problem.row, RowMarks())
        own.notes.append(_note(problem))
        places = list(_cells(problem.cell, prefix))
        own.whole = own.whole or not places
        for row, column in places:
            words = marks.setdefault(row, RowMarks()).cells.setdefault(column, [])
            if problem.message not in words:
                words.append(problem.message)
    return dict(sorted(marks.items()))


def _note(problem: Problem) -> str:
    return f"{problem.column}: {problem.message}" if problem.column else problem.message


def _cells(named: str, prefix: str) -> Iterator[tuple[int, int]]:
    """Read addresses such as `in.csv!B3, in.csv!C3`; file and sheet names may hold commas themselves."""
    for piece in named.split(prefix):
        found = _CELL.fullmatch(piece.strip(", "))
        if found is not None:
            yield int(found[2]), column_position(found[1])
