"""The dispatcher against a scripted API, in time that never waits: each row once, whatever is answered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from fakes import (
    FakeApi,
    FakeClock,
    FakeJournal,
    FakeWatch,
    accepted,
    doubtful,
    in_turn,
    reading,
    status,
    unreached,
    virtually,
)

from batchrun.core.answers import Seen
from batchrun.core.conduct import Policy, Stop
from batchrun.core.pacing import Connected
from batchrun.core.shared_pace import Account
from batchrun.engine.dispatch import PROBE_SECONDS, Dispatcher
from batchrun.engine.gate import Gate
from batchrun.engine.ports import OpenRun
from batchrun.errors import Stopped
from batchrun.model import State


@dataclass
class Sending:
    """One dispatcher with everything around it; `run` gives why it stopped."""

    journal: FakeJournal
    api: FakeApi
    concurrency: int = 4
    rate: float = inf
    policy: Policy = field(default_factory=Policy)
    clock: FakeClock = field(default_factory=FakeClock)
    watch: FakeWatch = field(default_factory=FakeWatch)
    opened: list[OpenRun] = field(default_factory=list)
    account: Account | None = None
    last_run: str | None = None
    dispatcher: Dispatcher = field(init=False)
    seconds: float = 0.0

    def run(self, meanwhile: Callable[[Sending], Any] | None = None, *, most: float = 1e7) -> Stop | None:
        async def go() -> Stop | None:
            self.dispatcher = Dispatcher(
                self.journal,
                self.api.runners(self.concurrency),
                self.api.runners(1)[0],
                Gate(self.rate, self.clock, self.account),
                self.clock,
                self.watch,
                self.policy,
                last_run=self.last_run,
                on_open=self.opened.append,
            )
            aside = asyncio.ensure_future(meanwhile(self)) if meanwhile else None
            stop = await self.dispatcher.run()
            self.seconds = self.clock.monotonic()
            if aside is not None:
                await aside
            return stop

        return virtually(go, most=most)

    def sent(self) -> Counter[bytes]:
        return Counter(self.api.bodies)


def stop_after(seconds: float) -> Callable[[Sending], Any]:
    async def stop(sending: Sending) -> None:
        await asyncio.sleep(seconds)
        sending.dispatcher.stop(Stop("interrupted", "you interrupted it"))

    return stop


@pytest.mark.parametrize("concurrency", [1, 3, 8])
@pytest.mark.parametrize("rows", [0, 1, 7, 1203])
def test_each_ready_row_is_sent_once_and_in_order(rows: int, concurrency: int) -> None:
    sending = Sending(FakeJournal.of(rows), FakeApi(), concurrency)
    assert sending.run() is None
    assert sending.api.bodies == [b"{%d}" % position for position in range(rows)]
    assert sending.journal.states() == [State.RUNNING] * rows
    assert sorted(run.position for run in sending.opened) == list(range(rows))


@pytest.mark.parametrize("journal_seconds", [0.0, 0.02])
def test_at_most_concurrency_rows_are_sending_at_any_moment(journal_seconds: float) -> None:
    dice = random.Random(1)

    async def some_time(number: int) -> Seen:
        await asyncio.sleep(dice.random())
        return accepted(f"run_{number}")

    journal = FakeJournal.of(200, seconds=journal_seconds)
    sending = Sending(journal, FakeApi(start=lambda number, _: some_time(number)), 5)
    assert sending.run() is None
    assert (journal.most_sending, sending.api.most_at_once) == (5, 5)


def test_no_more_connections_are_used_than_the_pace_needs() -> None:
    sending = Sending(FakeJournal.of(200), FakeApi(latency=0.05), concurrency=32, rate=50)
    assert sending.run() is None
    assert len(sending.api.used) <= 4, "each of them would be idle for so long that it is opened anew for every row"


def test_a_connection_s_answer_is_judged_and_kept_before_its_next_intent() -> None:
    sending = Sending(FakeJournal.of(30), FakeApi(), concurrency=1)
    sending.run()
    expected = [(what, position) for position in range(30) for what in ("intend", "record")]
    assert sending.journal.log == expected


def test_an_intent_is_committed_before_the_request_leaves() -> None:
    journal = FakeJournal.of(20, seconds=0.5)

    def start(number: int, body: bytes) -> Seen:
        position = int(body[1:-1])
        assert journal.rows[position].state is State.SENDING
        return accepted(f"run_{number}")

    assert Sending(journal, FakeApi(start=start)).run() is None


def test_a_row_whose_key_is_taken_is_not_sent() -> None:
    sending = Sending(FakeJournal.of(5, taken={1, 3}), FakeApi())
    assert sending.run() is None
    assert sending.sent() == {b"{0}": 1, b"{2}": 1, b"{4}": 1}
    assert sending.journal.rows[1].state is State.DUPLICATE


def test_a_row_that_another_process_moved_is_not_sent() -> None:
    journal = FakeJournal.of(3)

    async def meanwhile(_sending: Sending) -> None:
        journal.rows[2].state = State.SENDING

    sending = Sending(journal, FakeApi(), concurrency=1, rate=1.0)
    assert sending.run(meanwhile) is None
    assert b"{2}" not in sending.sent()


class SlowAccount:
    """A pace that others use, too: each turn is a minute away."""

    def expected(self, waiting: int) -> float:
        return 60.0 * waiting

    async def turn(self, connected: Connected, waiting: int = 1) -> bool:
        await asyncio.sleep(60.0 * waiting)
        return True


def test_a_row_that_waits_for_a_turn_of_the_account_is_not_sent_after_a_stop() -> None:
    async def interrupted(sending: Sending) -> None:
        await asyncio.sleep(90.0)
        sending.dispatcher.stop(Stop("interrupted", "you interrupted it"))

    sending = Sending(FakeJournal.of(9), FakeApi(), account=SlowAccount())
    stop = sending.run(interrupted)
    assert stop is not None and stop.code == "interrupted"
    assert len(sending.api.bodies) == sending.journal.states().count(State.RUNNING) == 1
    assert sending.journal.states().count(State.READY) == 8
    assert sending.seconds < 91.0


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_a_stopping_answer_costs_at_most_concurrency_requests(concurrency: int) -> None:
    sending = Sending(FakeJournal.of(100), FakeApi(start=lambda *_: status(401)), concurrency)
    stop = sending.run()
    assert stop is not None and stop.code == "key-refused"
    assert len(sending.api.bodies) <= concurrency
    assert set(sending.journal.states()) == {State.READY}


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_a_stopping_answer_after_slow_intents_costs_at_most_concurrency_requests(concurrency: int) -> None:
    journal = FakeJournal.of(100, seconds=0.3)
    sending = Sending(journal, FakeApi(start=in_turn([status(401)])), concurrency)
    assert sending.run() is not None
    assert len(sending.api.bodies) <= concurrency
    assert set(journal.states()) <= {State.READY, State.RUNNING}


def test_a_row_whose_intent_was_committed_when_the_stop_came_goes_back_unsent() -> None:
    journal = FakeJournal.of(1, seconds=1.0)
    sending = Sending(journal, FakeApi())
    stop = sending.run(stop_after(1.5))
    assert stop is not None and stop.code == "interrupted"
    assert sending.api.bodies == []
    assert journal.states() == [State.READY]


def test_a_stop_while_turns_are_awaited_ends_soon_and_sends_nothing_more() -> None:
    sending = Sending(FakeJournal.of(20), FakeApi(), concurrency=8, rate=1 / 3600)
    assert sending.run(stop_after(10.0)) is not None
    assert len(sending.api.bodies) == 1
    assert sending.seconds < 11.0
    assert sending.journal.states().count(State.READY) == 19


def test_a_stop_while_rows_wait_to_be_sent_again_ends_soon() -> None:
    sending = Sending(FakeJournal.of(4), FakeApi(start=lambda *_: status(429, retry_after="600")))
    assert sending.run(stop_after(5.0)) is not None
    assert sending.seconds < 6.0
    assert set(sending.journal.states()) == {State.READY}


def test_answers_under_way_are_awaited_when_it_stops() -> None:
    async def slow(number: int) -> Seen:
        await asyncio.sleep(20.0)
        return accepted(f"run_{number}")

    sending = Sending(FakeJournal.of(9), FakeApi(start=lambda number, _: slow(number)), concurrency=3)
    assert sending.run(stop_after(1.0)) is not None
    assert sending.journal.states().count(State.RUNNING) == 3
    assert sending.journal.states().count(State.READY) == 6


def test_the_first_reason_to_stop_stands() -> None:
    async def twice(sending: Sending) -> None:
        await asyncio.sleep(0.01)
        sending.dispatcher.stop(Stop("first", "first"))
        sending.dispatcher.stop(Stop("second", "second"))

    stop = Sending(FakeJournal.of(9), FakeApi(), rate=1.0).run(twice)
    assert stop == Stop("first", "first")


def test_a_429_makes_all_wait_and_then_each_row_is_sent() -> None:
    sending = Sending(FakeJournal.of(40), FakeApi(start=in_turn([status(429, retry_after="30")] * 4)), concurrency=4)
    assert sending.run() is None
    refused, later = sending.api.times[:4], sending.api.times[4:]
    assert max(refused) < 0.1
    assert min(later) >= 30.0
    assert set(sending.journal.states()) == {State.RUNNING}
    assert set(Counter(sending.api.bodies).values()) <= {1, 2}


def test_after_a_429_the_pace_comes_back() -> None:
    sending = Sending(FakeJournal.of(600), FakeApi(start=in_turn([status(429, retry_after="1")])), rate=10.0)
    assert sending.run() is None
    last = sending.api.times[-100:]
    assert (last[-1] - last[0]) / 99 == pytest.approx(0.1, rel=0.02)


def test_an_unreachable_api_spends_the_budget_and_then_stops_with_every_row_ready() -> None:
    sending = Sending(FakeJournal.of(30), FakeApi(start=lambda *_: unreached()), concurrency=3)
    stop = sending.run()
    assert stop is not None and stop.code == "unreachable"
    assert "nobody listens" in stop.message
    assert set(sending.journal.states()) == {State.READY}
    attempts = sum(what == "intend" for what, _ in sending.journal.log)
    assert 13 <= attempts <= 13 + 3


def test_rows_that_did_not_arrive_are_sent_when_the_network_is_back() -> None:
    sending = Sending(FakeJournal.of(30), FakeApi(start=in_turn([unreached()] * 8)), concurrency=3)
    assert sending.run() is None
    assert sending.sent() == Counter({b"{%d}" % position: 1 for position in range(30)})
    assert set(sending.journal.states()) == {State.RUNNING}


@pytest.mark.parametrize("rate", [5, 50, 1000, inf])
@pytest.mark.parametrize("outage", [2.0, 10.0])
def test_an_outage_of_some_seconds_is_waited_out_at_any_pace(rate: float, outage: float) -> None:
    began: list[float] = []

    def start(number: int, _body: bytes) -> Seen:
        now = asyncio.get_running_loop().time()
        began.extend([now] if number >= 100 and not began else [])
        return unreached() if began and now < began[0] + outage else accepted(f"run_{number}")

    sending = Sending(FakeJournal.of(400), FakeApi(start=start), concurrency=8, rate=rate)
    assert sending.run() is None
    assert sending.sent() == Counter({b"{%d}" % position: 1 for position in range(400)})
    assert set(sending.journal.states()) == {State.RUNNING}


def test_a_network_that_stays_away_stops_the_sending_within_a_minute() -> None:
    sending = Sending(
        FakeJournal.of(400),
        FakeApi(start=lambda number, _: accepted(f"run_{number}") if number < 100 else unreached()),
        concurrency=8,
        rate=50,
    )
    stop = sending.run()
    assert stop is not None and stop.code == "unreachable"
    assert 10 < sending.seconds < 60
    assert sending.journal.states().count(State.READY) == 300


def test_rows_known_as_not_run_are_sent_again() -> None:
    policy = Policy(not_run=frozenset({503}))
    sending = Sending(FakeJournal.of(3), FakeApi(start=in_turn([status(503)] * 2)), policy=policy, concurrency=1)
    assert sending.run() is None
    assert set(sending.journal.states()) == {State.RUNNING}


def test_a_row_in_doubt_is_never_sent_again() -> None:
    sending = Sending(FakeJournal.of(10), FakeApi(start=in_turn([doubtful(), accepted("run_x"), doubtful()])))
    assert sending.run() is None
    assert set(sending.sent().values()) == {1}
    assert sending.journal.states().count(State.IN_DOUBT) == 2


def test_a_repeatable_row_in_doubt_is_sent_again() -> None:
    policy = Policy(repeatable=True)
    sending = Sending(FakeJournal.of(2), FakeApi(start=in_turn([doubtful()] * 3)), concurrency=1, policy=policy)
    assert sending.run() is None
    assert set(sending.journal.states()) == {State.RUNNING}


@pytest.mark.parametrize("rate", [inf, 5.0])
@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_five_doubts_in_a_row_pause_the_sending_until_the_api_answers(concurrency: int, rate: float) -> None:
    down = [status(503, b"")] * 6

    def read(_run_id: str, _times: int) -> Seen:
        return down.pop() if down else status(404)

    api = FakeApi(start=in_turn([doubtful()] * 5), read=read)
    sending = Sending(FakeJournal.of(60), api, concurrency, rate)
    assert sending.run() is None
    first_probe, last_probe = api.reads[0][0], api.reads[-1][0]
    assert len(api.reads) == 7
    assert not [time for time in api.times if first_probe < time <= last_probe]
    before = [time for time in api.times if time <= first_probe]
    assert len(before) <= 5 + concurrency - 1  # those whose answers were under way, and not those that wait for turns
    if rate != inf:
        assert len(before) == 5
    assert sending.journal.states().count(State.IN_DOUBT) == 5
    assert sending.journal.states().count(State.RUNNING) == 55
    assert [reason for reason, _ in sending.watch.waits if "in doubt" in reason]


def test_an_api_that_does_not_come_back_stops_the_batch_after_ten_minutes() -> None:
    api = FakeApi(start=lambda *_: doubtful(), read=lambda *_: status(503, b""))
    sending = Sending(FakeJournal.of(60), api, concurrency=2)
    stop = sending.run()
    assert stop is not None and stop.code == "doubts"
    assert PROBE_SECONDS <= sending.seconds <= PROBE_SECONDS + 10
    assert sending.journal.states().count(State.IN_DOUBT) <= 6
    assert sending.journal.states().count(State.READY) >= 54


def test_a_stop_while_the_api_is_asked_whether_it_is_back_ends_at_once() -> None:
    async def never(*_: object) -> Seen:
        await asyncio.sleep(90.0)
        return doubtful()

    api = FakeApi(start=lambda *_: doubtful(), read=never)
    sending = Sending(FakeJournal.of(60), api, concurrency=2)
    assert sending.run(stop_after(30.0)) is not None
    assert sending.seconds < 31.0


def test_a_probe_reads_the_last_run_that_is_known() -> None:
    api = FakeApi(start=in_turn([accepted("run_known"), *[doubtful()] * 5]), read=lambda *_: status(200))
    Sending(FakeJournal.of(12), api, concurrency=1).run()
    assert [run_id for _, run_id in api.reads] == ["run_known"]


def test_a_probe_that_breaks_does_not_leave_the_senders_waiting() -> None:
    def broken(*_: object) -> Seen:
        raise RuntimeError("a fault of the program")

    sending = Sending(FakeJournal.of(60), FakeApi(start=lambda *_: doubtful(), read=broken), concurrency=2)
    with pytest.raises(BaseExceptionGroup):
        sending.run()


def test_any_other_answer_begins_the_count_of_doubts_anew() -> None:
    answers = [*[doubtful()] * 4, status(422), *[doubtful()] * 4, accepted("run_a"), *[doubtful()] * 4]
    api = FakeApi(start=in_turn(answers))
    assert Sending(FakeJournal.of(40), api, concurrency=1).run() is None
    assert api.reads == []


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_run_id_that_belongs_to_another_row_stops_the_batch(concurrency: int) -> None:
    sending = Sending(FakeJournal.of(30), FakeApi(start=lambda *_: accepted("run_same")), concurrency)
    stop = sending.run()
    assert stop is not None and stop.code == "run-id-again"
    states = sending.journal.states()
    assert states.count(State.RUNNING) == 1
    assert 1 <= states.count(State.IN_DOUBT) <= concurrency
    assert len(sending.api.bodies) <= 2 * concurrency
    assert [run.run_id for run in sending.opened] == ["run_same"]


def test_a_row_that_was_begun_with_an_answer_that_stops_the_batch_is_not_sent_and_is_ready_again() -> None:
    """That a run id belongs to another row is known once the answer is kept, and the next intent is kept with it."""
    sending = Sending(FakeJournal.of(9), FakeApi(start=lambda *_: accepted("run_same")), concurrency=1)
    sending.run()
    assert ("intend", 2) in sending.journal.log, "it was begun"
    assert sending.api.bodies == [b"{0}", b"{1}"]
    assert sending.journal.states() == [State.RUNNING, State.IN_DOUBT, *[State.READY] * 7]


@pytest.mark.parametrize("answer", [status(401), status(429), status(422), doubtful(), unreached()])
def test_no_row_is_begun_with_an_answer_that_may_stop_or_slow_the_batch(answer: Seen) -> None:
    journal = FakeJournal.of(9)
    Sending(
        journal, FakeApi(start=in_turn([accepted("run_a"), answer, *[accepted(f"run_{n}") for n in range(9)]])), 1
    ).run()
    answered = journal.log.index(("record", 1))
    assert journal.log[:answered] == [("intend", 0), ("record", 0), ("intend", 1)]


def test_an_answer_finds_room_on_its_own_where_it_and_the_next_intent_did_not() -> None:
    def failing(step: str, position: int) -> BaseException | None:
        return Stopped("the disk is full", code="disk-full") if (step, position) == ("intend", 3) else None

    sending = Sending(FakeJournal.of(9, failing=failing), FakeApi(), concurrency=1)
    assert sending.run() == Stop("disk-full", "the disk is full")
    assert sending.journal.states() == [*[State.RUNNING] * 3, *[State.READY] * 6]
    assert len(sending.api.bodies) == 3


def test_no_row_is_begun_ahead_of_its_turn() -> None:
    journal = FakeJournal.of(12)
    sending = Sending(journal, FakeApi(latency=0.0), concurrency=1, rate=2.0)
    assert sending.run() is None
    assert sending.seconds > 5.0


def test_ten_refusals_before_any_acceptance_stop_the_batch() -> None:
    sending = Sending(FakeJournal.of(90), FakeApi(start=lambda *_: status(422)), concurrency=1)
    stop = sending.run()
    assert stop is not None and stop.code == "all-refused"
    assert sending.journal.states().count(State.REFUSED) == 10


@pytest.mark.parametrize("what", ["intend", "record"])
def test_a_full_disk_stops_the_batch_and_the_answers_under_way_are_kept_where_they_can_be(what: str) -> None:
    """One step meets the full disk; a moment later there is room again."""

    def failing(step: str, position: int) -> BaseException | None:
        return Stopped("the disk is full", code="disk-full") if (step, position) == (what, 5) else None

    async def slow(number: int) -> Seen:
        await asyncio.sleep(10.0 + number)
        return accepted(f"run_{number}")

    journal = FakeJournal.of(20, failing=failing)
    sending = Sending(journal, FakeApi(start=lambda number, _: slow(number)), concurrency=4)
    stop = sending.run()
    assert stop == Stop("disk-full", "the disk is full")
    lost = 1 if what == "record" else 0
    assert journal.states().count(State.SENDING) == lost
    assert journal.states().count(State.RUNNING) == len(sending.api.bodies) - lost
    assert journal.states().count(State.READY) == 20 - len(sending.api.bodies)


def test_a_disk_that_stays_full_stops_the_batch_without_a_group_of_exceptions() -> None:
    full = [False]

    def failing(_step: str, _position: int) -> BaseException | None:
        return Stopped("the disk is full", code="disk-full") if full[0] else None

    async def fill(_sending: Sending) -> None:
        await asyncio.sleep(1.0)
        full[0] = True

    sending = Sending(FakeJournal.of(500, failing=failing), FakeApi(), concurrency=4)
    assert sending.run(fill) == Stop("disk-full", "the disk is full")


def test_a_fault_of_the_program_in_one_worker_ends_them_all() -> None:
    def failing(step: str, position: int) -> BaseException | None:
        return RuntimeError("a bug") if (step, position) == ("intend", 7) else None

    sending = Sending(FakeJournal.of(50, failing=failing), FakeApi(), concurrency=4)
    with pytest.raises(BaseExceptionGroup) as caught:
        sending.run()
    assert caught.group_contains(RuntimeError)


def test_a_cancelled_dispatcher_leaves_what_was_under_way_as_sending() -> None:
    async def go() -> FakeJournal:
        journal, clock = FakeJournal.of(20), FakeClock()
        api = FakeApi(latency=60.0)
        dispatcher = Dispatcher(
            journal, api.runners(4), api.runners(1)[0], Gate(inf, clock), clock, FakeWatch(), Policy()
        )
        task = asyncio.ensure_future(dispatcher.run())
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        return journal

    states = virtually(go).states()
    assert (states.count(State.SENDING), states.count(State.READY)) == (4, 16)


OUTCOMES: list[Callable[[int], Seen]] = [
    lambda number: accepted(f"run_{number}"),
    lambda number: accepted(f"run_{number}", "completed"),
    lambda _: status(422),
    lambda _: status(429, retry_after="2"),
    lambda _: status(429),
    lambda _: doubtful(),
    lambda _: unreached(),
    lambda _: status(500, b""),
]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_nothing_hangs_and_no_row_that_may_have_arrived_is_sent_twice(seed: int) -> None:
    dice = random.Random(seed)
    arrived: Counter[bytes] = Counter()

    async def later(seen: Seen) -> Seen:
        await asyncio.sleep(dice.choice([0.0, 0.0, 0.01, 1.0, 30.0]))
        return seen

    def start(number: int, body: bytes) -> Any:
        seen = dice.choices(OUTCOMES, weights=[12, 4, 1, 2, 1, 2, 1, 1])[0](number)
        if seen.left and seen.status not in (429,):
            arrived[body] += 1
        return later(seen) if seen.left else seen

    def read(_run_id: str, _times: int) -> Seen:
        return dice.choice([reading("x", "running"), status(503, b""), unreached()])

    concurrency = dice.choice([1, 2, 5, 12])
    journal = FakeJournal.of(150, seconds=dice.choice([0.0, 0.0, 0.004, 0.3]))
    sending = Sending(journal, FakeApi(start=start, read=read), concurrency, dice.choice([inf, 50.0, 3.0]))
    sending.clock = FakeClock(dice.random())
    meanwhile = stop_after(dice.random() * 60) if dice.random() < 0.5 else None
    stop = sending.run(meanwhile)
    states = Counter(journal.states())
    assert max(arrived.values(), default=0) <= 1
    assert states[State.SENDING] == 0
    assert journal.most_sending <= concurrency
    assert stop is not None or states[State.READY] == 0
