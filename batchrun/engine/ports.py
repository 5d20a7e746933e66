"""What the engine asks of the world, as narrow Protocols; fakes and real doors meet the same tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from batchrun.core.answers import Seen, Verdict
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import Connected
from batchrun.model import State


class Outgoing(NamedTuple):
    """A row that is ready: its position in the batch, the sheet's row number, and its request body."""

    position: int
    number: int
    body: bytes


class OpenRun(NamedTuple):
    """A run that has not ended."""

    position: int
    run_id: str
    state: State


class Recorded(NamedTuple):
    """What the journal made of a step; `moved` is False where another process had moved the row first."""

    state: State
    moved: bool = True
    known_run: bool = False


class Clock(Protocol):
    """Time and chance, which come in by the front door."""

    def monotonic(self) -> float:
        """Give seconds on a clock that never jumps."""

    def now(self) -> datetime:
        """Give the time of day, aware, in UTC."""

    def chance(self) -> float:
        """Give a number in [0, 1)."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SenderJournal(Protocol):
    """The journal as the sender sees it: each call returns after its commit is durable."""

    async def ready(self, after: int, limit: int) -> Sequence[Outgoing]:
        """Give the next rows that are ready, beyond a position."""

    async def intend(self, position: int, at: datetime) -> Recorded:
        """Commit that a row's request is about to leave."""

    async def record(self, position: int, verdict: Verdict, status: int | None, at: datetime) -> Recorded:
        """Commit what an answer means."""

    async def record_and_intend(
        self, position: int, verdict: Verdict, status: int | None, at: datetime, ahead: int
    ) -> tuple[Recorded, Recorded]:
        """Commit what an answer means and, in that same commit, that the request of the row `ahead` is to leave."""


class FollowerJournal(Protocol):
    """The journal as the follower sees it."""

    async def open_runs(self) -> Sequence[OpenRun]:
        """Give the runs that have not ended and wait for nobody, the oldest first."""

    async def follow(
        self,
        position: int,
        event: Event,
        output: object,
        error: str | None,
        finished_at: datetime | None,
        at: datetime,
        *,
        version_id: str | None = None,
        expected: State | None = None,
    ) -> Recorded:
        """Commit what a reading of a run says, and the procedure's version where it tells one.

        With `expected`, a row that has left that state meanwhile takes no step: its present state comes back.
        """


BeforeWrite = Callable[[Connected], Awaitable[None]]


class Runner(Protocol):
    """The Runner API over one connection at a time."""

    async def start(self, body: bytes, before_write: BeforeWrite) -> Seen:
        """Start a run; `before_write` is awaited when the connection stands and no byte has left."""

    async def read(self, run_id: str) -> Seen:
        """Read a run."""

    async def aclose(self) -> None:
        """Close the connection."""


class Watch(Protocol):
    """Who looks on: a progress bar, a line every 10 s, a file of events."""

    def stepped(self, position: int, before: State | None, after: State) -> None:
        """A row has taken a step."""

    def waiting(self, reason: str, seconds: float) -> None:
        """Sending waits, and why."""
