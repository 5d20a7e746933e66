"""Looks after a batch while it is being sent: webhooks arrive, somebody cancels it, or the machine slept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from batchrun.core.conduct import Stop
from batchrun.core.lifecycle import ENDED
from batchrun.engine.follow import Follower
from batchrun.engine.ports import Clock, Watch
from batchrun.errors import BatchrunError
from batchrun.flows.engine_journal import EngineJournal
from batchrun.flows.holding import CANCELLED
from batchrun.model import State

EVERY_SECONDS = 0.5
SLEPT_SECONDS = 20.0
# A listener says every few seconds that it is there.
LISTENER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Minder:
    """Looks every half second, and tells the loops what it finds."""

    journal: EngineJournal
    clock: Clock
    follower: Follower
    watch: Watch
    begin_anew: Callable[[], None]

    async def mind(self, stop: Callable[[Stop], None]) -> None:
        """Look until this task is cancelled, or somebody cancels the batch."""
        try:
            await self._mind(stop)
        except BatchrunError as error:  # the journal cannot be read or written
            stop(Stop(error.code, error.message))

    async def _mind(self, stop: Callable[[Stop], None]) -> None:
        seen = (self.clock.monotonic(), self.clock.now())
        while True:
            await self.look()
            if await self.journal.asked_to_cancel():
                stop(Stop(CANCELLED, "somebody cancelled the batch"))
                return
            await self.clock.sleep(EVERY_SECONDS)
            now = (self.clock.monotonic(), self.clock.now())
            if _slept(seen, now):
                self.begin_anew()
            seen = now

    async def look(self) -> None:
        """Fold what webhooks have told, and see whether somebody listens for them."""
        now = self.clock.now()
        folded, listening = await self.journal.fold(now)
        for one in folded:
            self.watch.stepped(one.position, one.before, one.state)
            if one.state in ENDED or one.state is State.AWAITING_REVIEW:
                self.follower.forget(one.position)
        heard = listening is not None and abs((now - listening).total_seconds()) < LISTENER_SECONDS
        self.follower.hear(heard, told=bool(folded))


def _slept(before: tuple[float, datetime], now: tuple[float, datetime]) -> bool:
    """Tell whether much more time has passed than this loop has seen, by either clock: some stand still in sleep."""
    by_day = (now[1] - before[1]).total_seconds()
    return max(now[0] - before[0], by_day) > SLEPT_SECONDS
