"""Many groups prepared together, in a fraction of the time: those that are valid, as nearly all of them are.

Whatever is not plainly right goes to `groups.prepared`, which alone says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from batchrun.core import groups, keys, mapping, payloads
from batchrun.core.cells import Fault
from batchrun.core.columns import Values
from batchrun.core.group_layout import Batch, Layout
from batchrun.core.groups import LongRows
from batchrun.core.prepare import Prepared, Preparer, amounts_of
from batchrun.model import Cell, Number, SourceRow

Noted = tuple[Sequence[SourceRow], str | None]  # the rows of a group, and why it may not be whole


class Together:
    """Prepares the groups of one job."""

    def __init__(self, preparer: Preparer) -> None:
        self._preparer = preparer
        self._fields = preparer.mapper.fields
        self._long_rows = LongRows(preparer.mapper)
        self._layout = Layout(self._fields, self._long_rows)
        self._said_once = self._layout.said_once
        shared = {column for one in compress(self._fields, self._said_once) for column in one.columns}
        self._agreeing = tuple(shared | set(preparer.key_columns))

    def prepared(self, noted: Sequence[Noted]) -> Iterator[list[Prepared]]:
        """Give what `groups.prepared` gives for each of some groups."""
        every = [rows for rows, note in noted if note is None]
        good = iter(self._good(every) if every else [])
        for rows, note in noted:
            made = None if note is not None else next(good)
            yield groups.prepared(self._preparer, rows, note, self._long_rows) if made is None else made

    def _good(self, every: Sequence[Sequence[SourceRow]]) -> list[list[Prepared] | None]:
        """Give each group that is valid, prepared, and None for the others."""
        batch, is_valid = Batch(every), self._preparer.schema.validator.is_valid
        read = self._read(batch)
        bad = self._faulty(batch, read) | self._differing(batch)
        data = self._layout.laid_out(batch, read)
        of_keys = keys.keys_of([rows[0] for rows in every], self._preparer.key_columns)
        good = [
            key is not None and at not in bad and is_valid(one)
            for at, (key, one) in enumerate(zip(of_keys, data, strict=True))
        ]
        bodies = iter(payloads.all_to_json(list(compress(data, good))))
        return [
            self._members(rows, key, next(bodies)) if is_good and key is not None else None
            for rows, key, is_good in zip(every, of_keys, good, strict=True)
        ]

    def _members(self, rows: Sequence[SourceRow], key: tuple[str, ...], payload: bytes) -> list[Prepared]:
        preparer, first, last = self._preparer, rows[0], rows[-1]
        made = [Prepared(first, key, payload, (), amounts_of(preparer, first), None, None, first is not last)]
        for row in rows[1:]:
            amounts = amounts_of(preparer, row)
            made.append(Prepared(row, key, None, (), amounts, first.number, None, row is not last))
        return made

    def _read(self, batch: Batch) -> list[Values]:
        """Give the values of each target: of each group, or of each row."""
        return [
            mapping.values_of(one, batch.first_cells, batch.first_by_column)
            if once
            else mapping.values_of(one, batch.cells, batch.by_column)
            for one, once in zip(self._fields, self._said_once, strict=True)
        ]

    def _faulty(self, batch: Batch, read: Sequence[Values]) -> set[int]:
        """Give the groups of which a value is faulty."""
        faulty: set[int] = set()
        for one, once in zip(read, self._said_once, strict=True):
            if not one.whole:
                places = [at for at, value in enumerate(one.values) if type(value) is Fault]
                faulty.update(places if once else [batch.group_of[at] for at in places])
        return faulty

    def _differing(self, batch: Batch) -> set[int]:
        """Give the groups whose rows do not agree in what is said once."""
        unsure: set[int] = set()
        for column in self._agreeing:
            firsts = batch.first_by_column[column]
            unsure.update(_unlike(batch.by_column[column], [firsts[at] for at in batch.group_of], batch.group_of))
        return {at for at in unsure if not groups.agrees(self._preparer, batch.every[at])}


def _unlike(here: Sequence[Cell], wanted: Sequence[Cell], group_of: Sequence[int]) -> Iterable[int]:
    """Give the groups of the cells that are not beyond doubt the same."""
    if list(here) == wanted and set(map(type, here)) == {str}:
        return ()
    return [at for at, one, other in zip(group_of, here, wanted, strict=True) if not _is_same_cell(one, other)]


def _is_same_cell(one: Cell, other: Cell) -> bool:
    if one is other:
        return True
    if type(one) is not type(other) or one != other:
        return False
    # Equal Decimals can be written in several ways, and an expression may see which.
    return not (isinstance(one, Number) and isinstance(other, Number)) or str(one.value) == str(other.value)
