"""What a flow asks of whoever shows things to people: words, questions, and a look at the progress."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from batchrun.core.lifecycle import UNSENT
from batchrun.engine.ports import Watch
from batchrun.model import State

# Says how many there are now.
Counting = Callable[[int], None]
# Where a row of a batch still has a way to go by itself.
UNSETTLED = UNSENT | {State.PENDING, State.RUNNING}


class Teller(Protocol):
    """The command line, or nobody (a notebook)."""

    def say(self, text: str) -> None:
        """Tell what is going on."""

    def warn(self, text: str) -> None:
        """Tell what should be looked at, though the work goes on."""

    def announce(self, text: str) -> None:
        """Tell what must be known even where little is told, since a question follows."""

    def ask(self, question: str) -> bool | None:
        """Put a question; None where nobody can answer."""

    def watching(
        self, counts: Mapping[State, int], per_second: float, unsettled: Collection[State] = UNSETTLED
    ) -> AbstractContextManager[Watch]:
        """Show how rows make progress that begin in these states; each that is `unsettled` has a way to go."""

    def counting(self, what: str) -> AbstractContextManager[Counting]:
        """Show how far a long preparation is."""
