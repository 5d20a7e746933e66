"""The journal as the engine's loops see it: steps that are asked for together share one durable commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from batchrun.core import payloads
from batchrun.core.answers import Verdict
from batchrun.core.lifecycle import Event
from batchrun.errors import Stopped
from batchrun.io import journal_deliveries, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_deliveries import Folded
from batchrun.io.journal_steps import Step, Stepped
from batchrun.model import State

T = TypeVar("T")
Row = tuple[int, int, bytes]


class JournalWriter:
    """Takes steps of one batch from a single thread of its own. A step returns once it is on the disk."""

    def __init__(self, journal: Journal, batch: Batch) -> None:
        self._journal = journal
        self._batch = batch
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._asked: list[tuple[Step, asyncio.Future[Stepped]]] = []
        self._writing: asyncio.Task[None] | None = None
        self.on_full: Callable[[Stopped], None] | None = None
        self._full: Stopped | None = None

    async def ready(self, after: int, limit: int) -> list[Row]:
        """Give the next ready rows beyond a position: position, row number, request body."""
        found = await self._in_thread(lambda: self._read(journal_steps.ready_rows, after, limit))
        batch = self._batch
        return [
            (position, number, payloads.body_around(data, batch.procedure_version, batch.mode, batch.timeout_ms))
            for position, number, data in found
        ]

    async def open_runs(self, states: Sequence[State]) -> list[tuple[int, str, State]]:
        """Give the runs in some states, the oldest first."""
        return await self._in_thread(lambda: self._read(journal_steps.open_runs, states))

    async def intend(self, position: int, at: datetime) -> Stepped:
        """Commit that a row's request is about to leave."""
        return await self._step(Step(position, Event.INTENT, at))

    async def record(self, position: int, verdict: Verdict, status: int | None, at: datetime) -> Stepped:
        """Commit what an answer means."""
        return await self._step(_answered(position, verdict, status, at))

    async def record_and_intend(
        self, position: int, verdict: Verdict, status: int | None, at: datetime, ahead: int
    ) -> tuple[Stepped, Stepped]:
        """Commit what an answer means and, in the same commit, that the request of the row `ahead` is to leave."""
        steps = _answered(position, verdict, status, at), Step(ahead, Event.INTENT, at)
        recorded, intent = await asyncio.gather(*map(self._promised, steps))
        return recorded, intent

    async def follow(
        self, position: int, event: Event, output: Any, error: str | None, finished_at: datetime | None, at: datetime
    ) -> Stepped:
        """Commit what a reading of a run says."""
        return await self._step(Step(position, event, at, output=output, error=error, finished_at=finished_at))

    async def close(self) -> None:
        """Wait for what is being written, and end the thread."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._thread.shutdown(wait=True)

    def _read(self, query: Callable[..., T], *arguments: Any) -> T:
        with self._journal.reading() as connection:
            return query(connection, self._batch, *arguments)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _step(self, step: Step) -> Stepped:
        return await self._promised(step)

    def _promised(self, step: Step) -> asyncio.Future[Stepped]:
        promise: asyncio.Future[Stepped] = asyncio.get_running_loop().create_future()
        self._asked.append((step, promise))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write_all())
        return promise

    async def _write_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            steps = [step for step, _ in asked]
            try:
                done = await self._in_thread(lambda steps=steps: self._apply(steps))  # type: ignore[misc]
            except BaseException as error:
                for _, promise in asked:
                    if not promise.done():
                        promise.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            if self._full is not None and self.on_full is not None:
                self.on_full(self._full)
            for (_, promise), stepped in zip(asked, done, strict=True):
                if not promise.done():
                    promise.set_result(stepped)

    def _apply(self, steps: Sequence[Step]) -> list[Stepped]:
        try:
            return self._commit(steps)
        except Stopped as error:
            if error.code != "disk-full" or not self._journal.free_reserve():
                raise
            self._full = error  # what is under way is still committed; then sending stops
            return self._commit(steps)

    def _commit(self, steps: Sequence[Step]) -> list[Stepped]:
        with self._journal.writing() as connection:
            return journal_steps.apply(connection, self._batch, steps)

    async def fold(self, now: datetime) -> tuple[list[Folded], datetime | None]:
        """Fold what webhooks have told, and give when a listener was last at work."""
        return await self._in_thread(lambda: self._fold(now))

    def _fold(self, now: datetime) -> tuple[list[Folded], datetime | None]:
        with self._journal.reading() as connection:
            waiting = journal_deliveries.anything_to_fold(connection, self._batch)
            listening = journal_deliveries.listening_since(connection)
        if not waiting:
            return [], listening
        with self._journal.writing() as connection:
            return journal_deliveries.fold(connection, self._batch, now), listening

    async def asked_to_cancel(self) -> bool:
        """Tell whether somebody asked, from another process, for the batch to be cancelled."""
        return await self._in_thread(lambda: self._read(journal_steps.cancel_asked))


def _answered(position: int, verdict: Verdict, status: int | None, at: datetime) -> Step:
    return Step(
        position,
        verdict.event,
        at,
        status=status,
        run_id=verdict.run_id,
        output=verdict.output,
        error=verdict.error,
        line=verdict.line,
    )
