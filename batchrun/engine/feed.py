"""The rows that are still to be sent: read from the journal in pages, and those that came back."""

from __future__ import annotations

import asyncio
import heapq

from batchrun.engine.ports import Clock, Outgoing, SenderJournal

PAGE = 500


class Feed:
    """Hands out ready rows, in the source's order; a row that came back is handed out again when it is due.

    A worker that gets None has nothing more to do: no row is left, and none is under way that could come back.
    """

    def __init__(self, journal: SenderJournal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._page: list[Outgoing] = []
        self._after = -1
        self._exhausted = False
        self._back: list[tuple[float, int, Outgoing]] = []
        self._under_way = 0
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._closed = False

    async def next(self) -> Outgoing | None:
        """Give the next row; `done` or `give_back` must follow."""
        while not self._closed:
            changed = self._changed  # taken before the look, so that what changes during it wakes this worker
            row = self._due() or await self._fresh()
            if row is not None:
                self._under_way += 1
                return row
            if not self._back and not self._under_way:
                break
            await self._wait(changed)
        return None

    def at_hand(self) -> Outgoing | None:
        """Give the next row where nobody has to wait for it, else None; `done` or `give_back` must follow."""
        if self._closed or self._reading.locked():
            return None
        row = self._due() or self._fresh_at_hand()
        self._under_way += row is not None
        return row

    def done(self) -> None:
        """Say that a row that was handed out will not come back."""
        self._under_way -= 1
        self._wake()

    def give_back(self, row: Outgoing, after: float) -> None:
        """Hand a row out again in `after` seconds."""
        heapq.heappush(self._back, (self._clock.monotonic() + after, row.position, row))
        self.done()

    def close(self) -> None:
        """Hand out no more rows."""
        self._closed = True
        self._wake()

    def _due(self) -> Outgoing | None:
        if self._back and self._back[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._back)[2]
        return None

    async def _fresh(self) -> Outgoing | None:
        async with self._reading:
            if not self._page and not self._exhausted:
                found = await self._journal.ready(self._after, PAGE)
                self._page = list(reversed(found))
                self._exhausted = not found
                self._after = found[-1].position if found else self._after
            return self._fresh_at_hand()

    def _fresh_at_hand(self) -> Outgoing | None:
        return self._page.pop() if self._page else None

    async def _wait(self, changed: asyncio.Event) -> None:
        pause = max(0.0, self._back[0][0] - self._clock.monotonic()) if self._back else None
        waiting = asyncio.ensure_future(changed.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(pause)) if pause is not None else None
        tasks = [task for task in (waiting, sleeping) if task is not None]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _wake(self) -> None:
        # Never cleared but replaced: a worker that begins to wait cannot take the signal from another.
        self._changed.set()
        self._changed = asyncio.Event()
