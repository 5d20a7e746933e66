"""Sends reviewers' decisions, each with its own idempotency key as often as it takes, and reads what became of its run.

A decision may be sent again after any failure: with its key it counts once. Source: reference `Human Review API`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from batchrun.core.answers import Seen
from batchrun.core.conduct import Stop
from batchrun.core.pacing import backoff
from batchrun.core.readings import Reading, read
from batchrun.core.review import DecisionState
from batchrun.core.review_answers import DecisionOutcome, DecisionVerdict, judge_decision
from batchrun.engine.gate import NOT_SENT, CalledOff, Gate
from batchrun.engine.ports import BeforeWrite, Clock, Runner, Watch
from batchrun.errors import BatchrunError
from batchrun.model import State

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
MOST_TRIES = 8
MOST_FAILURES = 24  # in a row, of all decisions
READINGS = 5


class Sending(NamedTuple):
    """A decision that is to be sent; it is in the journal already."""

    decision_id: int
    position: int
    run_id: str
    approved: bool
    body: bytes
    told: str  # what was decided and by whom, in words
    may_have_arrived: bool = False  # it was begun before, and no answer came


class Taken(NamedTuple):
    """What the journal is to keep of an answer. `reading` is what the run was found to be, where it was read."""

    state: DecisionState
    status: int | None
    line: str
    detail: str | None = None
    reading: Reading | None = None


class Reviewer(Protocol):
    """The Human Review endpoint over one connection at a time."""

    async def decide(self, run_id: str, body: bytes, before_write: BeforeWrite) -> Seen:
        """Send a decision; `before_write` is awaited when the connection stands and no byte has left."""

    async def aclose(self) -> None:
        """Close the connection."""


class DecisionJournal(Protocol):
    """The journal as the decider sees it: each call returns after its commit is durable."""

    async def answered(self, sending: Sending, taken: Taken) -> State:
        """Keep an answer, and take the step that the row takes by it; give the row's state."""


_STATES = {
    DecisionOutcome.ACCEPTED: DecisionState.ACCEPTED,
    DecisionOutcome.CONFLICT: DecisionState.CONFLICT,
    DecisionOutcome.NOT_WAITING: DecisionState.NOT_WAITING,
    DecisionOutcome.REFUSED: DecisionState.REFUSED,
}


class Told(NamedTuple):
    """What is to be told of one decision that did not go through as it was meant."""

    position: int
    message: str


