"""Sends a batch's decisions and follows the runs that they set going."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from math import inf
from typing import Any

from batchrun.core import payloads, review
from batchrun.core.conduct import Stop
from batchrun.core.durations import parse_rate
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import READERS, reading_rate
from batchrun.core.review import Decision, DecisionState
from batchrun.engine.decide import Decider, Reviewer, Sending, Taken, Told
from batchrun.engine.follow import Follower
from batchrun.engine.gate import Gate
from batchrun.engine.ports import Runner, Watch
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import Doors, runner
from batchrun.flows.engine_journal import EngineJournal
from batchrun.flows.finishing import interruption
from batchrun.flows.holding import VersionTeller
from batchrun.flows.loops import soon
from batchrun.flows.minding import Minder
from batchrun.flows.sending import Following
from batchrun.flows.telling import Teller
from batchrun.io import journal_decisions
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_decisions import Answer
from batchrun.io.journal_steps import Step
from batchrun.io.journal_writer import JournalWriter
from batchrun.io.review_api import ReviewApi
from batchrun.io.system import Interrupts
from batchrun.model import State


class DecisionKeeper:
    """Keeps answers in the journal, each with the step of its row in one commit, from a thread of its own."""

    def __init__(self, journal: Journal, batch: Batch) -> None:
        self._journal = journal
        self._batch = batch
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decisions")

    async def answered(self, sending: Sending, taken: Taken) -> State:
        """Keep an answer; give the state that the row then has."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._keep, sending, taken)

    def close(self) -> None:
        """Wait for what is being written."""
        self._thread.shutdown(wait=True)

    def _keep(self, sending: Sending, taken: Taken) -> State:
        now = SystemClock().now()
        answer = Answer(taken.state, now, taken.status, taken.line, taken.detail)
        with self._journal.writing() as connection:
            steps = _steps(sending, taken, now)
            done = journal_decisions.answer(connection, self._batch, sending.decision_id, answer, steps)
        return done[-1].state if done else State.AWAITING_REVIEW


def _steps(sending: Sending, taken: Taken, now: datetime) -> list[Step]:
    """Give what a row does by an answer: an approved run goes on; of the others, what was read of them."""
    note = f"{sending.told} ({taken.state.value.replace('_', ' ')})"
    goes_on = Step(sending.position, Event.RUNNING, now, status=taken.status, note=note)
    if taken.state is DecisionState.ACCEPTED and sending.approved:
        return [goes_on]
    reading, pause_is_over = taken.reading, taken.state in (DecisionState.CONFLICT, DecisionState.UNCLEAR)
    if taken.state in (DecisionState.OPEN, DecisionState.UNSENT):
        return []
    if reading is None or reading.event is None:
        # Unread, it counts as going on: were it to wait on, the same words would be sent with another key, and might
        # decide a next review that nobody has looked at.
        return [goes_on] if pause_is_over else []
    found = goes_on._replace(
        event=reading.event,
        output=reading.output,
        error=reading.error,
        finished_at=reading.finished_at,
        version_id=reading.version_id,
        status=None,
    )
    if reading.event is Event.AWAITING_REVIEW:
        # Somebody's decision was taken and the run waits again, for another review; of a rejection it is only late.
        return [goes_on, found] if pause_is_over else []
    return [found]


def body_of(decision: Decision, key: str) -> bytes:
    """Give a decision's request body. Source: reference `Human Review API`."""
    body: dict[str, object] = {"approved": decision.approved}
    if decision.approved and decision.outputs:
        body["outputs"] = decision.outputs
    if not decision.approved:
        body["rejectionReason"] = decision.rejection_reason
    return payloads.to_json({**body, "idempotencyKey": key})


