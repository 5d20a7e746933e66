"""Sends what is left of a batch and follows its runs, then writes the workbook: the end of `run`, and `resume`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from batchrun.core.conduct import Policy, Stop, most_refusals
from batchrun.core.durations import parse_rate
from batchrun.core.pacing import readings
from batchrun.core.totals import counted
from batchrun.engine.dispatch import Dispatcher
from batchrun.engine.follow import Follower
from batchrun.engine.gate import Gate
from batchrun.engine.ports import Watch
from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.flows import events_file, finishing, holding, looking
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import Doors, runner
from batchrun.flows.engine_journal import EngineJournal
from batchrun.flows.folding import fold
from batchrun.flows.holding import VERSION_CHANGED, VersionTeller
from batchrun.flows.loops import is_in_a_loop, run_loop, soon
from batchrun.flows.minding import Minder
from batchrun.flows.outcome import Outcome
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_steps, system
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_writer import JournalWriter
from batchrun.io.runner_api import RunnerApi
from batchrun.io.system import Interrupts
from batchrun.model import State

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Following:
    """How long runs are followed. `wait` of None is for ever on a terminal, one hour elsewhere."""

    follow: bool = True
    wait: float | None = None
    events: Path | None = None

    @property
    def seconds(self) -> float:
        """The longest time to follow after the last send."""
        if self.wait is not None:
            return self.wait
        return inf if system.is_terminal() else HOUR


def go_on(
    journal: Journal,
    batch: Batch,
    doors: Doors,
    teller: Teller,
    following: Following,
    grace: float | None,
    *,
    confirm: bool = False,
    agreed: bool = False,
) -> Outcome:
    """Send, follow, write. One process sends for a batch at a time; a holder that died left no lock.

    `confirm` says that a person has looked at what holds the batch; `agreed`, that what was cancelled shall go on.
    """
    try:
        most_refusals(batch.settings["max_errors"], 1)
    except ValueError as error:
        raise BadCommandLine(f"--max-errors: {error}") from None
    with system.try_lock(journal.lock_file(batch.id)) as mine:
        if not mine:
            raise CouldNotStart(
                f"another batchrun is sending {batch.name} right now; look on with: batchrun status {batch.name}",
                code="held",
            )
        with journal.writing() as connection:
            if agreed:
                holding.take_up_again(connection, batch, "asked")
            elif not confirm:
                holding.refuse_if_cancelled(connection, batch)
            journal_steps.ask_to_cancel(connection, batch.id, None)  # whoever asked before asked an earlier sender
            doubted = journal_steps.doubt_what_was_sending(connection, batch, SystemClock().now())
            if confirm:
                holding.confirm(connection, batch, "resume --confirm")
        fold(journal, batch)  # all of what has arrived, before the first run is read
        if doubted:
            teller.warn(f"in doubt now: {counted(doubted, 'row')} under way when the last sender ended")
        with system.interrupts(taken=not is_in_a_loop()) as interrupts:
            try:
                with doors.opened(journal, batch) as route:
                    if str(route):
                        teller.say(f"Reaching {route.origin} {route}")
                    stop = _send(_Work(journal, batch, route, teller, following, grace, interrupts))
            except KeyboardInterrupt:
                if not interrupts.seen:
                    raise
                stop = finishing.interruption()
            stop = finishing.finished(journal, batch, stop, teller, interrupts)
            return finishing.outcome(journal, batch, stop)


class _Work(NamedTuple):
    """One batch that is sent and followed, and how."""

    journal: Journal
    batch: Batch
    route: Route
    teller: Teller
    following: Following
    grace: float | None
    interrupts: Interrupts


def _send(work: _Work) -> Stop | None:
    """Send what may be sent and follow it; where those were rows to look at first, ask, and go on with the rest."""
    journal, batch = work.journal, work.batch
    with journal.reading() as connection:
        before = holding.hold_of(connection, batch)
    stop = run_loop(_Sending(work, None if before is None else before.up_to).run())
    if stop is not None and stop.code != VERSION_CHANGED:
        return stop
    with journal.reading() as connection:
        hold = holding.what_holds_the_rest(connection, batch)
    if hold is None:
        return None
    were_sent_now = before is not None and not before.waits
    stop = looking.look(journal, batch, hold, work.teller, may_ask=were_sent_now and work.following.follow)
    return stop or _send(work)


class _Sending:
    """One batch's loops, wired together."""

    def __init__(self, work: _Work, up_to: int | None = None) -> None:
        self._journal, self._batch, self._route, self._teller, self._following, self._grace, self._interrupts = work
        self._up_to = up_to
        self._ended_by: Stop | None = None
        self._clock = SystemClock()
        self._interrupted = False

    async def run(self) -> Stop | None:
        """Run both loops to their end; give why sending stopped early."""
        # What the program has loaded by now stays; looking through it for garbage would be a pause in the pace.
        gc.collect()
        gc.freeze()
        writer = JournalWriter(self._journal, self._batch)
        counts = self._counts()
        per_second = parse_rate(self._batch.settings["rate"])
        try:
            with (
                self._teller.watching(counts, per_second) as shown,
                events_file.recording(self._following.events, self._batch.name, shown, self._teller.warn) as watch,
            ):
                return await self._loops(
                    EngineJournal(writer, up_to=self._up_to), watch, per_second, sum(counts.values())
                )
        finally:
            await writer.close()

    def _counts(self) -> dict[State, int]:
        with self._journal.reading() as connection:
            return journal_batches.counts(connection, [self._batch.id], payloads=True)[self._batch.id]

    async def _loops(self, journal: EngineJournal, watch: Watch, per_second: float, total: int) -> Stop | None:
        senders = int(self._batch.settings["concurrency"])
        reading_rate, most_readers = readings(per_second, senders)
        async with self._runners(senders + 1) as (prober, *runners), self._runners(most_readers) as readers:
            reading = Gate(reading_rate, self._clock)
            follower = Follower(journal, readers, reading, self._clock, watch, eager=per_second == inf)
            dispatcher = Dispatcher(
                journal,
                runners,
                prober,
                Gate(per_second, self._clock, self._route.account),
                self._clock,
                watch,
                self._policy(total),
                last_run=self._last_run(),
                on_open=follower.add if self._following.follow else lambda _run: None,
            )
            return await self._both(journal, dispatcher, follower, watch)

    async def _both(
        self, journal: EngineJournal, dispatcher: Dispatcher, follower: Follower, watch: Watch
    ) -> Stop | None:
        loop = asyncio.get_running_loop()
        follower.expect_more(True)
        minder = Minder(journal, self._clock, follower, watch, dispatcher.begin_anew)
        versions = VersionTeller(self._journal, self._batch, self._teller)
        versions.on_change, journal.on_version = dispatcher.stop, versions.saw
        await minder.look()
        sending = asyncio.ensure_future(dispatcher.run())
        reading = asyncio.ensure_future(follower.run()) if self._following.follow else None

        def end_reading() -> None:
            follower.end()
            if reading is not None:
                reading.cancel()  # a reading can be made again at any time, so nobody waits for its answer

        def stop_sending() -> None:
            self._interrupted = True
            dispatcher.stop(finishing.interruption())
            end_reading()
            if self._grace is not None:
                loop.call_later(self._grace, leave)
            self._teller.say("Interrupted: waiting for the answers that are under way; once more to leave at once.")

        def leave() -> None:
            sending.cancel()
            end_reading()

        def stop_both(stop: Stop) -> None:
            self._ended_by = self._ended_by or stop
            dispatcher.stop(stop)
            end_reading()

        journal.on_full = lambda error: stop_both(Stop(error.code, error.message))
        minding = asyncio.ensure_future(minder.mind(stop_both))
        try:
            with self._interrupts.calling(soon(loop, stop_sending), soon(loop, leave)):
                stop = await _ended(sending, dispatcher)
                follower.expect_more(False)
                versions.on_change = lambda _stop: None  # nothing is left to send
                if stop is not None and stop.code != VERSION_CHANGED:
                    end_reading()
                if reading is not None:
                    await self._follow_to_the_end(reading, follower)
        finally:
            minding.cancel()
        return self._reason(dispatcher.stopped, follower)

    async def _follow_to_the_end(self, reading: asyncio.Task[None], follower: Follower) -> None:
        seconds = self._following.seconds
        _, unfinished = await asyncio.wait([reading], timeout=None if seconds == inf else seconds)
        if unfinished:
            self._teller.warn(f"{follower.left:,} runs had not ended after the set wait; they go on by themselves")
            reading.cancel()
            await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()

    def _reason(self, stop: Stop | None, follower: Follower) -> Stop | None:
        if stop is not None and stop.code != VERSION_CHANGED:
            return stop
        if self._interrupted:
            return finishing.interruption()
        return self._ended_by or follower.broken or stop  # what came after a new version was seen counts more

    def _policy(self, total: int) -> Policy:
        settings = self._batch.settings
        with self._journal.reading() as connection:
            accepted = journal_steps.accepted_before(connection, self._batch)
        return Policy(
            most_refusals=most_refusals(settings["max_errors"], total),
            not_run=frozenset(settings["not_run"]),
            repeatable=settings["repeatable"],
            accepted_before=accepted,
        )

    def _last_run(self) -> str | None:
        with self._journal.reading() as connection:
            return journal_steps.any_run_id(connection, self._batch)

    @contextlib.asynccontextmanager
    async def _runners(self, count: int) -> AsyncIterator[list[RunnerApi]]:
        made = [runner(self._route, self._batch) for _ in range(count)]
        try:
            yield made
        finally:
            for one in made:
                await one.aclose()


async def _ended(sending: asyncio.Task[Stop | None], dispatcher: Dispatcher) -> Stop | None:
    try:
        return await sending
    except asyncio.CancelledError:
        return dispatcher.stopped
