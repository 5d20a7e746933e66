"""The turn at which a request may leave: one pace for all senders, and a hard guard at the socket's write."""

from __future__ import annotations

import asyncio
from math import inf

from batchrun.core.answers import Fault, Seen
from batchrun.core.pacing import LOOK_AHEAD, Connected, Pace, Window
from batchrun.core.shared_pace import Account
from batchrun.engine.ports import Clock

NAP = LOOK_AHEAD
HELD_UP = 0.25
NOT_SENT = Seen(fault=Fault.NOT_CONNECTED, left=False, detail="not sent, because sending had stopped")
"""What is seen of a send that was called off."""


class CalledOff(Exception):
    """The gate was closed while a send waited at its socket: no byte of it has left, and none will."""


class Gate:
    """Gives turns at a set rate.

    `turn` is taken before a row's intent is committed; `write` is awaited when the connection stands, so that slow
    commits and handshakes cannot push two sends together. A send that is held up there stands on an open connection,
    which the server may close meanwhile; so turns that run ahead of the writes wait for them, and no send is counted
    before its connection was seen to be fit. Where an account's pace is shared with other processes, each write waits
    for a turn of that, too.
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

    async def write(self, connected: Connected) -> None:
        """Wait until one more send fits into the window, then count it; who came first goes first.

        Whose connection does not last so long renews it, while the others go on. Raise CalledOff where the gate is
        closed by then, for where a pace is shared the wait can be long; and what renewing raises.
        """
        self._hold_turns()
        self._held += 1
        try:
            while not await self._fit(connected):
                await connected.renew()
        finally:
            self._held -= 1

    def _hold_turns(self) -> None:
        """Let turns wait where this send will be held up."""
        now = self._clock.monotonic()
        wait = self._at_write.wait(now) + self._held * self._at_write.interval
        if self._account is not None:
            wait = max(wait, self._account.expected(self._held))
        if wait > HELD_UP:
            self._no_turn_before = now + wait + self._at_write.interval

    async def _fit(self, connected: Connected) -> bool:
        async with self._in_order:
            while (wait := self._wait()) > 0:
                if wait <= LOOK_AHEAD and not connected.lasts(wait):
                    return False
                await self._clock.sleep(min(wait, NAP))
            if self._account is not None and not await self._turn_of(self._account, connected):
                return False
            # Nothing is awaited between this look and the write.
            if not connected.lasts(0.0):
                return False
            now = self._clock.monotonic()
            self._window.take(now)
            self._at_write.take(now)
            return True

    def _wait(self) -> float:
        self._refuse_closed()
        now = self._clock.monotonic()
        return max(self._window.wait(now), self._at_write.wait(now))

    async def _turn_of(self, account: Account, connected: Connected) -> bool:
        turn = asyncio.ensure_future(account.turn(connected, self._held))
        try:
            while not turn.done():
                await asyncio.wait([turn], timeout=NAP)
                self._refuse_closed()
            return turn.result()
        finally:
            turn.cancel()

    def _refuse_closed(self) -> None:
        if self.closed:
            raise CalledOff