class Deciding:
    """One batch's decisions and the runs that follow from them, wired together."""

    def __init__(
        self,
        journal: Journal,
        batch: Batch,
        doors: Doors,
        route: Route,
        teller: Teller,
        following: Following,
        interrupts: Interrupts,
    ) -> None:
        self._journal = journal
        self._batch = batch
        self._route = route
        self._review_route = doors.review_route(batch, route)
        self._teller = teller
        self._following = following
        self._interrupts = interrupts
        self._clock = SystemClock()
        self._interrupted = False
        self._ended_by: Stop | None = None
        self.told: list[Told] = []
        self.taken = 0

    async def send(self, sendings: Sequence[Sending]) -> Stop | None:
        """Send decisions; give why that stopped early."""
        per_second = parse_rate(self._batch.settings["rate"])
        keeper, waiting = DecisionKeeper(self._journal, self._batch), State.AWAITING_REVIEW
        count = min(int(self._batch.settings["concurrency"]), len(sendings))
        try:
            with self._teller.watching({waiting: len(sendings)}, per_second, {waiting}) as watch:
                async with self._doors(count) as doors:
                    gate = Gate(per_second, self._clock, self._review_route.account)
                    decider = Decider(keeper, doors, gate, self._clock, watch)
                    await self._interruptibly(decider.run(sendings), lambda: decider.stop(interruption()))
            self.told, self.taken = decider.told, decider.taken
            return decider.stopped
        finally:
            keeper.close()

    async def follow(self, positions: Collection[int]) -> Stop | None:
        """Follow the runs of some rows to their end, or to the next review; give why that stopped early."""
        writer = JournalWriter(self._journal, self._batch)
        journal = EngineJournal(writer, only=positions)
        journal.on_version = VersionTeller(self._journal, self._batch, self._teller).saw
        per_second = reading_rate(parse_rate(self._batch.settings["rate"]))
        try:
            runs = await journal.open_runs()
            if not runs:
                return None
            with self._teller.watching(Counter(run.state for run in runs), per_second) as watch:
                return await self._follow(journal, min(READERS, len(runs)), per_second, watch)
        finally:
            await writer.close()

    async def _follow(self, journal: EngineJournal, readers: int, per_second: float, watch: Watch) -> Stop | None:
        doors = [runner(self._route, self._batch) for _ in range(readers)]
        follower = Follower(journal, doors, Gate(per_second, self._clock), self._clock, watch)
        minder = Minder(journal, self._clock, follower, watch, lambda: None)

        def end(stop: Stop) -> None:
            self._ended_by = self._ended_by or stop
            follower.end()

        journal.on_full = lambda error: end(Stop(error.code, error.message))
        minding = asyncio.ensure_future(minder.mind(end))
        try:
            seconds = self._following.seconds
            async with asyncio.timeout(None if seconds == inf else seconds):
                await self._interruptibly(follower.run(), follower.end)
        except TimeoutError:
            self._teller.warn(f"{follower.left:,} runs had not ended after the set wait; they go on by themselves")
        finally:
            minding.cancel()
            for door in doors:
                await door.aclose()
        return interruption() if self._interrupted else self._ended_by or follower.broken

    async def _interruptibly(self, work: Coroutine[Any, Any, object], stop: Callable[[], None]) -> None:
        """Do work that a first Ctrl-C asks to end, and a second one ends at once."""
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def interrupted() -> None:
            self._interrupted = True
            stop()
            self._teller.say("Interrupted: waiting for the answers that are under way; once more to leave at once.")

        with self._interrupts.calling(soon(loop, interrupted), soon(loop, task.cancel)):
            try:
                await task
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait([task])
                if not self._interrupted:
                    raise

    @contextlib.asynccontextmanager
    async def _doors(self, count: int) -> AsyncIterator[list[tuple[Reviewer, Runner]]]:
        doors = [(ReviewApi(self._review_route), runner(self._route, self._batch)) for _ in range(count)]
        try:
            yield list(doors)
        finally:
            for reviewer, reader in doors:
                await reviewer.aclose()
                await reader.aclose()


def sending_of(position: int, run_id: str, recorded: review.Recorded, *, begun_before: bool) -> Sending:
    """Make a recorded decision ready to be sent."""
    return Sending(
        decision_id=recorded.id,
        position=position,
        run_id=run_id,
        approved=recorded.decision.approved,
        body=body_of(recorded.decision, recorded.key),
        told=review.told(recorded),
        may_have_arrived=begun_before,
    )
