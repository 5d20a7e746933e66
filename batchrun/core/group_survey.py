"""The first of two readings of a sheet whose rows are grouped: what must be known of all rows before one is prepared.

It keeps no rows, only some bytes of each: which part the row takes, and whether it is the last that concerns its
group, so that the second reading (`group_reading`) can let go of each group as soon as it is whole.

Groups are noted by hashes of 41 bits. Two groups that share one are held until both are whole, and are told apart by
their true values: a hash decides how long something is held, and never what belongs together.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from typing import Final

from batchrun.core import keys, selection
from batchrun.core.prepare import Preparer
from batchrun.model import SourceRow

Group = tuple[str, ...]
Hash = Callable[[Group], int]

CHUNK = 500  # rows that are looked at together

# What a row is: left out, of an unknown group, of a group, or of a group and not taken by --rows or by --limit.
LEFT_OUT, ALONE, MEMBER, NOT_OF_ROWS, BEYOND_LIMIT = range(5)
KIND: Final = 7
LAST: Final = 8  # no row after this one concerns its group (of an ALONE row: the group before it)


@dataclass
class Survey:
    """What the first reading has found.

    `flags` has a byte for each row that was read, `digests` a number for each CHUNK of them, by which the second
    reading is known to be of the same rows. `rows` take part, `left_out` do not. `suspects` are hashes of keys that
    more than one group seems to have.
    """

    hash_of: Hash
    flags: bytearray = field(default_factory=bytearray)
    digests: array[int] = field(default_factory=lambda: array("q"))
    rows: int = 0
    left_out: int = 0
    suspects: frozenset[int] = frozenset()

    def short_hash(self, group: Group) -> int:
        """Give the hash by which a group, or the key of one, is noted."""
        return self.hash_of(group) & _BITS


def survey(
    preparer: Preparer,
    rows: Iterable[SourceRow],
    limit: int | None,
    seen: Callable[[int], None],
    hash_of: Hash = hash,
) -> Survey:
    """Read all rows of a sheet for the first time; `seen` is told how many were read by now."""
    surveyor = _Surveyor(preparer, limit, hash_of)
    for some in chunks(rows):
        surveyor.add(some)
        seen(len(surveyor.found.flags))
    return surveyor.finished()


def chunks(rows: Iterable[SourceRow]) -> Iterator[list[SourceRow]]:
    """Give rows CHUNK at a time."""
    following = iter(rows)
    while some := list(islice(following, CHUNK)):
        yield some


def digest(some: Sequence[SourceRow]) -> int:
    """Give a number by which some rows are known again within this process."""
    return hash(tuple(some))


class _Surveyor:
    """Notes of each row what it is, and of each group the last row that concerns it."""

    def __init__(self, preparer: Preparer, limit: int | None, hash_of: Hash) -> None:
        self.found = Survey(hash_of)
        self._preparer, self._limit = preparer, limit
        self._groups = _Pairs("I")
        # A key that names all columns of the group cannot be another group's, too.
        self._keys = None if set(preparer.group_columns) <= set(preparer.key_columns) else _Pairs("q")
        self._before: int | None = None

    def add(self, some: list[SourceRow]) -> None:
        found = self.found
        found.digests.append(digest(some))
        for row, mark in zip(some, _marks(self._preparer, some), strict=True):
            kind = self._kind(row.number, mark)
            if isinstance(mark, tuple) and kind != LEFT_OUT:
                self._note(row, kind, mark)
            elif kind == ALONE and self._before is not None:  # it may be a row of the group before it
                self._groups.add(self._before, len(found.flags))
            found.flags.append(kind)

    def _kind(self, number: int, mark: Group | int) -> int:
        found, ranges = self.found, self._preparer.rows
        chosen = not ranges or selection.selects(ranges, number)
        if chosen and (self._limit is None or found.rows < self._limit):
            taken = mark != LEFT_OUT
            found.rows += taken
            found.left_out += not taken
            return mark if isinstance(mark, int) else MEMBER
        found.left_out += not chosen
        if isinstance(mark, int):
            return LEFT_OUT
        return BEYOND_LIMIT if chosen else NOT_OF_ROWS

    def _note(self, row: SourceRow, kind: int, group: Group) -> None:
        hashed = self.found.short_hash(group)
        self._groups.add(hashed, len(self.found.flags))
        if kind == MEMBER:
            self._before = hashed
            if self._keys is not None:
                self._keys.add(self.found.short_hash(keys.key_of(row, self._preparer.key_columns)), hashed)

    def finished(self) -> Survey:
        found = self.found
        is_cut = any(found.flags.count(kind) for kind in (NOT_OF_ROWS, BEYOND_LIMIT))
        for hashes, places in self._groups.parts():
            lasts = dict(zip(hashes, places, strict=True))
            if is_cut:
                _leave_out_others(found.flags, hashes, places, lasts)
            for place in lasts.values():
                found.flags[place] |= LAST
        if self._keys is not None:
            found.suspects = self._keys.firsts_of_several()
        return found


def _marks(preparer: Preparer, some: Sequence[SourceRow]) -> list[Group | int]:
    """Give the group of each row, or why it is in none."""
    marks = [_mark(preparer, row) for row in some]
    groups = iter(keys.keys_of(list(compress(some, [mark == MEMBER for mark in marks])), preparer.group_columns))
    return [(next(groups) or ALONE) if mark == MEMBER else mark for mark in marks]


def _mark(preparer: Preparer, row: SourceRow) -> int:
    if row.faults:
        return ALONE
    wanted = preparer.where is None or preparer.where(row)
    return MEMBER if wanted is True else LEFT_OUT if wanted is False else ALONE


def _leave_out_others(flags: bytearray, hashes: Sequence[int], places: Sequence[int], lasts: dict[int, int]) -> None:
    """Leave out the rows of groups of which no row is taken: nothing is cut off from these."""
    taken = {hashed for hashed, place in zip(hashes, places, strict=True) if flags[place] == MEMBER}
    for hashed, place in zip(hashes, places, strict=True):
        if hashed not in taken:
            flags[place] = LEFT_OUT
            lasts.pop(hashed, None)


class _Pairs:
    """Holds pairs of a hash and a number, of which only a part at a time becomes Python objects."""

    def __init__(self, kind: str) -> None:
        self._hashes = tuple(array("I") for _ in range(_PARTS))
        self._numbers = tuple(array(kind) for _ in range(_PARTS))

    def add(self, hashed: int, number: int) -> None:
        part = hashed % _PARTS
        self._hashes[part].append(hashed // _PARTS)
        self._numbers[part].append(number)

    def parts(self) -> Iterator[tuple[array[int], array[int]]]:
        return zip(self._hashes, self._numbers, strict=True)

    def firsts_of_several(self) -> frozenset[int]:
        """Give the hashes that stand beside more than one number."""
        found: set[int] = set()
        for part, (hashes, numbers) in enumerate(self.parts()):
            counts = Counter(hashed for hashed, _ in set(zip(hashes, numbers, strict=True)))
            found.update(hashed * _PARTS + part for hashed, count in counts.items() if count > 1)
        return frozenset(found)


_PARTS, _BITS = 1 << 9, (1 << 41) - 1
