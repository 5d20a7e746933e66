"""The turn at which a request may leave: one pace for all senders, and a hard guard at the socket's write."""

from __future__ import annotations

from batchrun.core.pacing import Pace, Window
from batchrun.engine.ports import Clock

NAP = 0.25


class Gate:
    """Gives turns at a set rate.

    `turn` is taken before a row's intent is committed; `write` is awaited when the connection stands, so that slow
    commits and handshakes cannot push two sends together.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self.pace = Pace(per_second)
        self._at_write = Pace(per_second)
        self._window = Window(per_second)
        self._clock = clock
        self.closed = False

    async def turn(self) -> bool:
        """Wait for the next turn; False where the gate was closed meanwhile."""
        while not self.closed:
            now = self._clock.monotonic()
            wait = self.pace.wait(now)
            if wait <= 0:
                self.pace.take(now)
                return True
            await self._clock.sleep(min(wait, NAP))
        return False

    async def write(self) -> None:
        """Wait until one more send fits into the window, then count it."""
        while True:
            now = self._clock.monotonic()
            wait = max(self._window.wait(now), self._at_write.wait(now))
            if wait <= 0:
                self._window.take(now)
                self._at_write.take(now)
                return
            await self._clock.sleep(wait)