class Decider:
    """Sends decisions through several connections at once, at the batch's rate."""

    def __init__(
        self, journal: DecisionJournal, doors: Sequence[tuple[Reviewer, Runner]], gate: Gate, clock: Clock, watch: Watch
    ) -> None:
        self._journal = journal
        self._doors = doors
        self._gate = gate
        self._clock = clock
        self._watch = watch
        self._left: list[Sending] = []
        self._unanswered: dict[int, Sending] = {}
        self._may_have_arrived: set[int] = set()
        self._failures = 0
        self._over = asyncio.Event()
        self.stopped: Stop | None = None
        self.told: list[Told] = []
        self.taken = 0

    async def run(self, sendings: Sequence[Sending]) -> Stop | None:
        """Send all; give why it stopped early. What was begun and not answered keeps its key for the next time."""
        self._left = list(reversed(sendings))
        self._unanswered = {sending.decision_id: sending for sending in sendings}
        self._may_have_arrived = {sending.decision_id for sending in sendings if sending.may_have_arrived}
        async with asyncio.TaskGroup() as group:
            for reviewer, runner in self._doors:
                group.create_task(self._work(reviewer, runner))
        await self._release()
        return self.stopped

    async def _release(self) -> None:
        """Let go of what provably never arrived, so that it can still be changed."""
        why = self.stopped.message if self.stopped is not None else ""
        try:
            for sending in self._unanswered.values():
                if sending.decision_id not in self._may_have_arrived:
                    await self._journal.answered(sending, Taken(DecisionState.UNSENT, None, "never sent", why))
        except BatchrunError as error:  # it then counts as sent, which is the safe side
            self.stop(Stop(error.code, error.message))

    def stop(self, stop: Stop) -> None:
        """Send nothing more; the first reason stands."""
        self.stopped = self.stopped or stop
        self._gate.closed = True
        self._over.set()

    async def _work(self, reviewer: Reviewer, runner: Runner) -> None:
        try:
            while self._left and self.stopped is None:
                await self._send(self._left.pop(), reviewer, runner)
        except BatchrunError as error:  # the journal cannot keep an answer
            self.stop(Stop(error.code, error.message))

    async def _send(self, sending: Sending, reviewer: Reviewer, runner: Runner) -> None:
        tries = 0
        while await self._gate.turn():
            seen, verdict = await self._call(sending, reviewer)
            if verdict.outcome in _STATES:
                await self._take(sending, seen, verdict, runner)
                return
            tries += verdict.outcome is not DecisionOutcome.SLOW
            await self._journal.answered(sending, Taken(DecisionState.OPEN, seen.status, verdict.line, verdict.message))
            await self._wait(verdict, tries)

    async def _call(self, sending: Sending, reviewer: Reviewer) -> tuple[Seen, DecisionVerdict]:
        arrived_before = sending.decision_id in self._may_have_arrived
        self._may_have_arrived.add(sending.decision_id)  # until the answer proves otherwise
        seen = NOT_SENT
        with contextlib.suppress(CalledOff):
            seen = await reviewer.decide(sending.run_id, sending.body, self._gate.write)
        verdict = judge_decision(seen, self._clock.now())
        if not arrived_before and not verdict.may_have_arrived:
            self._may_have_arrived.discard(sending.decision_id)
        return seen, verdict

    async def _wait(self, verdict: DecisionVerdict, tries: int) -> None:
        """Wait until a decision may be sent again, or stop where that would lead to nothing."""
        message = verdict.message or "the review endpoint could not be reached"
        if verdict.outcome is DecisionOutcome.STOP:
            self.stop(Stop("review-refused", message))
        elif verdict.outcome is DecisionOutcome.SLOW:
            pause = verdict.wait if verdict.wait is not None else FIRST_PAUSE
            self._gate.pace.slow_down(self._clock.monotonic(), pause)
            self._watch.waiting("the API asks for a slower pace (429)", pause)
        else:
            self._failures += 1
            if tries >= MOST_TRIES or self._failures >= MOST_FAILURES:
                self.stop(Stop("review-unreached", message))
            await self._pause(backoff(tries, FIRST_PAUSE, LONGEST_PAUSE, self._clock.chance()))

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until all stops."""
        waiting = [asyncio.ensure_future(self._over.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def _take(self, sending: Sending, seen: Seen, verdict: DecisionVerdict, runner: Runner) -> None:
        state = _STATES[verdict.outcome]
        self._failures = 0
        self._gate.pace.speed_up()
        lost_one = sending.decision_id in self._may_have_arrived
        if lost_one and state in (DecisionState.REFUSED, DecisionState.NOT_WAITING):
            state = DecisionState.UNCLEAR  # what is said now proves nothing of the first time
        reading = None if _goes_on(sending, state) else await self._reading(sending, state, runner)
        detail = verdict.message
        if state in (DecisionState.CONFLICT, DecisionState.NOT_WAITING, DecisionState.UNCLEAR):
            detail = _found(reading) + (_PERHAPS_OURS if lost_one and state is DecisionState.CONFLICT else "")
        self.taken += state is DecisionState.ACCEPTED
        self._unanswered.pop(sending.decision_id, None)
        after = await self._journal.answered(sending, Taken(state, seen.status, verdict.line, detail, reading))
        self._watch.stepped(sending.position, State.AWAITING_REVIEW, after)
        if state is not DecisionState.ACCEPTED:
            self.told.append(Told(sending.position, _WORDS[state].format(told=sending.told, detail=detail)))

    async def _reading(self, sending: Sending, state: DecisionState, runner: Runner) -> Reading | None:
        """Read the run; after a rejection, until it has ended, which takes a moment."""
        if state is DecisionState.REFUSED:
            return None
        reading = None
        for attempt in range(1, READINGS + 1):
            found = read(await runner.read(sending.run_id), sending.run_id)
            reading = found if found.event is not None else reading
            if found.event is not None and (found.event.value != State.AWAITING_REVIEW.value):
                break
            if attempt < READINGS and self.stopped is None:
                await self._pause(backoff(attempt, FIRST_PAUSE / 2, 1.0, self._clock.chance()))
        return reading


def _goes_on(sending: Sending, state: DecisionState) -> bool:
    return state is DecisionState.ACCEPTED and sending.approved


def _found(reading: Reading | None) -> str:
    if reading is None or reading.status_word is None:
        return "the run could not be read"
    reason = f" ({reading.error})" if reading.error else ""
    return f"the run is {reading.status_word.replace('_', ' ')}{reason}"


_PERHAPS_OURS = "; an answer was lost before, so it may have been this very decision"
_WORDS = {
    DecisionState.CONFLICT: "the decision ({told}) was not taken, because somebody had decided before; {detail}",
    DecisionState.NOT_WAITING: "the decision ({told}) was not taken, because the run waits for no review; {detail}",
    DecisionState.REFUSED: "the API refused the decision ({told}), so the review still waits: {detail}",
    DecisionState.UNCLEAR: "the answer to the decision ({told}) was lost, so it may have counted or not; {detail}",
}
