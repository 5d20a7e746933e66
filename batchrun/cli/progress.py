"""Progress for people: a bar with rate, states and time left on a terminal, a line every 10 s elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from batchrun.core.durations import words
from batchrun.engine.ports import Watch
from batchrun.flows.telling import UNSETTLED, Counting
from batchrun.model import State

EVERY_SECONDS = 10.0
# What fits beside a bar on a screen of 80 columns.
SHORT = {State.COMPLETED: "done", State.AWAITING_REVIEW: "review", State.IN_DOUBT: "in doubt"}


class Tally:
    """Counts where the rows of a batch are; what is shown is made from it."""

    def __init__(
        self, counts: Mapping[State, int], per_second: float, unsettled: Collection[State] = UNSETTLED
    ) -> None:
        self.total = sum(counts.values())
        self.per_second = per_second
        self.states = dict(counts)  # an earlier sender's rows, too: these take steps here as well
        self._unsettled = unsettled
        self.note = ""
        self._began = time.monotonic()
        self._sent = 0

    def stepped(self, _position: int, before: State | None, after: State) -> None:
        """Count one step."""
        if before is not None and self.states.get(before):
            self.states[before] -= 1
        self.states[after] = self.states.get(after, 0) + 1
        self._sent += after is State.SENDING
        self.note = "" if after is not State.READY else self.note

    def waiting(self, reason: str, seconds: float) -> None:
        """Note why sending waits."""
        self.note = f"{reason}; waiting {words(seconds)}" if seconds else reason

    @property
    def settled(self) -> int:
        """Count the rows that have no way to go by themselves."""
        return self.total - sum(self.states.get(state, 0) for state in self._unsettled)

    @property
    def words(self) -> str:
        """Say the states that rows are in."""
        parts = [f"{SHORT.get(state, state.value)} {count:,}" for state, count in self._shown()]
        return ", ".join(parts) + (f" ({self.note})" if self.note else "")

    @property
    def rate(self) -> float:
        """Sends a second so far."""
        return self._sent / max(time.monotonic() - self._began, 0.001)

    def _shown(self) -> list[tuple[State, int]]:
        return [(state, self.states[state]) for state in State if self.states.get(state) and state is not State.READY]


@contextmanager
def watching(tally: Tally, say: Callable[[str], None], *, quiet: bool) -> Iterator[Watch]:
    """Watch a batch."""
    if quiet:
        yield tally
    elif sys.stderr.isatty():
        with _bar(tally) as watch:
            yield watch
    else:
        with _lines(tally, say):
            yield tally


class _Bar:
    """A tally that moves a bar."""

    def __init__(self, tally: Tally, bar: Any) -> None:
        self._tally = tally
        self._bar = bar

    def stepped(self, position: int, before: State | None, after: State) -> None:
        self._tally.stepped(position, before, after)
        self._show()

    def waiting(self, reason: str, seconds: float) -> None:
        self._tally.waiting(reason, seconds)
        self._show()

    def _show(self) -> None:
        self._bar.set_postfix_str(f"{self._tally.rate:.1f}/s: {self._tally.words}", refresh=False)
        self._bar.update(self._tally.settled - self._bar.n)


@contextmanager
def _bar(tally: Tally) -> Iterator[Watch]:
    from tqdm import tqdm

    form = "{percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"
    with tqdm(
        total=tally.total, initial=tally.settled, bar_format=form, file=sys.stderr, dynamic_ncols=True, mininterval=0.2
    ) as bar:
        yield _Bar(tally, bar)


@contextmanager
def _lines(tally: Tally, say: Callable[[str], None]) -> Iterator[None]:
    over = threading.Event()

    def tell() -> None:
        while not over.wait(EVERY_SECONDS):
            say(f"{tally.settled:,} of {tally.total:,} rows settled, {tally.rate:.1f} sent/s: {tally.words}")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


@contextmanager
def counting(what: str, say: Callable[[str], None], *, quiet: bool) -> Iterator[Counting]:
    """Count something long: in place on a terminal, a line every 10 s elsewhere."""
    shown = [time.monotonic()]
    on_terminal = sys.stderr.isatty()

    def count(number: int) -> None:
        now = time.monotonic()
        if quiet or now - shown[0] < (0.2 if on_terminal else EVERY_SECONDS):
            return
        shown[0] = now
        if on_terminal:
            sys.stderr.write(f"\r{number:,} {what} ")
            sys.stderr.flush()
        else:
            say(f"{number:,} {what}")

    try:
        yield count
    finally:
        if on_terminal and not quiet:
            sys.stderr.write("\r\x1b[K")
