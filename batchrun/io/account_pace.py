"""The pace that all processes with one API key share: turns are leased in the journal, some at a time."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from batchrun.core.pacing import LOOK_AHEAD, Connected
from batchrun.core.shared_pace import Turns, expected_wait, is_late, take_turns, was_set_back
from batchrun.errors import BatchrunError
from batchrun.io.api_key import ApiKey
from batchrun.io.journal import Journal
from batchrun.io.journal_tables import paces


class AccountPace:
    """One process's way to the shared pace; a context manager. The wall clock is the one that processes share."""

    def __init__(self, journal: Journal, key: ApiKey, per_second: float) -> None:
        self._journal = journal.beside()
        self._name = _name(key)
        self._per_second = per_second
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pace")
        self._leased: deque[float] = deque()
        self._leased_at = (0.0, 0.0)
        self._in_order: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._waiting = 0
        self._last = 0.0
        self._others = 0.0  # how long the turns of others went on when turns were leased last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.submit(self._journal.close).result()
        self._thread.shutdown()

    async def turn(self, connected: Connected, waiting: int = 1) -> bool:
        """Wait for a turn of this process's own; who came first goes first. Turns are leased for all that wait.

        False where the connection does not last till then: the turn is kept for whoever asks next.
        """
        self._waiting += waiting
        try:
            async with self._lock():
                return await self._turn(connected)
        finally:
            self._waiting -= waiting

    def expected(self, waiting: int) -> float:
        """Give the seconds until so many that wait will have had their turns."""
        return expected_wait(max(0.0, self._others), waiting, self._per_second)

    def _lock(self) -> asyncio.Lock:
        # A command may run one loop after another, and a lock belongs to one of them.
        loop = asyncio.get_running_loop()
        if self._in_order is None or self._in_order[0] is not loop:
            self._in_order = loop, asyncio.Lock()
        return self._in_order[1]

    async def _turn(self, connected: Connected) -> bool:
        while True:
            moment = await self._next()
            for ahead in (LOOK_AHEAD, 0.0):
                await asyncio.sleep(moment - ahead - time.time())
                if not connected.lasts(max(0.0, moment - time.time())):
                    self._leased.appendleft(moment)
                    return False
            if not is_late(moment, time.time()):
                self._last = moment
                return True

    async def _next(self) -> float:
        now = time.time()
        if was_set_back(self._leased_at, (now, time.monotonic())):
            self._leased.clear()  # they would stand this process still for as long as the clock was set back
        while self._leased and is_late(self._leased[0], now):
            self._leased.popleft()
        if not self._leased:
            self._leased_at = (now, time.monotonic())
            turns = await asyncio.get_running_loop().run_in_executor(self._thread, self._lease, self._waiting)
            self._others = turns.first - time.time()
            self._leased.extend(turns.moments())
        return self._leased.popleft()

    def _lease(self, count: int) -> Turns:
        try:
            with self._journal.writing() as connection:
                return _leased(connection, self._name, self._per_second, count)
        except BatchrunError:  # whoever sends finds the same, and stops for it; until then this process keeps the pace
            return take_turns(self._last + 1 / self._per_second, time.time(), self._per_second, 1)


def _leased(connection: Connection, name: str, per_second: float, count: int) -> Turns:
    taken_until = connection.execute(select(paces.c.taken_until).where(paces.c.name == name)).scalar_one_or_none()
    turns = take_turns(taken_until or 0.0, time.time(), per_second, count)  # the time once nobody else can write
    values = insert(paces).values(name=name, taken_until=turns.end)
    connection.execute(values.on_conflict_do_update(index_elements=[paces.c.name], set_={"taken_until": turns.end}))
    return turns


def _name(key: ApiKey) -> str:
    """Name an account so that nobody can tell its key: 64 bits of a hash of a long random text."""
    return hashlib.blake2b(key.reveal().encode(), digest_size=8, person=b"batchrun-pace").hexdigest()
