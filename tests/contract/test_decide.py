"""The decider against a scripted endpoint: each decision counts once, whatever its answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import pytest
from fakes import FakeApi, FakeClock, FakeWatch, Sound, reading, unreached, virtually

from batchrun.core.answers import Fault, Seen
from batchrun.core.conduct import Stop
from batchrun.core.lifecycle import Event
from batchrun.core.review import DecisionState
from batchrun.engine.decide import MOST_FAILURES, MOST_TRIES, Decider, Sending, Taken
from batchrun.engine.gate import Gate
from batchrun.engine.ports import BeforeWrite
from batchrun.errors import Stopped
from batchrun.model import State

OPEN, ACCEPTED, UNSENT = DecisionState.OPEN, DecisionState.ACCEPTED, DecisionState.UNSENT
OK = Seen(200, {"content-type": "application/json"}, b'{"success": true}')
LOST = Seen(fault=Fault.BROKEN, detail="the connection broke", left=True, whole=False)

Answering = Callable[[str, int], Seen]


def said(code: int, message: str = "no", **headers: str) -> Seen:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Seen(code, {"content-type": "application/json", **named}, b'{"error": "%s"}' % message.encode())


def failed(run_id: str) -> Seen:
    body = b'{"id":"%s","status":"failed","error":"too much"}' % run_id.encode()
    return Seen(200, {"content-type": "application/json"}, body)


@dataclass
class Endpoint:
    """A Human Review endpoint that answers by run and time; it keeps what came."""

    answering: Answering
    came: list[tuple[str, bytes, float]] = field(default_factory=list)
    seconds: float = 0.0

    async def decide(self, run_id: str, body: bytes, before_write: BeforeWrite) -> Seen:
        await before_write(Sound())
        self.came.append((run_id, body, asyncio.get_running_loop().time()))
        times = sum(one == run_id for one, _, _ in self.came)
        await asyncio.sleep(self.seconds)
        return self.answering(run_id, times)

    async def aclose(self) -> None:
        """Close nothing."""


@dataclass
class Journal:
    """Keeps answers in memory; a state that is final stays."""

    kept: list[tuple[int, Taken]] = field(default_factory=list)
    breaks_at: int | None = None

    async def answered(self, sending: Sending, taken: Taken) -> State:
        await asyncio.sleep(0)
        if len(self.kept) == self.breaks_at:
            self.breaks_at = None
            raise Stopped("the disk is full", code="disk-full")
        self.kept.append((sending.decision_id, taken))
        return State.RUNNING if taken.state is ACCEPTED else State.AWAITING_REVIEW

    def states(self) -> dict[int, DecisionState]:
        return {number: taken.state for number, taken in self.kept}


@dataclass
class Session:
    """One decider with everything around it."""

    endpoint: Endpoint
    journal: Journal
    watch: FakeWatch
    stop: Stop | None = None
    told: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def runs(self) -> list[str]:
        return [run_id for run_id, _, _ in self.endpoint.came]


def sendings(count: int, *, approved: bool = True, begun: bool = False) -> list[Sending]:
    return [
        Sending(number, number, f"run_{number}", approved, b'{"n":%d}' % number, f"row {number}", begun)
        for number in range(count)
    ]


def decide(
    answering: Answering,
    these: Sequence[Sending],
    *,
    doors: int = 2,
    rate: float = inf,
    runs: Callable[[str, int], Seen] = lambda run_id, _: reading(run_id, "failed"),
    journal: Journal | None = None,
    seconds: float = 0.0,
    meanwhile: Callable[[Decider], object] | None = None,
) -> Session:
    session = Session(Endpoint(answering, seconds=seconds), journal or Journal(), FakeWatch())

    async def go() -> None:
        clock = FakeClock()
        api = FakeApi(read=runs)
        pairs = [(session.endpoint, one) for one in api.runners(doors)]
        decider = Decider(session.journal, pairs, Gate(rate, clock), clock, session.watch)
        if meanwhile is not None:
            asyncio.get_running_loop().call_later(1.0, meanwhile, decider)
        session.stop = await decider.run(these)
        session.told = [one.message for one in decider.told]
        session.seconds = clock.monotonic()

    virtually(go)
    return session


def test_each_decision_is_sent_once_and_kept() -> None:
    session = decide(lambda *_: OK, sendings(20), doors=4)
    assert sorted(session.runs) == sorted(f"run_{n}" for n in range(20))
    assert set(session.journal.states().values()) == {ACCEPTED}
    assert (session.stop, session.told) == (None, [])


@pytest.mark.parametrize(
    "failure",
    [LOST, said(503), said(500), said(408), Seen(200, {}, b'{"succ', whole=False, fault=Fault.BROKEN), unreached()],
)
def test_after_a_failure_the_very_same_bytes_are_sent_again(failure: Seen) -> None:
    session = decide(lambda _, times: failure if times < 4 else OK, sendings(1))
    assert len({body for _, body, _ in session.endpoint.came}) == 1 and len(session.endpoint.came) == 4
    assert [taken.state for _, taken in session.journal.kept] == [OPEN, OPEN, OPEN, ACCEPTED]


def test_an_endpoint_that_stays_away_ends_it_and_what_may_have_arrived_keeps_its_key() -> None:
    session = decide(lambda *_: LOST, sendings(3), doors=1)
    assert session.stop == Stop("review-unreached", "the connection broke")
    assert session.journal.states() == {0: OPEN, 1: UNSENT, 2: UNSENT}
    assert session.runs == ["run_0"] * MOST_TRIES


def test_what_provably_never_arrived_can_still_be_changed() -> None:
    session = decide(lambda *_: unreached(), sendings(40), doors=10)
    assert session.stop is not None and len(session.endpoint.came) <= MOST_FAILURES + 10
    assert set(session.journal.states().values()) == {UNSENT}


def test_what_was_begun_before_is_never_called_unsent() -> None:
    session = decide(lambda *_: unreached(), sendings(3, begun=True))
    assert set(session.journal.states().values()) == {OPEN}


def test_one_that_may_have_arrived_stays_so_after_an_answer_that_proves_nothing() -> None:
    session = decide(lambda _, times: LOST if times == 1 else unreached(), sendings(1))
    assert session.journal.states() == {0: OPEN}


def test_a_refused_key_stops_all_at_once() -> None:
    session = decide(lambda *_: said(401), sendings(50), doors=4)
    assert session.stop is not None and session.stop.code == "review-refused"
    assert len(session.endpoint.came) <= 4
    assert set(session.journal.states().values()) == {UNSENT}


def test_a_slower_pace_is_kept_and_counts_as_no_failure() -> None:
    session = decide(lambda _, times: said(429, retry_after="7") if times < 20 else OK, sendings(1))
    assert session.journal.states() == {0: ACCEPTED} and session.seconds >= 19 * 7
    assert session.watch.waits


def test_without_a_time_to_wait_it_waits_all_the_same() -> None:
    assert decide(lambda _, times: said(429) if times < 3 else OK, sendings(1)).seconds >= 1.0


def test_the_rate_holds() -> None:
    session = decide(lambda *_: OK, sendings(30), doors=8, rate=5.0)
    times = [at for _, _, at in session.endpoint.came]
    assert max(sum(first <= at < first + 1.0 for at in times) for first in times) <= 5


def test_a_rejection_is_read_until_its_run_has_ended() -> None:
    session = decide(
        lambda *_: OK,
        sendings(1, approved=False),
        runs=lambda run, n: reading(run, "failed" if n > 2 else "awaiting_review"),
    )
    taken = session.journal.kept[-1][1]
    assert taken.state is ACCEPTED and taken.reading is not None and taken.reading.event is Event.FAILED


def test_a_run_that_cannot_be_read_keeps_nobody_waiting() -> None:
    session = decide(lambda *_: OK, sendings(1, approved=False), runs=lambda *_: unreached())
    assert session.journal.kept[-1][1] == Taken(ACCEPTED, 200, "taken")


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (said(409), DecisionState.CONFLICT, "somebody had decided before; the run is failed (too much)"),
        (said(404), DecisionState.NOT_WAITING, "the run waits for no review; the run is failed (too much)"),
    ],
)
def test_where_somebody_was_quicker_the_run_is_read_and_told(answer: Seen, state: DecisionState, told: str) -> None:
    session = decide(lambda *_: answer, sendings(1), runs=lambda run, _: failed(run))
    assert session.journal.states() == {0: state}
    assert session.told == [f"the decision (row 0) was not taken, because {told}"]


def test_it_may_have_been_our_own_where_an_answer_was_lost() -> None:
    session = decide(lambda _, times: LOST if times == 1 else said(409), sendings(1), runs=lambda *_: unreached())
    assert "it may have been this very decision" in session.told[0] and "could not be read" in session.told[0]


@pytest.mark.parametrize("code", [400, 404, 413, 422])
def test_what_is_said_after_a_lost_answer_proves_nothing_of_the_first_time(code: int) -> None:
    session = decide(lambda _, times: LOST if times == 1 else said(code), sendings(1))
    assert session.journal.states() == {0: DecisionState.UNCLEAR}
    assert "so it may have counted or not; the run is failed" in session.told[0]
    begun = decide(lambda *_: said(code), sendings(1, begun=True))
    assert begun.journal.states() == {0: DecisionState.UNCLEAR}


def test_a_refused_decision_is_told_and_the_others_go_on() -> None:
    session = decide(lambda run, _: said(422, "reason too short") if run == "run_1" else OK, sendings(3))
    assert session.journal.states() == {0: ACCEPTED, 1: DecisionState.REFUSED, 2: ACCEPTED}
    assert session.stop is None and "reason too short" in session.told[0]


def test_an_interruption_ends_a_wait_and_lets_an_answer_come() -> None:
    def interrupt(decider: Decider) -> None:
        decider.stop(Stop("interrupted", "you interrupted it"))

    waiting = decide(lambda *_: said(503), sendings(5), doors=1, meanwhile=interrupt)
    assert waiting.stop is not None and waiting.seconds < 5.0
    answered = decide(lambda *_: OK, sendings(5), doors=1, seconds=3.0, meanwhile=interrupt)
    assert answered.journal.states() == {0: ACCEPTED} | dict.fromkeys(range(1, 5), UNSENT)


def test_a_journal_that_cannot_keep_an_answer_stops_it() -> None:
    session = decide(lambda *_: OK, sendings(5), doors=1, journal=Journal(breaks_at=2))
    assert session.stop == Stop("disk-full", "the disk is full")
    assert session.journal.states() == {0: ACCEPTED, 1: ACCEPTED, 3: UNSENT, 4: UNSENT}
    assert len(session.endpoint.came) == 3


def test_a_journal_that_stays_broken_is_told_too() -> None:
    journal = Journal(breaks_at=0)
    session = decide(lambda *_: said(401), sendings(2), doors=1, journal=journal)
    assert session.stop == Stop("disk-full", "the disk is full")
