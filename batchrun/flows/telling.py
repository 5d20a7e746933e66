"""What a flow asks of whoever shows things to people: words, questions, and a look at the progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from batchrun.engine.ports import Watch

# Says how many there are now.
Counting = Callable[[int], None]


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

    def watching(self, total: int, done: int, per_second: float) -> AbstractContextManager[Watch]:
        """Show the progress of a batch of `total` rows, of which `done` have ended."""

    def counting(self, what: str) -> AbstractContextManager[Counting]:
        """Show how far a long preparation is."""
