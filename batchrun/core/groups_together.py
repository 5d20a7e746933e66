"""Many groups prepared together, in a fraction of the time: those that are valid, as nearly all of them are.

Whatever is not plainly right goes to `groups.prepared`, which alone says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, pairwise
from typing import Any, NamedTuple

from batchrun.core import groups, keys, mapping, payloads, targets
from batchrun.core.cells import Fault
from batchrun.core.columns import Values
from batchrun.core.mapping import OMIT, Field
from batchrun.core.prepare import Prepared, Preparer, amounts_of
from batchrun.core.targets import EACH, Path, Shape
from batchrun.model import Cell, Number, SourceRow

Noted = tuple[Sequence[SourceRow], str | None]  # the rows of a group, and why it may not be whole


class _Shapes(NamedTuple):
    """How plain values make a payload: `places` are its own values and its lists, in the order of the targets.

    Of a list there is the shape of its items, and which fields make them; where an item is a single value, no shape.
    """

    outer: Shape
    places: tuple[tuple[int, ...] | int, ...]
    items: tuple[Shape | None, ...]


class Together:
    """Prepares groups of one job."""

    def __init__(self, preparer: Preparer) -> None:
        self._preparer = preparer
        fields = preparer.mapper.fields
        self._shapes = _shapes(fields)
        self._said_once = tuple(EACH not in one.path for one in fields)
        shared = {column for one, once in zip(fields, self._said_once, strict=True) if once for column in one.columns}
        self._agreeing = tuple(shared | set(preparer.key_columns))

    def prepared(self, noted: Sequence[Noted]) -> Iterator[list[Prepared]]:
        """Give what `groups.prepared` gives for each of some groups."""
        every = [rows for rows, note in noted if note is None]
        good = iter(self._good(every) if every else ())
        for rows, note in noted:
            made = None if note is not None else next(good)
            yield groups.prepared(self._preparer, rows, note) if made is None else made

    def _good(self, every: Sequence[Sequence[SourceRow]]) -> Iterator[list[Prepared] | None]:
        """Give each group that is valid, prepared, and None for the others."""
        preparer = self._preparer
        batch = _Batch(every)
        read = [self._read(one, batch, once=once) for one, once in self._fields()]
        odd, faulty = self._odd(batch, read)
        faulty |= self._differing(batch)
        data = self._laid_out(batch, read, odd)
        of_keys = keys.keys_of([rows[0] for rows in every], preparer.key_columns)
        is_valid = preparer.schema.validator.is_valid
        good = [
            key is not None and at not in faulty and is_valid(one)
            for at, (key, one) in enumerate(zip(of_keys, data, strict=True))
        ]
        bodies = iter(payloads.all_to_json(list(compress(data, good))))
        for rows, key, is_good in zip(every, of_keys, good, strict=True):
            yield self._group(rows, key, next(bodies)) if is_good and key is not None else None

    def _fields(self) -> Iterable[tuple[Field, bool]]:
        return zip(self._preparer.mapper.fields, self._said_once, strict=True)

    def _group(self, rows: Sequence[SourceRow], key: tuple[str, ...], payload: bytes) -> list[Prepared]:
        preparer, first = self._preparer, rows[0]
        made = [Prepared(first, key, payload, (), amounts_of(preparer, first), None, None, len(rows) > 1)]
        last = rows[-1]
        for row in rows[1:]:
            amounts = amounts_of(preparer, row)
            made.append(Prepared(row, key, None, (), amounts, first.number, None, row is not last))
        return made

    def _read(self, one: Field, batch: _Batch, *, once: bool) -> Values:
        if once:
            return mapping.values_of(one, batch.first_cells, batch.first_by_column)
        return mapping.values_of(one, batch.cells, batch.by_column)

    def _odd(self, batch: _Batch, read: Sequence[Values]) -> tuple[set[int], set[int]]:
        """Give the groups of which a value is left out, and those of which one is faulty."""
        odd: set[int] = set()
        faulty: set[int] = set()
        for one, once in zip(read, self._said_once, strict=True):
            if not one.whole:
                of_groups = range(len(batch.every)) if once else batch.group_of
                odd.update([at for at, value in zip(of_groups, one.values, strict=True) if value is OMIT])
                faulty.update([at for at, value in zip(of_groups, one.values, strict=True) if type(value) is Fault])
        return odd, faulty

    def _differing(self, batch: _Batch) -> set[int]:
        """Give the groups whose rows do not agree in what is said once."""
        unsure: set[int] = set()
        for column in self._agreeing:
            wanted = [batch.first_by_column[column][at] for at in batch.group_of]
            unsure.update(_unlike(batch.by_column[column], wanted, batch.group_of))
        return {at for at in unsure if not groups.agrees(self._preparer, batch.every[at])}

    def _laid_out(self, batch: _Batch, read: Sequence[Values], odd: set[int]) -> list[dict[str, Any]]:
        if self._shapes is None:
            return [self._laid_out_alone(batch, read, at) for at in range(len(batch.every))]
        shapes = self._shapes
        items = iter(shapes.items)
        columns = [
            read[place].values
            if isinstance(place, int)
            else _lists(batch, next(items), [read[one].values for one in place])
            for place in shapes.places
        ]
        data = targets.lay_out(shapes.outer, columns)
        for at in odd:
            data[at] = self._laid_out_alone(batch, read, at)
        return data

    def _laid_out_alone(self, batch: _Batch, read: Sequence[Values], at: int) -> dict[str, Any]:
        """Lay out one group value by value, as a single row is: for values that are left out, and places of lists."""
        data: dict[str, Any] = {}
        start, end = batch.bounds[at]
        for (one, once), given in zip(self._fields(), read, strict=True):
            for place, value in enumerate([given.values[at]] if once else given.values[start:end]):
                if value is not OMIT:
                    targets.place(data, groups.path_at(one.path, place), value)
        closed: dict[str, Any] = targets.close_up(data)
        return closed


class _Batch:
    """The rows of some groups, one after the other, and the first row of each."""

    def __init__(self, every: Sequence[Sequence[SourceRow]]) -> None:
        self.every = every
        self.sizes = [len(rows) for rows in every]
        self.bounds = list(pairwise(accumulate(self.sizes, initial=0)))
        self.group_of = [at for at, size in enumerate(self.sizes) for _ in range(size)]
        self.cells = [row.cells for rows in every for row in rows]
        self.by_column = list(zip(*self.cells, strict=True))
        self.first_cells = [rows[0].cells for rows in every]
        self.first_by_column = list(zip(*self.first_cells, strict=True))


def _lists(batch: _Batch, shape: Shape | None, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Give the list of each group, one item from each row."""
    items = columns[0] if shape is None else targets.lay_out(shape, columns)
    return [list(items[start:end]) for start, end in batch.bounds]


