"""Control totals: sums by state, as exact decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from functools import reduce

from batchrun.model import ControlTotal, State

# The default context rounds sums to 28 digits; money is never rounded here.
_EXACT = Context(prec=200)


class Totals:
    """Adds up the amounts of the columns named by `results.totals`, by state."""

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        self._sums: list[dict[State, Decimal]] = [{} for _ in self.columns]
        self._decimals = [0] * len(self.columns)
        self._unreadable = [0] * len(self.columns)

    def add(self, state: State, amounts: Iterable[Decimal | None]) -> None:
        """Add one row's amounts; one that cannot be read is counted."""
        for index, amount in enumerate(amounts):
            sums = self._sums[index]
            if amount is None:
                self._unreadable[index] += 1
                sums.setdefault(state, Decimal(0))
                continue
            sums[state] = _EXACT.add(sums.get(state, Decimal(0)), amount)
            self._decimals[index] = max(self._decimals[index], -int(amount.as_tuple().exponent))

    def add_all(self, state: State, rows: Sequence[Sequence[Decimal | None]]) -> None:
        """Add the amounts of many rows of one state, as `add` adds those of each."""
        if any(None in amounts for amounts in rows):
            for amounts in rows:
                self.add(state, amounts)
            return
        for index, column in enumerate(zip(*rows, strict=True)):
            sums = self._sums[index]
            added = reduce(_EXACT.add, column)  # an exact sum has as many decimals as the amount that has most
            sums[state] = _EXACT.add(sums.get(state, Decimal(0)), added)
            self._decimals[index] = max(self._decimals[index], -int(added.as_tuple().exponent))

    def move(self, before: State, after: State, amounts: Iterable[Decimal | None]) -> None:
        """Move one row's amounts from one state to another."""
        for index, amount in enumerate(amounts):
            sums = self._sums[index]
            moved = amount or Decimal(0)
            sums[before] = _EXACT.subtract(sums.get(before, Decimal(0)), moved)
            sums[after] = _EXACT.add(sums.get(after, Decimal(0)), moved)

    def controls(self) -> tuple[ControlTotal, ...]:
        """Give each column's total."""
        return tuple(
            ControlTotal(column, decimals, sums, _sum(sums.values()), unreadable)
            for column, decimals, sums, unreadable in zip(
                self.columns, self._decimals, self._sums, self._unreadable, strict=True
            )
        )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return reduce(_EXACT.add, amounts, Decimal(0))


def amount_text(amount: Decimal, decimals: int) -> str:
    """Write an amount with a column's decimals and a point, for programs: `827.80`."""
    return f"{amount:.{decimals}f}"


def unreadable(controls: Iterable[ControlTotal]) -> list[str]:
    """Say of which columns some amounts are missing in the total."""
    return [
        f"{counted(control.unreadable, 'amount')} of {control.column} cannot be read and counts as 0 in the total."
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


def sums_of(controls: Iterable[ControlTotal]) -> Mapping[str, str]:
    """Give each column's whole sum for people."""
    return {control.column: grouped(control.input, control.decimals) for control in controls}
