"""How the values of many groups become the data of their payloads at once, a target after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from batchrun.core import targets
from batchrun.core.columns import Values
from batchrun.core.groups import LongRows
from batchrun.core.mapping import OMIT, Field
from batchrun.core.targets import EACH, Path, Shape
from batchrun.model import SourceRow


class Batch:
    """The rows of some groups, one after the other, and the first row of each, both by row and by column."""

    def __init__(self, every: Sequence[Sequence[SourceRow]]) -> None:
        self.every = every
        sizes = [len(rows) for rows in every]
        self.bounds = list(pairwise(accumulate(sizes, initial=0)))
        self.group_of = [at for at, size in enumerate(sizes) for _ in range(size)]
        self.cells = [row.cells for rows in every for row in rows]
        self.by_column = list(zip(*self.cells, strict=True))
        self.first_cells = [rows[0].cells for rows in every]
        self.first_by_column = list(zip(*self.first_cells, strict=True))


class _Shapes(NamedTuple):
    """How plain values make a payload: `parts` are its own targets and its lists, in the order of the targets.

    A part is one target, or those of a list together with the shape of its items; it is None where an item is a
    single value.
    """

    outer: Shape
    parts: tuple[int | tuple[Shape | None, tuple[int, ...]], ...]


class Layout:
    """Lays out the payloads of one job; of each target there are as many values as groups, or as rows."""

    def __init__(self, fields: Sequence[Field], long_rows: LongRows) -> None:
        self._long_rows = long_rows
        self.said_once = tuple(EACH not in one.path for one in fields)
        self._steps = tuple(one.path[one.path.index(EACH) + 1 :] if EACH in one.path else one.path for one in fields)
        self._leads = _leading(fields)
        self._shapes = _shapes(fields)

    def laid_out(self, batch: Batch, read: Sequence[Values]) -> list[dict[str, Any]]:
        """Give the data of each group; of one that holds a Fault it means nothing."""
        if self._shapes is None:
            return [self._alone(batch, read, at) for at in range(len(batch.every))]
        columns: list[Sequence[Any]] = []
        items: dict[int, Sequence[Any]] = {}
        for part in self._shapes.parts:
            if isinstance(part, int):
                columns.append(read[part].values)
            else:
                shape, places = part
                values = [read[place].values for place in places]
                made = values[0] if shape is None else targets.lay_out(shape, values)
                items.update(dict.fromkeys(places, made))
                columns.append([list(made[start:end]) for start, end in batch.bounds])
        data = targets.lay_out(self._shapes.outer, columns)
        for at in self._without_gaps(batch, read, data, items):
            data[at] = self._alone(batch, read, at)
        return data

    def _without_gaps(
        self, batch: Batch, read: Sequence[Values], data: Sequence[dict[str, Any]], items: dict[int, Sequence[Any]]
    ) -> set[int]:
        """Take out what is left out, and give the groups of which that is not enough.

        An object or a list stands where its first value does: where that one is left out it may stand elsewhere, or
        not be there at all.
        """
        others: set[int] = set()
        for place, (one, once, leads) in enumerate(zip(read, self.said_once, self._leads, strict=True)):
            gaps = [] if one.whole else [at for at, value in enumerate(one.values) if value is OMIT]
            if leads:
                others.update(gaps if once else [batch.group_of[at] for at in gaps])
                continue
            *outer, name = self._steps[place]
            for at in gaps:
                here: Any = data[at] if once else items[place][at]
                for step in outer:
                    here = here[step]
                del here[name]
        return others

    def _alone(self, batch: Batch, read: Sequence[Values], at: int) -> dict[str, Any]:
        """Lay out one group value by value, as a single row is."""
        data: dict[str, Any] = {}
        start, end = batch.bounds[at]
        values = (
            value
            for one, once in zip(read, self.said_once, strict=True)
            for value in ([one.values[at]] if once else one.values[start:end])
        )
        for one, value in zip(self._long_rows.fields(end - start), values, strict=True):
            if value is not OMIT:
                targets.place(data, one.path, value)
        closed: dict[str, Any] = targets.close_up(data)
        return closed


def _leading(fields: Sequence[Field]) -> tuple[bool, ...]:
    """Tell of each target whether it is the first in an object or a list."""
    known: set[Path] = set()
    leads: list[bool] = []
    for one in fields:
        around = {one.path[:length] for length in range(1, len(one.path))}
        leads.append(not around <= known)
        known |= around
    return tuple(leads)


def _shapes(fields: Sequence[Field]) -> _Shapes | None:
    """Give how values make payloads; None where a target names a place of a list."""
    found: dict[Path, list[int]] = {}
    for at, one in enumerate(fields):
        found.setdefault(one.path[: one.path.index(EACH)] if EACH in one.path else one.path, []).append(at)
    outer = targets.shape_of(list(found))
    parts: list[int | tuple[Shape | None, tuple[int, ...]]] = []
    for path, places in found.items():
        if EACH not in fields[places[0]].path:
            parts.append(places[0])
            continue
        items = [fields[place].path[len(path) + 1 :] for place in places]
        shape = None if items == [()] else targets.shape_of(items)
        if shape is None and items != [()]:
            return None
        parts.append((shape, tuple(places)))
    return None if outer is None else _Shapes(outer, tuple(parts))
