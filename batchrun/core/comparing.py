"""This month against the last: which keys came and went, which fields changed, which amounts moved."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple

from batchrun.core.totals import Totals
from batchrun.model import Amount, State, Summed

# As in `totals`: money is never rounded.
_EXACT = Context(prec=200)
_NOTHING = Decimal(0)

Key = tuple[str, ...]
# By control total; None where a cell could not be read.
Amounts = tuple[tuple[str, Decimal | None], ...]


Value = str | Decimal | bool | None


class Entry(NamedTuple):
    """One key of one side: its first row in its sheet, its amounts by control total, and whose sum it is a part of."""

    row: int
    position: int
    key: Key
    amounts: Amounts
    group: str | None = None


class Change(NamedTuple):
    """One field that differs from before; `path` is its place in the payload, None where it is not sent.

    `old` and `new` are what the payload, or else the cell, says: text, a number, true or false; None where nothing.
    """

    row: int
    key: Key
    column: str | None
    path: str | None
    old: Value
    new: Value


class Changes:
    """The changes of many rows, packed: where each of 100,000 rows has another due date, that is seldom news."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, Key, str]] = []
        self._count = 0

    def add(self, row: int, key: Key, some: Iterable[tuple[str | None, str | None, Value, Value]]) -> None:
        """Take in one row's changes: column, path, old and new of each."""
        found = list(some)
        if found:
            self._rows.append((row, key, json.dumps(found, default=_packed)))
            self._count += len(found)

    def of(self, keys: Container[Key]) -> Changes:
        """Give the changes of some keys."""
        chosen = Changes()
        chosen._rows = [one for one in self._rows if one[1] in keys]
        chosen._count = sum(len(json.loads(packed)) for _, _, packed in chosen._rows)
        return chosen

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Change]:
        for row, key, packed in self._rows:
            for column, path, old, new in json.loads(packed):
                yield Change(row, key, column, path, _unpacked(old), _unpacked(new))


def _packed(value: Decimal) -> list[str]:
    return [format(value, "f")]


def _unpacked(value: Any) -> Value:
    return Decimal(value[0]) if isinstance(value, list) else value


class Move(NamedTuple):
    """One amount then and now, of a key, of a group or of everything."""

    name: str
    column: str
    old: Decimal
    new: Decimal
    row: int | None = None

    @property
    def difference(self) -> Decimal:
        """How much more it is now."""
        return _EXACT.subtract(self.new, self.old)

    @property
    def percent(self) -> Decimal | None:
        """The difference in percent of what it was; None where it was nothing."""
        if not self.old:
            return None
        return _EXACT.divide(_EXACT.multiply(self.difference, Decimal(100)), abs(self.old))

    def is_beyond(self, threshold: Decimal) -> bool:
        """Tell whether it moved by more than so many percent; from nothing to something always counts."""
        if not self.old:
            return bool(self.new)
        return _EXACT.multiply(abs(self.difference), Decimal(100)) > _EXACT.multiply(threshold, abs(self.old))


class Sum(NamedTuple):
    """The sum of one group's amounts on one side."""

    name: str
    rows: int
    amounts: Amounts


class Side:
    """The keys of one side, and how many of its rows cannot be compared: invalid ones, and keys that come twice."""

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self.left_out: set[Key] = set()
        self.rows = 0
        self.not_compared = 0
        self._groups: dict[str, str] = {}

    def add(self, row: int, position: int, key: Key, amounts: Amounts, group: str | None = None) -> None:
        """Take a row in; rows of one key (of a job that makes one payload of several) are added up."""
        self.rows += 1
        if group is not None:
            group = self._groups.setdefault(group, group)  # one text, however many rows
        known = self.entries.get(key)
        if known is None:
            self.entries[key] = Entry(row, position, key, amounts, group)
        else:
            self.entries[key] = known._replace(amounts=_joined(known.amounts, amounts))

    def leave_out(self, key: Key) -> None:
        """Count a row that cannot be compared; its key stands in the sheet all the same."""
        self.rows += 1
        self.not_compared += 1
        self.left_out.add(key)

    def has(self, key: Key) -> bool:
        """Tell whether a key stands in the sheet, be it in a row that cannot be compared."""
        return key in self.entries or key in self.left_out

    def take_out(self, key: Key, rows: int) -> None:
        """Leave out a key that turned out to come in so many rows."""
        if self.entries.pop(key, None) is not None:
            self.not_compared += rows
            self.left_out.add(key)


