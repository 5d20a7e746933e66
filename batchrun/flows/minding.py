"""Looks after a batch while it is being sent: somebody cancels it, or the machine slept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from batchrun.core.conduct import Stop
from batchrun.engine.ports import Clock
from batchrun.flows.engine_journal import EngineJournal

EVERY_SECONDS = 0.5
SLEPT_SECONDS = 20.0
CANCELLED = "cancelled"


async def mind(
    journal: EngineJournal, clock: Clock, stop: Callable[[Stop], None], begin_anew: Callable[[], None]
) -> None:
    """Look every half second, until this task is cancelled."""
    seen: tuple[float, datetime] = (clock.monotonic(), clock.now())
    while True:
        await clock.sleep(EVERY_SECONDS)
        if await journal.asked_to_cancel():
            stop(Stop(CANCELLED, "somebody cancelled the batch"))
            return
        now = (clock.monotonic(), clock.now())
        if _slept(seen, now):
            begin_anew()
        seen = now


def _slept(before: tuple[float, datetime], now: tuple[float, datetime]) -> bool:
    """Tell whether much more time has passed than this loop has seen, by either clock: some stand still in sleep."""
    by_day = (now[1] - before[1]).total_seconds()
    return max(now[0] - before[0], by_day) > SLEPT_SECONDS