def _unlike(here: Sequence[Cell], wanted: Sequence[Cell], group_of: Sequence[int]) -> Iterable[int]:
    """Give the groups of the cells that are not beyond doubt the same."""
    if list(here) == wanted and set(map(type, here)) == {str}:
        return ()
    return (at for at, one, other in zip(group_of, here, wanted, strict=True) if not _is_same_cell(one, other))


def _is_same_cell(one: Cell, other: Cell) -> bool:
    if one is other:
        return True
    # Equal Decimals can be written in several ways, and an expression may see which.
    return type(one) is type(other) and one == other and not isinstance(one, Number)


def _shapes(fields: Sequence[Field]) -> _Shapes | None:
    """Give how values make payloads; None where a target names a place of a list."""
    found: dict[Path, list[int]] = {}
    for at, one in enumerate(fields):
        found.setdefault(_outer(one.path), []).append(at)
    of_lists = {path: members for path, members in found.items() if EACH in fields[members[0]].path}
    inner = [[fields[at].path[len(path) + 1 :] for at in members] for path, members in of_lists.items()]
    items = [None if paths == [()] else targets.shape_of(paths) for paths in inner]
    outer = targets.shape_of(list(found))
    if outer is None or any(item is None and paths != [()] for item, paths in zip(items, inner, strict=True)):
        return None
    places = (tuple(members) if path in of_lists else members[0] for path, members in found.items())
    return _Shapes(outer, tuple(places), tuple(items))


def _outer(path: Path) -> Path:
    """Give the place of a value, or of the list that it lies in."""
    return path[: path.index(EACH)] if EACH in path else path
