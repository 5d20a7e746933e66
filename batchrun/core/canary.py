"""How a canary reads: what became of the rows that were sent first, as a question, or as the sentence that holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from batchrun.core.cells import cut
from batchrun.core.totals import counted
from batchrun.model import State

WELL = frozenset({State.COMPLETED, State.AWAITING_REVIEW})
UNDER_WAY = frozenset({State.SENDING, State.PENDING, State.RUNNING})
SHOWN = 20


class First(NamedTuple):
    """One of the rows that are sent first; `told` is its output, or its error, as text."""

    number: int
    key: tuple[str, ...]
    state: State
    run_id: str | None = None
    told: str = ""

    @property
    def name(self) -> str:
        """Name the row by its number and its key."""
        return f"row {self.number} ({on_one_line(', '.join(self.key))})"


class Canary(NamedTuple):
    """The rows that are sent first. `left` counts the rows of the sheet that are not sent yet."""

    rows: Sequence[First]
    left: int
    to_live: bool = False
    unit: str = "row"

    @property
    def went_wrong(self) -> bool:
        """Tell whether one ended otherwise than well, or nobody knows how."""
        return any(one.state not in WELL | UNDER_WAY | {State.READY} for one in self.rows)

    @property
    def is_sent(self) -> bool:
        """Tell whether none of them is left to send."""
        return all(one.state is not State.READY for one in self.rows)

    @property
    def is_through(self) -> bool:
        """Tell whether each has completed, or waits for a review."""
        return all(one.state in WELL for one in self.rows)

    def lines(self) -> list[str]:
        """Say what became of each."""
        said = [_line(one) for one in self.rows[:SHOWN]]
        more = len(self.rows) - SHOWN
        return [*said, f"and {more:,} more"] if more > 0 else said

    def question(self) -> str:
        """Give what is asked before the others are sent."""
        first = "The first one is" if len(self.rows) == 1 else f"The first {len(self.rows):,} are"
        where = " to LIVE" if self.to_live else ""
        return f"{first} through: {self._states()}. Send {self._others()}{where}?"

    def sentence(self) -> str:
        """Say why the others are not sent, and which row is not as it should be."""
        if len(self.rows) == 1:
            first = f"the first {self.unit} was sent ({self._states()}), and somebody must look at it before"
        else:
            units = counted(len(self.rows), self.unit)
            first = f"the first {units} were sent ({self._states()}), and somebody must look at them before"
        return f"{first} {self._others()} {'is' if self.left == 1 else 'are'} sent{self._amiss()}"

    def _others(self) -> str:
        return "the other row" if self.left == 1 else f"the other {counted(self.left, 'row')}"

    def _states(self) -> str:
        counts = Counter(one.state for one in self.rows)
        return ", ".join(f"{counts[state]:,} {_word(state, counts[state])}" for state in State if counts[state])

    def _amiss(self) -> str:
        """Name the first row that went wrong; where none did, the first that has not ended."""
        wrong = [one for one in self.rows if one.state not in WELL | UNDER_WAY | {State.READY}]
        found = wrong or [one for one in self.rows if one.state not in WELL]
        if not found:
            return ""
        one, more = found[0], sum(other.state is found[0].state for other in found) - 1
        why = f": {cut(on_one_line(one.told))}" if one.told and wrong else ""
        return f"; {one.name} {_HAPPENED[one.state]}{why}" + (f" (and {more:,} more)" if more else "")


def on_one_line(text: str) -> str:
    """Give text from outside as a terminal may show it: on one line, without control characters."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split()))


def _line(one: First) -> str:
    run = f", run {on_one_line(one.run_id)}" if one.run_id else ""
    told = f", {cut(on_one_line(one.told))}" if one.told else ""
    return f"{one.name}: {_word(one.state, 1)}{run}{told}"


def _word(state: State, count: int) -> str:
    if state is State.AWAITING_REVIEW:
        return "awaits review" if count == 1 else "await review"
    return "not sent yet" if state is State.READY else state.value.replace("_", " ")


_HAPPENED = {
    State.DUPLICATE: "was not sent",
    State.READY: "is not sent yet",
    State.SENDING: "is being sent",
    State.PENDING: "has not ended yet",
    State.RUNNING: "has not ended yet",
    State.FAILED: "failed",
    State.CANCELLED: "was cancelled",
    State.REFUSED: "was refused",
    State.IN_DOUBT: "is in doubt",
}
