"""Control totals: sums by state, as exact decimals."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from functools import reduce
from typing import cast

from batchrun.core.cells import cut
from batchrun.model import Amount, ControlTotal, SplitAmount, State, Summed

# The default context rounds sums to 28 digits; money is never rounded here.
_EXACT = Context(prec=200)
MOST_VALUES = 100  # of a column that splits a total: each is a column of the Summary and of the screen

Entry = str | Mapping[str, str] | Summed


def summed(entries: Iterable[Entry]) -> tuple[Summed, ...]:
    """Give what is added up, from a batch's settings or from a spec; a text is a column by itself."""
    return tuple(_summed(entry) for entry in entries)


def _summed(entry: Entry) -> Summed:
    if isinstance(entry, Summed):
        return entry
    return Summed(entry) if isinstance(entry, str) else Summed(entry["sum"], entry["by"])


def as_settings(entries: Iterable[Summed]) -> list[str | dict[str, str]]:
    """Give what is added up as a batch's settings hold it; `summed` reads it back."""
    return [one.column if one.by is None else {"sum": one.column, "by": one.by} for one in entries]


def value_shown(text: str) -> str:
    """Give the text of a cell that splits a total as it can stand in the total's name."""
    return cut(unicodedata.normalize("NFC", "".join(sign if sign.isprintable() else " " for sign in text)).strip())


def name_of(one: Summed, value: str | None = None) -> str:
    """Give what a total is called: `Amount`, `Amount EUR`, `Amount (no Currency)`."""
    if one.by is None:
        return one.column
    if value is None:
        return f"{one.column} (unreadable {one.by})"
    return f"{one.column} {value or f'(no {one.by})'}"


def split_of(name: str, entries: Iterable[Summed]) -> Summed | None:
    """Give the split total of which a name can be one value's: `Amount EUR`, whether a row has that value or not."""
    return next((one for one in entries if one.by is not None and name.startswith(f"{one.column} ")), None)


class _Sum:
    """One control total while it is added up."""

    __slots__ = ("by_state", "decimals", "name", "of", "rank", "unreadable")

    def __init__(self, one: Summed, value: str | None) -> None:
        self.name = name_of(one, value)
        self.of = None if one.by is None else one.column
        self.rank = (value is None, value == "", self.name)
        self.by_state: dict[State, Decimal] = {}
        self.decimals = self.unreadable = 0

    def add(self, state: State, amount: Decimal | None) -> None:
        by_state = self.by_state
        if amount is None:
            self.unreadable += 1
            by_state.setdefault(state, Decimal(0))
            return
        by_state[state] = _EXACT.add(by_state.get(state, Decimal(0)), amount)
        self.decimals = max(self.decimals, decimals_of(amount))

    def move(self, before: State, after: State, amount: Decimal) -> None:
        by_state = self.by_state
        by_state[before] = _EXACT.subtract(by_state.get(before, Decimal(0)), amount)
        by_state[after] = _EXACT.add(by_state.get(after, Decimal(0)), amount)

    def control(self) -> ControlTotal:
        by_state = self.by_state
        return ControlTotal(self.name, self.decimals, by_state, total_of(by_state.values()), self.unreadable, self.of)


