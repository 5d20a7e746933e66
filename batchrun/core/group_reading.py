"""The second reading of a sheet whose rows are grouped: each group is held until its last row, and prepared then.

Rows are given in the sheet's order, so what stands between a group's first row and its last is held as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from batchrun.core import groups, keys
from batchrun.core.group_survey import (
    ALONE,
    KIND,
    LAST,
    LEFT_OUT,
    MEMBER,
    NOT_OF_ROWS,
    Group,
    Survey,
    chunks,
    digest,
)
from batchrun.core.groups_together import Together
from batchrun.core.prepare import Prepared, Preparer
from batchrun.errors import BadInput
from batchrun.model import SourceRow

Numbers = tuple[int, ...]


@dataclass(slots=True)
class _Open:
    """A group while its rows are read; `places` are those of its rows among all that take part."""

    hashed: int
    rows: list[SourceRow] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    cut: str | None = None
    beside: int | None = None

    @property
    def note(self) -> str | None:
        """Say why the group may not be whole."""
        if self.cut is not None or self.beside is None:
            return self.cut
        return f"row {self.beside}, beside this group, may belong to it and cannot be read"


_Bucket = list[_Open]  # the groups of one hash, which is nearly always one group


def gathered(preparer: Preparer, found: Survey, again: Callable[[], Iterable[SourceRow]]) -> Iterator[Prepared]:
    """Give the rows that take part, prepared, in the sheet's order; `again` reads the same rows as the survey did."""
    repeats = _repeats(preparer, found, again)
    may_repeat = not set(preparer.group_columns) <= set(preparer.key_columns)
    together = Together(preparer)
    made: dict[int, Prepared] = {}
    following = 0
    for alone, closed in _sorted(preparer, found, again):
        made.update((place, groups.alone(preparer, row)) for place, row in alone)
        whole = [one for bucket in closed for one in bucket]
        for one, members in zip(whole, together.prepared([(one.rows, one.note) for one in whole]), strict=True):
            made.update(zip(one.places, members, strict=True))
        if may_repeat:
            _refuse_repeated(preparer, made, closed, repeats)
        while (ready := made.pop(following, None)) is not None:
            yield ready
            following += 1


def _sorted(
    preparer: Preparer, found: Survey, again: Callable[[], Iterable[SourceRow]]
) -> Iterator[tuple[list[tuple[int, SourceRow]], list[_Bucket]]]:
    """Give, chunk by chunk, the rows that are in no group and the groups that are whole now."""
    sorter = _Sorter(preparer, found)
    for number, some in enumerate(chunks(again())):
        if number >= len(found.digests) or digest(some) != found.digests[number]:
            raise _changed(preparer)
        yield sorter.sorted(some)
    if sorter.read != len(found.flags):
        raise _changed(preparer)


def _changed(preparer: Preparer) -> BadInput:
    return BadInput(f"{preparer.info.file_name} was changed while it was being read; run the command again")


class _Sorter:
    """Puts rows into their groups, and gives the groups away when they are whole."""

    def __init__(self, preparer: Preparer, found: Survey) -> None:
        self._preparer, self._found = preparer, found
        self._open: dict[int, dict[Group, _Open]] = {}
        self._before: _Open | None = None
        self._unknown: int | None = None  # the row of unknown group after which no group has come yet
        self._place = self.read = 0

    def sorted(self, some: list[SourceRow]) -> tuple[list[tuple[int, SourceRow]], list[_Bucket]]:
        """Sort a chunk of rows."""
        flags = self._found.flags[self.read : self.read + len(some)]
        self.read += len(some)
        alone: list[tuple[int, SourceRow]] = []
        closed: list[_Bucket] = []
        for flag, row, group in zip(flags, some, self._groups(flags, some), strict=True):
            kind = flag & KIND
            if group is not None:
                hashed = self._add(kind, row, group)
            elif kind == ALONE:
                alone.append((self._place, row))
                hashed = self._note_beside(row)
            if flag & LAST:
                closed.append([one for one in self._open.pop(hashed).values() if one.rows])
        return alone, closed

    def _groups(self, flags: Sequence[int], some: Sequence[SourceRow]) -> Iterator[Group | None]:
        grouped = [flag & KIND not in (LEFT_OUT, ALONE) for flag in flags]
        of_rows = [row for row, is_grouped in zip(some, grouped, strict=True) if is_grouped]
        following = iter(keys.keys_of(of_rows, self._preparer.group_columns))
        return (next(following) if is_grouped else None for is_grouped in grouped)

    def _add(self, kind: int, row: SourceRow, group: Group) -> int:
        hashed = self._found.short_hash(group)
        bucket = self._open.setdefault(hashed, {})
        one = bucket.get(group) or bucket.setdefault(group, _Open(hashed))
        if kind == MEMBER:
            one.rows.append(row)
            one.places.append(self._place)
            self._place += 1
            self._before = one
            if self._unknown is not None:
                one.beside, self._unknown = self._unknown, None
        elif one.cut is None:
            flag = "--rows" if kind == NOT_OF_ROWS else "--limit"
            one.cut = f"row {row.number} is of the same group and is not taken ({flag}); take all of its rows"
        return hashed

    def _note_beside(self, row: SourceRow) -> int:
        self._place += 1
        self._unknown = row.number
        if self._before is None:
            return 0
        self._before.beside = row.number
        return self._before.hashed


def _repeats(
    preparer: Preparer, found: Survey, again: Callable[[], Iterable[SourceRow]]
) -> dict[tuple[str, ...], Numbers]:
    """Read once more, for the keys that more than one group seems to have; give the first rows of those that do."""
    leaders: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    if found.suspects:
        for _, closed in _sorted(preparer, found, again):
            for one in chain.from_iterable(closed):
                key = keys.key_of(one.rows[0], preparer.key_columns)
                if found.short_hash(key) in found.suspects:
                    leaders.setdefault(key, []).append((one.places[0], one.rows[0].number))
    return {key: tuple(number for _, number in sorted(of_key)) for key, of_key in leaders.items()}


def _refuse_repeated(
    preparer: Preparer, made: dict[int, Prepared], closed: Iterable[_Bucket], repeats: dict[tuple[str, ...], Numbers]
) -> None:
    """Make all groups invalid whose key another group has, too."""
    for bucket in closed:
        for one in bucket:
            key = made[one.places[0]].key
            same = repeats.get(key) or _same_key(preparer, bucket, key)
            if all(key) and len(same) > 1:
                for place in one.places:
                    made[place] = groups.repeated(preparer, made[place], same)


def _same_key(preparer: Preparer, bucket: _Bucket, key: tuple[str, ...]) -> Numbers:
    """Give the first rows of the groups that have a key: those of one hash are no suspects, and are compared here."""
    leaders = sorted((one.places[0], one.rows[0]) for one in bucket)
    return tuple(row.number for _, row in leaders if keys.key_of(row, preparer.key_columns) == key)
