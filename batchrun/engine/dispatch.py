"""Intent, call, answer: sends each ready row once, by workers that each have a connection to themselves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from batchrun.core.answers import Context, Effect, Seen, Verdict, judge
from batchrun.core.conduct import DOUBTS_IN_A_ROW, Conduct, Policy, Stop
from batchrun.core.lifecycle import OPEN, Event
from batchrun.engine.feed import Feed
from batchrun.engine.gate import NOT_SENT, CalledOff, Gate
from batchrun.engine.ports import Clock, OpenRun, Outgoing, Recorded, Runner, SenderJournal, Watch
from batchrun.errors import BatchrunError
from batchrun.model import State

PROBE_SECONDS = 600.0
PROBE_PAUSE, SHORTEST_PROBE_PAUSE = 5.0, 0.5
INVENTED_RUN = "run_batchrun_is_the_api_back"


class Dispatcher:
    """Sends a batch's ready rows. `prober` reads a run while the senders wait for the API to come back."""

    def __init__(
        self,
        journal: SenderJournal,
        runners: Sequence[Runner],
        prober: Runner,
        gate: Gate,
        clock: Clock,
        watch: Watch,
        policy: Policy,
        *,
        last_run: str | None = None,
        on_open: Callable[[OpenRun], None] = lambda _run: None,
    ) -> None:
        self._journal = journal
        self._free = list(runners)  # as many as there are workers; the one used last is taken first
        self._prober = prober
        self._gate = gate
        self._clock = clock
        self._watch = watch
        self._policy = policy
        self._conduct = Conduct(policy, clock.chance)
        self._on_open = on_open
        self._feed = Feed(journal, clock)
        self._last_run = last_run or INVENTED_RUN
        self._road = asyncio.Event()
        self._road.set()
        self._tasks = asyncio.TaskGroup()
        self._probing: asyncio.Task[None] | None = None
        self.stopped: Stop | None = None

    async def run(self) -> Stop | None:
        """Send until nothing is left or something stops it; answers that are under way are always awaited."""
        async with asyncio.TaskGroup() as self._tasks:
            for _ in self._free:
                self._tasks.create_task(self._work())
        return self.stopped

    def stop(self, stop: Stop) -> None:
        """Send nothing more; the first reason stands."""
        self.stopped = self.stopped or stop
        self._gate.closed = True
        self._feed.close()
        self._road.set()
        if self._probing is not None and self._probing is not asyncio.current_task():
            self._probing.cancel()  # it may wait for a dead network, and its answer changes nothing now

    def begin_anew(self) -> None:
        """Forget old failures, as after the machine slept."""
        self._conduct.begin_anew()

    async def _work(self) -> None:
        try:
            await self._send_all()
        except BatchrunError as error:  # the journal cannot take a step; what the others have under way goes on
            self.stop(Stop(error.code, error.message))

    async def _send_all(self) -> None:
        while (row := await self._begun()) is not None:
            # In turn, connections would lie idle for so long at a slow pace that each row had to open one anew.
            runner = self._free.pop()
            try:
                while row is not None:
                    row = await self._send(row, runner)
            finally:
                self._free.append(runner)

    async def _begun(self) -> Outgoing | None:
        """Give the next row, with its turn in hand and its intent on the disk; None where nothing is left to send."""
        while (row := await self._feed.next()) is not None:
            if not await self._turn():
                self._feed.done()
                return None
            if await self._intended(row):
                return row
        return None

    async def _turn(self) -> bool:
        """Wait for a turn that comes while the road is free; a row may have waited for it since before a probe."""
        while True:
            await self._road.wait()
            if not await self._gate.turn():
                return False
            if self._road.is_set():
                return True

    async def _intended(self, row: Outgoing) -> bool:
        """Commit a row's intent; False where another has moved the row, or taken its key."""
        return self._is_begun(row, await self._journal.intend(row.position, self._clock.now()))

    def _is_begun(self, row: Outgoing, intent: Recorded) -> bool:
        self._watch.stepped(row.position, State.READY, intent.state)
        if intent.state is State.SENDING and intent.moved:
            return True
        self._feed.done()
        return False

    async def _send(self, row: Outgoing, runner: Runner) -> Outgoing | None:
        """Send a row that was begun; give the next one where its intent is in the commit of this one's answer."""
        seen = await self._call(row, runner)
        verdict = judge(seen, self._context())
        ahead = self._row_ahead(verdict)
        recorded, intent = await self._recorded(row, verdict, seen, ahead)
        self._watch.stepped(row.position, State.SENDING, recorded.state)
        self._react(row, verdict, recorded, seen)
        return ahead if ahead is not None and intent is not None and self._is_begun(ahead, intent) else None

    async def _recorded(
        self, row: Outgoing, verdict: Verdict, seen: Seen, ahead: Outgoing | None
    ) -> tuple[Recorded, Recorded | None]:
        """Commit an answer, and in the same commit the intent of the row ahead."""
        now = self._clock.now()
        if ahead is not None:
            try:
                return await self._journal.record_and_intend(row.position, verdict, seen.status, now, ahead.position)
            except BatchrunError as error:  # neither was kept; the answer may find room where both did not
                self._feed.done()
                self.stop(Stop(error.code, error.message))
        return await self._journal.record(row.position, verdict, seen.status, now), None

    def _row_ahead(self, verdict: Verdict) -> Outgoing | None:
        """Give the next row where its turn has come already, and where an answer so judged stops and slows nothing."""
        if verdict.effect is not Effect.GOES_ON or self.stopped is not None or not self._road.is_set():
            return None
        row = self._feed.at_hand() if self._gate.has_turn() else None
        if row is not None:
            self._gate.take_turn()
        return row

    async def _call(self, row: Outgoing, runner: Runner) -> Seen:
        # A stop may come while the intent is being committed, or while the row waits at its socket: no byte has left.
        if self.stopped is None:
            with contextlib.suppress(CalledOff):
                return await runner.start(row.body, self._gate.write)
        return NOT_SENT

    def _context(self) -> Context:
        return Context(
            now=self._clock.now(),
            accepted_before=self._conduct.accepted,
            not_run=self._policy.not_run,
            repeatable=self._policy.repeatable,
        )

    def _react(self, row: Outgoing, verdict: Verdict, recorded: Recorded, seen: Seen) -> None:
        now, pace = self._clock.monotonic(), self._gate.pace
        reaction = self._conduct.after(verdict, seen, held=pace.is_held(now))
        stop = self._conduct.after_known_run(verdict.run_id) if recorded.known_run else reaction.stop
        if stop is not None:
            self.stop(stop)
        if reaction.speed_up:
            pace.speed_up()
        if reaction.pause is not None:
            pace.slow_down(now, reaction.pause)
            self._watch.waiting("the API asks for a slower pace (429)", reaction.pause)
        if reaction.hold is not None:
            pace.hold(now, reaction.hold)
            self._watch.waiting(f"trying again: {verdict.error}", reaction.hold)
        if reaction.probe:
            self._begin_probe()
        if verdict.run_id is not None and recorded.state in OPEN:
            self._last_run = verdict.run_id
            self._on_open(OpenRun(row.position, verdict.run_id, recorded.state))
        self._let_go(row, verdict, reaction.again)

    def _let_go(self, row: Outgoing, verdict: Verdict, again: float) -> None:
        if verdict.event in (Event.NOT_RECEIVED, Event.REPEAT) and self.stopped is None:
            self._feed.give_back(row, again)
        else:
            self._feed.done()

    def _begin_probe(self) -> None:
        if self._probing is None and self.stopped is None:
            self._road.clear()
            self._watch.waiting(f"{DOUBTS_IN_A_ROW} rows in a row are in doubt; asking whether the API is back", 0.0)
            self._probing = self._tasks.create_task(self._probe())

    async def _probe(self) -> None:
        try:
            await self._ask_whether_it_is_back()
        finally:
            self._probing = None
            self._road.set()

    async def _ask_whether_it_is_back(self) -> None:
        """Read the last run, or an invented one, until the API answers below 500 or time is up."""
        deadline, pause = self._clock.monotonic() + PROBE_SECONDS, SHORTEST_PROBE_PAUSE
        while self.stopped is None:
            seen = await self._prober.read(self._last_run)
            if seen.status is not None and seen.status < 500:
                self._conduct.begin_anew()
                break
            if self._clock.monotonic() >= deadline:
                self.stop(
                    Stop("doubts", f"{DOUBTS_IN_A_ROW} rows in a row are in doubt, and the API did not come back")
                )
                break
            await self._clock.sleep(pause)
            pause = min(pause * 2, PROBE_PAUSE)
