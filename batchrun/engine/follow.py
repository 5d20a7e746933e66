"""Follows open runs to their end: reads each with exponential backoff, the oldest first, at a bounded rate."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from batchrun.core.answers import Seen
from batchrun.core.conduct import Stop
from batchrun.core.lifecycle import API_EVENTS, ENDED, OPEN
from batchrun.core.pacing import Spacing, backoff
from batchrun.core.readings import Reading, read
from batchrun.engine.gate import Gate
from batchrun.engine.ports import Clock, FollowerJournal, OpenRun, Runner, Watch
from batchrun.errors import BatchrunError
from batchrun.model import State

FIRST_READING = 1.0
FIRST_READING_WITH_LISTENER = 60.0
EAGER, MOST_EAGER = 0.1, 0.05
LONGEST_PAUSE = 30.0
MOST_WITHOUT_NEWS = 200.0  # readings a second: at an unlimited rate, many runs that last are no reason for a storm
FOLLOWED = OPEN - {State.AWAITING_REVIEW}
TOLD_BY_WEBHOOK = ENDED | {State.AWAITING_REVIEW}


@dataclass(order=True, slots=True)
class _Due:
    at: float
    position: int
    run_id: str
    state: State
    reading: int = 0


class Follower:
    """Reads open runs until each has ended or waits for a review.

    An eager one begins to read a run sooner, and learns from first readings how soon is worth the while.
    """

    def __init__(
        self,
        journal: FollowerJournal,
        runners: Sequence[Runner],
        gate: Gate,
        clock: Clock,
        watch: Watch,
        *,
        eager: bool = False,
    ) -> None:
        self._journal = journal
        self._free = list(runners)  # as many as there are workers; the one used last is taken first
        self._gate = gate
        self._without_news = Gate(MOST_WITHOUT_NEWS, clock)
        self._clock = clock
        self._watch = watch
        self._due: list[_Due] = []
        self._followed: set[int] = set()
        self._under_way = 0
        self._expecting = False
        self._ended = False
        self._changed = asyncio.Event()
        self._taking = asyncio.Lock()
        self.broken: Stop | None = None
        self._eager = eager
        self._soon = EAGER if eager else FIRST_READING
        self._listening = False
        self._spacing = Spacing()
        self._last_reading = -inf
        self._versions: set[str | None] = {None}  # that the journal was told of

    def expect_more(self, expecting: bool) -> None:
        """Say whether runs may still be added."""
        self._expecting = expecting
        self._wake()

    def add(self, run: OpenRun) -> None:
        """Follow one more run, unless it waits for a person."""
        if run.state is not State.AWAITING_REVIEW:
            self._follow(run, FIRST_READING_WITH_LISTENER if self._listening else self._soon)

    def forget(self, position: int) -> None:
        """Read a run no more: a webhook has told how it ended, or that it waits for a review."""
        self._followed.discard(position)
        self._wake()

    def hear(self, listening: bool, told: bool) -> None:
        """Say whether somebody listens for webhooks, and whether one has just told something: then few are read."""
        self._listening = listening
        self._spacing.hear(listening, told)
        self._wake()

    def end(self) -> None:
        """Stop following; what is open stays open."""
        self._ended = True
        self._gate.closed = self._without_news.closed = True
        self._wake()

    @property
    def left(self) -> int:
        """How many runs are still being followed."""
        return len(self._followed)

    async def run(self) -> None:
        """Follow what is open in the journal, and what is added, to the end."""
        for run in await self._journal.open_runs():
            self._follow(run, 0.0)
        async with asyncio.TaskGroup() as group:
            for _ in self._free:
                group.create_task(self._work())

    def _follow(self, run: OpenRun, after: float) -> None:
        if run.position not in self._followed:
            self._followed.add(run.position)
            self._push(_Due(self._clock.monotonic() + after, run.position, run.run_id, run.state))

    def _push(self, due: _Due) -> None:
        heapq.heappush(self._due, due)
        if self._due[0] is due:  # else whoever waits for the first of them waits no less
            self._wake()

    async def _work(self) -> None:
        try:
            await self._read_all()
        except BatchrunError as error:  # the journal cannot take a step
            self.broken = Stop(error.code, error.message)
            self.end()

    async def _read_all(self) -> None:
        while (due := await self._next()) is not None:
            try:
                if not await self._gate.turn():
                    return
                await self._read(due)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._wake()

    async def _next(self) -> _Due | None:
        async with self._taking:  # one waits for what is due, and not all of them
            return await self._first_due()

    async def _first_due(self) -> _Due | None:
        while not self._ended:
            now = self._clock.monotonic()
            while self._due and self._due[0].position not in self._followed:
                heapq.heappop(self._due)
            if not self._due and not self._under_way and not self._expecting:
                break
            wait = max(self._due[0].at, self._last_reading + self._spacing.seconds) - now if self._due else None
            if wait is not None and wait <= 0:
                return self._taken(now)
            await self._wait(wait)
        return None

    def _taken(self, now: float) -> _Due:
        self._under_way += 1
        self._last_reading = now
        return heapq.heappop(self._due)

    def _wake(self) -> None:
        # Never cleared but replaced: a worker that begins to wait cannot take the signal from another.
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, seconds: float | None) -> None:
        changed = asyncio.ensure_future(self._changed.wait())
        slept = [asyncio.ensure_future(self._clock.sleep(seconds))] if seconds is not None else []
        try:
            await asyncio.wait([changed, *slept], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (changed, *slept):
                task.cancel()

    async def _read(self, due: _Due) -> None:
        seen = await self._seen(due.run_id)
        reading = read(seen, due.run_id)
        if reading.refused is not None:
            self.broken = Stop("key-refused", reading.refused)
            self.end()
            return
        if reading.slow_down:
            self._gate.pace.slow_down(self._clock.monotonic(), LONGEST_PAUSE / 10)
        elif reading.event is not None:
            self._gate.pace.speed_up()
        state = await self._told(due, reading)
        if self._eager and not due.reading:
            self._soon = max(self._soon / 2, MOST_EAGER) if state in ENDED else min(self._soon * 2, FIRST_READING)
        if state not in FOLLOWED:
            self._followed.discard(due.position)
            return
        self._push(_Due(self._later(due), due.position, due.run_id, state, due.reading + 1))
        if state is due.state:
            await self._without_news.turn()

    async def _seen(self, run_id: str) -> Seen:
        runner = self._free.pop()
        try:
            return await runner.read(run_id)
        finally:
            self._free.append(runner)

    async def _told(self, due: _Due, reading: Reading) -> State:
        if reading.event is None:
            return due.state
        told = API_EVENTS[reading.event]
        if told is due.state and reading.version_id in self._versions:
            self._spacing.learn(news=False)
            return due.state
        recorded = await self._journal.follow(
            due.position,
            reading.event,
            reading.output,
            reading.error,
            reading.finished_at,
            self._clock.now(),
            version_id=reading.version_id,
            # A webhook may have told more while this was being read; only an end is true however late it is read.
            expected=None if told in ENDED else due.state,
        )
        self._versions.add(reading.version_id)
        if recorded.moved:
            if told is not due.state:
                self._watch.stepped(due.position, due.state, recorded.state)
            self._spacing.learn(news=recorded.state in TOLD_BY_WEBHOOK)
        return recorded.state

    def _later(self, due: _Due) -> float:
        # Half of the pause is certain, so that a run is never read again at once; the other half is chance.
        pause = backoff(due.reading + 1, FIRST_READING, LONGEST_PAUSE, 0.5 + self._clock.chance() / 2)
        return self._clock.monotonic() + pause