@dataclass(frozen=True, slots=True)
class Groups:
    """What the sums by one column say."""

    column: str
    new: Sequence[Sum] = ()
    missing: Sequence[Sum] = ()
    moved: Sequence[Move] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs, what matters most first; `same` are the keys that stand on both sides."""

    new: Sequence[Entry] = ()
    missing: Sequence[Entry] = ()
    same: Sequence[Entry] = ()
    changed: Changes = field(default_factory=Changes)
    moved: Sequence[Move] = ()
    totals: Sequence[Move] = ()
    groups: Groups | None = None
    decimals: Mapping[str, int] = field(default_factory=dict)


def labelled(entries: Sequence[Summed], amounts: Iterable[Amount]) -> Amounts:
    """Name a row's amounts by their control totals."""
    totals = Totals(entries)
    totals.add(State.READY, amounts)
    return tuple([(one.column, None if one.unreadable else one.input) for one in totals.controls()])


def added(some: Iterable[Amounts]) -> dict[str, Decimal]:
    """Add amounts up by control total; as in all totals, what cannot be read counts as nothing."""
    sums: dict[str, Decimal] = {}
    for amounts in some:
        for column, amount in amounts:
            sums[column] = _EXACT.add(sums.get(column, _NOTHING), amount or _NOTHING)
    return sums


def _joined(one: Amounts, other: Amounts) -> Amounts:
    unread = {column for column, amount in (*one, *other) if amount is None}
    return tuple((column, None if column in unread else amount) for column, amount in added([one, other]).items())


def parse_threshold(text: str) -> Decimal:
    """Read `20%` or `20`. Raise ValueError where it is no percentage from 0 on."""
    try:
        percent = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        percent = Decimal(-1)
    if not percent.is_finite() or percent < 0:
        raise ValueError(f'"{text}" is no percentage; write for example 20%')
    return percent


def compared(old: Side, new: Side, changes: Changes, threshold: Decimal, by: str | None = None) -> Comparison:
    """Compare two sides; `changes` are the fields that were found to differ, `by` names the column of the groups."""
    decimals = _decimals(old, new)
    same = [entry for key, entry in new.entries.items() if key in old.entries]
    moves = (move for entry in same for move in _moves(name_of(entry.key), old.entries[entry.key], entry, entry.row))
    return Comparison(
        # A key that was invalid then was never sent, so it is new; one that is invalid now is there, so not missing.
        new=_largest_first(entry for key, entry in new.entries.items() if key not in old.entries),
        missing=_largest_first(one for key, one in old.entries.items() if not new.has(key)),
        same=same,
        changed=changes.of(new.entries),
        moved=_furthest_first(move for move in moves if move.is_beyond(threshold)),
        totals=_total_moves(decimals, old, new),
        groups=None if by is None else _groups(by, old, new, threshold),
        decimals=decimals,
    )


def name_of(key: Key) -> str:
    """Write a key as one text."""
    return ", ".join(key)


def _decimals(*sides: Side) -> dict[str, int]:
    found: dict[str, int] = {}
    for side in sides:
        for entry in side.entries.values():
            for column, amount in entry.amounts:
                places = 0 if amount is None else -int(amount.as_tuple().exponent)
                found[column] = max(found.get(column, 0), places)
    return found


def _size(amounts: Amounts) -> Decimal:
    return abs(amounts[0][1] or _NOTHING) if amounts else _NOTHING


def _largest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (-_size(entry.amounts), entry.row))


def _furthest_first(moves: Iterable[Move]) -> list[Move]:
    return sorted(moves, key=lambda move: (-abs(move.difference), move.name, move.column))


def _moves(name: str, old: Entry | Sum, new: Entry | Sum, row: int | None = None) -> Iterator[Move]:
    before, now = dict(old.amounts), dict(new.amounts)
    for column in dict.fromkeys((*before, *now)):
        was, is_now = before.get(column, _NOTHING), now.get(column, _NOTHING)
        if was is not None and is_now is not None:
            yield Move(name, column, was, is_now, row)


def _total_moves(columns: Iterable[str], *sides: Side) -> list[Move]:
    before, now = (added(entry.amounts for entry in side.entries.values()) for side in sides)
    return [Move(column, column, before.get(column, _NOTHING), now.get(column, _NOTHING)) for column in columns]


def _groups(by: str, old: Side, new: Side, threshold: Decimal) -> Groups:
    before, now = _sums(old), _sums(new)
    moves = (move for name, one in now.items() if name in before for move in _moves(name, before[name], one))
    return Groups(
        column=by,
        new=_largest_sums(one for name, one in now.items() if name not in before),
        missing=_largest_sums(one for name, one in before.items() if name not in now),
        moved=_furthest_first(move for move in moves if move.is_beyond(threshold)),
    )


def _sums(side: Side) -> dict[str, Sum]:
    members: dict[str, list[Amounts]] = {}
    for entry in side.entries.values():
        members.setdefault(entry.group or "", []).append(entry.amounts)
    return {name: Sum(name, len(some), tuple(added(some).items())) for name, some in members.items()}


def _largest_sums(sums: Iterable[Sum]) -> list[Sum]:
    return sorted(sums, key=lambda one: (-_size(one.amounts), one.name))
