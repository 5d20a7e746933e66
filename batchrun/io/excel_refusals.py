"""Keep what is refused of a sheet by area: merged cells, and errors that a reader does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batchrun.io.excel_survey import Area
from batchrun.model import Unreadable, column_letters

Refusal = tuple[Area, Unreadable]


class Refusals:
    """Knows, for rows asked in order, which of their cells are refused."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self._waiting = sorted(refusals, key=lambda refusal: refusal[0], reverse=True)
        self._active: list[Refusal] = []
        self.width = max((area[3] + 1 for area, why in self._waiting if why.code != "merged-cell"), default=0)
        self.last_row = max((area[2] for area, why in self._waiting if why.code != "merged-cell"), default=0)

    def in_row(self, row: int, width: int) -> Iterator[tuple[int, Unreadable]]:
        """Name the refused cells of a row, up to a width."""
        while self._waiting and self._waiting[-1][0][0] <= row:
            self._active.append(self._waiting.pop())
        self._active = [refusal for refusal in self._active if refusal[0][2] >= row]
        for (_, left, _, right), why in self._active:
            for column in range(left, min(right + 1, width)):
                yield column, why


def merged_cells(areas: Iterable[Area]) -> Iterator[Refusal]:
    """Refuse all cells of merged areas but their first ones, which hold the values."""
    for top, left, bottom, right in areas:
        why = Unreadable(
            "merged-cell",
            f"the cell is merged with {column_letters(left)}{top}, so it has no value of its own; "
            "unmerge the cells and fill each one.",
        )
        yield (top, left + 1, top, right), why
        yield (top + 1, left, bottom, right), why