class Totals:
    """Adds up what `results.totals` names, by state: a column, or each value of another column apart."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = summed(entries)
        self._plain = [None if one.by is not None else _Sum(one, "") for one in self.entries]
        self._split: list[dict[str | None, _Sum]] = [{} for _ in self.entries]

    def add(self, state: State, amounts: Iterable[Amount]) -> None:
        """Add one row's amounts; one that cannot be read is counted."""
        for index, amount in enumerate(amounts):
            into = self._plain[index] or self._of_value(index, amount)
            into.add(state, amount.amount if isinstance(amount, SplitAmount) else amount)

    def add_all(self, state: State, rows: Sequence[Sequence[Amount]]) -> None:
        """Add the amounts of many rows of one state, as `add` adds those of each."""
        for index, column in enumerate(zip(*rows, strict=True)):
            plain = self._plain[index]
            if plain is None or None in column:
                for amount in column:
                    into = plain or self._of_value(index, amount)
                    into.add(state, amount_of(amount))
            else:  # an exact sum has as many decimals as the amount that has most
                plain.add(state, total_of(cast("tuple[Decimal, ...]", column)))

    def move(self, before: State, after: State, amounts: Iterable[Amount]) -> None:
        """Move one row's amounts from one state to another."""
        for index, amount in enumerate(amounts):
            into = self._plain[index] or self._of_value(index, amount)
            moved = amount.amount if isinstance(amount, SplitAmount) else amount
            into.move(before, after, moved or Decimal(0))

    def _of_value(self, index: int, amount: Amount) -> _Sum:
        value = amount.value if isinstance(amount, SplitAmount) else None
        known = self._split[index]
        if value not in known:
            made = _Sum(self.entries[index], value)
            # A cell may say "(no Currency)" itself: what has the same name is one total.
            known[value] = next((one for one in known.values() if one.name == made.name), made)
        return known[value]

    def controls(self) -> tuple[ControlTotal, ...]:
        """Give each total: in the order of the entries, and of the values' names."""
        return tuple(control for _, controls in self.by_entry() for control in controls)

    def by_entry(self) -> Iterator[tuple[Summed, tuple[ControlTotal, ...]]]:
        """Give what is added up, each with its totals: one, or one for each value that occurs."""
        for one, plain, split in zip(self.entries, self._plain, self._split, strict=True):
            sums = {each.name: each for each in split.values()} if plain is None else {plain.name: plain}
            yield one, tuple(each.control() for each in sorted(sums.values(), key=lambda each: each.rank))


def is_of_unreadable(control: ControlTotal, one: Summed) -> bool:
    """Tell whether a total is that of rows of which nobody can tell the value that splits it."""
    return one.by is not None and control.column == name_of(one)


def decimals_of_columns(controls: Iterable[ControlTotal]) -> dict[str, int]:
    """Give the sheet's columns that are added up, each with the most decimals of its amounts."""
    found: dict[str, int] = {}
    for control in controls:
        column = control.of or control.column
        found[column] = max(found.get(column, 0), control.decimals)
    return found


def decimals_of(amount: Decimal) -> int:
    """Give how many decimals an amount is written with."""
    return max(0, -int(amount.as_tuple().exponent))


def read_amount(kept: str | list[str | None] | None) -> Amount:
    """Read an amount as the journal keeps it: a text, or a pair of it and the value by which it is added up."""
    if isinstance(kept, list):
        number, value = kept
        return SplitAmount(None if number is None else Decimal(number), value)
    return None if kept is None else Decimal(kept)


def amount_of(amount: Amount) -> Decimal | None:
    """Give a row's amount without what splits its total."""
    return amount.amount if isinstance(amount, SplitAmount) else amount


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    """Add amounts up, exactly."""
    return reduce(_EXACT.add, amounts, Decimal(0))


def amount_text(amount: Decimal, decimals: int) -> str:
    """Write an amount with a column's decimals and a point, for programs: `827.80`."""
    return f"{amount:.{decimals}f}"


def unreadable(controls: Iterable[ControlTotal]) -> list[str]:
    """Say of which columns some amounts are missing in the total."""
    return [
        f"{counted(control.unreadable, 'amount')} of {control.column} cannot be read "
        f"and {'counts' if control.unreadable == 1 else 'count'} as 0 in the total."
        for control in controls
        if control.unreadable
    ]


def counted(count: int, noun: str) -> str:
    """Say a number of things: `1 row`, `1,200 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def grouped(amount: Decimal, decimals: int) -> str:
    """Write an amount for people, with thousands apart: `1,827.80`."""
    return f"{amount:,.{decimals}f}"


def as_json(controls: Iterable[ControlTotal]) -> dict[str, dict[str, str]]:
    """Give totals as the JSON documents show them."""
    return {
        control.column: {state.value: amount_text(amount, control.decimals) for state, amount in _ordered(control)}
        for control in controls
    }


def _ordered(control: ControlTotal) -> list[tuple[State, Decimal]]:
    return [(state, control.by_state[state]) for state in State if state in control.by_state]
