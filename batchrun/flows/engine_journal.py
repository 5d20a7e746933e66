"""The journal's writer in the shape that the engine's Protocols ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from batchrun.core.answers import Verdict
from batchrun.core.lifecycle import Event
from batchrun.engine.ports import OpenRun, Outgoing, Recorded
from batchrun.errors import Stopped
from batchrun.io.journal_deliveries import Folded
from batchrun.io.journal_steps import Stepped
from batchrun.io.journal_writer import JournalWriter
from batchrun.model import State

FOLLOWED = (State.PENDING, State.RUNNING)


class EngineJournal:
    """SenderJournal and FollowerJournal over one writer."""

    def __init__(
        self, writer: JournalWriter, followed: Sequence[State] = FOLLOWED, *, only: Collection[int] | None = None
    ) -> None:
        self._writer = writer
        self._followed = followed
        self._only = only

    @property
    def on_full(self) -> Callable[[Stopped], None] | None:
        """Who is told when the disk is full and the reserve was given up."""
        return self._writer.on_full

    @on_full.setter
    def on_full(self, told: Callable[[Stopped], None]) -> None:
        self._writer.on_full = told

    async def fold(self, now: datetime) -> tuple[list[Folded], datetime | None]:
        """Fold what webhooks have told, and give when a listener was last at work."""
        return await self._writer.fold(now)

    async def asked_to_cancel(self) -> bool:
        """Tell whether somebody asked for the batch to be cancelled."""
        return await self._writer.asked_to_cancel()

    async def ready(self, after: int, limit: int) -> list[Outgoing]:
        """Give the next rows that are ready, beyond a position."""
        return [Outgoing(*row) for row in await self._writer.ready(after, limit)]

    async def intend(self, position: int, at: datetime) -> Recorded:
        """Commit that a row's request is about to leave."""
        return _recorded(await self._writer.intend(position, at))

    async def record(self, position: int, verdict: Verdict, status: int | None, at: datetime) -> Recorded:
        """Commit what an answer means."""
        return _recorded(await self._writer.record(position, verdict, status, at))

    async def record_and_intend(
        self, position: int, verdict: Verdict, status: int | None, at: datetime, ahead: int
    ) -> tuple[Recorded, Recorded]:
        """Commit what an answer means, and another row's intent with it."""
        recorded, intent = await self._writer.record_and_intend(position, verdict, status, at, ahead)
        return _recorded(recorded), _recorded(intent)

    async def open_runs(self) -> list[OpenRun]:
        """Give the runs that have not ended, the oldest first; of some rows only, where it was made for them."""
        runs = [OpenRun(*run) for run in await self._writer.open_runs(self._followed)]
        return runs if self._only is None else [run for run in runs if run.position in self._only]

    async def follow(
        self, position: int, event: Event, output: object, error: str | None, finished_at: datetime | None, at: datetime
    ) -> Recorded:
        """Commit what a reading of a run says."""
        return _recorded(await self._writer.follow(position, event, output, error, finished_at, at))


def _recorded(stepped: Stepped) -> Recorded:
    return Recorded(stepped.state, stepped.moved, stepped.known_run)
