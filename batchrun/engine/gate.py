"""The turn at which a request may leave: one pace for all senders, and a hard guard at the socket's write."""

from __future__ import annotations

import asyncio
from math import inf

from batchrun.core.answers import Fault, Seen
from batchrun.core.pacing import Pace, Window
from batchrun.core.shared_pace import Account
from batchrun.engine.ports import Clock

NAP = 0.25
HELD_UP = 0.25
NOT_SENT = Seen(fault=Fault.NOT_CONNECTED, left=False, detail="not sent, because sending had stopped")
"""What is seen of a send that was called off."""


class CalledOff(Exception):
    """The gate was closed while a send waited at its socket: no byte of it has left, and none will."""


class Gate:
    """Gives turns at a set rate.

    `turn` is taken before a row's intent is committed; `write` is awaited when the connection stands, so that slow
    commits and handshakes cannot push two sends together. A send that is held up there stands on an open connection,
    which the server may close meanwhile; so turns that run ahead of the writes wait for them. Where an account's pace
    is shared with other processes, each write waits for a turn of that, too.
    """

    def __init__(self, per_second: float, clock: Clock, account: Account | None = None) -> None:
        self.pace = Pace(per_second)
        self._at_write = Pace(per_second)
        self._window = Window(per_second)
        self._no_turn_before = -inf
        self._turns = asyncio.Lock()
        self._in_order = asyncio.Lock()
        self._held = 0
        self._clock = clock
        self._account = account
        self.closed = False

    async def turn(self) -> bool:
        """Wait for the next turn; False where the gate was closed meanwhile. Who came first goes first."""
        async with self._turns:
            return await self._turn()

    def has_turn(self) -> bool:
        """Tell whether a turn could be taken at once, with nobody waiting for it."""
        now = self._clock.monotonic()
        return not (self.closed or self._turns.locked() or max(self.pace.wait(now), self._no_turn_before - now) > 0)

    def take_turn(self) -> None:
        """Take the turn that `has_turn` told of, a moment ago."""
        self.pace.take(self._clock.monotonic())

    async def _turn(self) -> bool:
        while not self.closed:
            now = self._clock.monotonic()
            wait = max(self.pace.wait(now), self._no_turn_before - now)
            if wait <= 0:
                self.pace.take(now)
                return True
            await self._clock.sleep(min(wait, NAP))
        return False

    async def write(self) -> None:
        """Wait until one more send fits into the window, then count it; who came first goes first.

        Raise CalledOff where the gate is closed by then: where a pace is shared, that wait can be long.
        """
        now = self._clock.monotonic()
        interval = max(self._at_write.interval, self._account.spacing if self._account is not None else 0.0)
        wait = self._at_write.wait(now) + self._held * interval
        if wait > HELD_UP:
            self._no_turn_before = now + wait + interval
        self._held += 1
        try:
            async with self._in_order:
                await self._fit()
        finally:
            self._held -= 1

    async def _fit(self) -> None:
        while True:
            self._refuse_closed()
            now = self._clock.monotonic()
            wait = max(self._window.wait(now), self._at_write.wait(now))
            if wait <= 0:
                if self._account is not None:
                    await self._turn_of(self._account)
                    now = self._clock.monotonic()
                self._window.take(now)
                self._at_write.take(now)
                return
            await self._clock.sleep(min(wait, NAP))

    async def _turn_of(self, account: Account) -> None:
        turn = asyncio.ensure_future(account.turn(self._held))
        try:
            while not turn.done():
                await asyncio.wait([turn], timeout=NAP)
                self._refuse_closed()
            turn.result()
        finally:
            turn.cancel()

    def _refuse_closed(self) -> None:
        if self.closed:
            raise CalledOff
