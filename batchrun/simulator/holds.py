"""Callers that wait, with their connection open, until a synchronous run ends, pauses or times out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from batchrun.simulator.clock import Clock
from batchrun.simulator.ledger import Ledger
from batchrun.simulator.runs import OPEN, Run, stage_at, story


class Holds:
    """The waiting callers, by run."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._waiting: dict[str, asyncio.Event] = {}
        self._stopping = False
        ledger.watch(self._wake)

    async def until_settled(self, run: Run, deadline: int) -> Run | None:
        """Wait for a run until it ends or pauses, or `deadline` (in milliseconds); None when the simulator stops."""
        self._waiting[run.id] = changed = asyncio.Event()
        try:
            while not self._stopping and (wait := self._time_left(run, deadline)) > 0:
                changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), wait / 1000)
                run = self._ledger.find(run.id) or run
        finally:
            del self._waiting[run.id]
        return None if self._stopping else run

    def stop(self) -> None:
        """Let all of them go."""
        self._stopping = True
        for changed in self._waiting.values():
            changed.set()

    def _time_left(self, run: Run, deadline: int) -> int:
        now = self._clock.now()
        if stage_at(run, now).status not in OPEN:
            return 0
        return min([deadline, *(stage.at for stage in story(run) if stage.status not in OPEN and stage.at > now)]) - now

    def _wake(self, run: Run) -> None:
        if changed := self._waiting.get(run.id):
            changed.set()
