"""The follower against a scripted API: it backs off, it ends, and it knows when to give up."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from fakes import FakeApi, FakeClock, FakeJournal, FakeRow, FakeWatch, reading, status, unreached, virtually

from batchrun.core.answers import Seen
from batchrun.core.conduct import Stop
from batchrun.engine.follow import LONGEST_PAUSE, Follower
from batchrun.engine.gate import Gate
from batchrun.engine.ports import OpenRun
from batchrun.errors import Stopped
from batchrun.model import State


class Following:
    """One follower with everything around it."""

    def __init__(
        self, journal: FakeJournal, api: FakeApi, *, readers: int = 2, rate: float = inf, eager: bool = False
    ) -> None:
        self.journal = journal
        self.api = api
        self.clock = FakeClock()
        self.watch = FakeWatch()
        self.gate = Gate(rate, self.clock)
        self.follower = Follower(journal, api.runners(readers), self.gate, self.clock, self.watch, eager=eager)
        self.seconds = 0.0

    async def run(self) -> None:
        await self.follower.run()
        self.seconds = self.clock.monotonic()


def running(count: int) -> FakeJournal:
    return FakeJournal([FakeRow(position, State.RUNNING, f"run_{position}") for position in range(count)])


def follow(
    journal: FakeJournal, api: FakeApi, meanwhile: Callable[[Following], Any] | None = None, **parts: Any
) -> Following:
    async def go() -> Following:
        following = Following(journal, api, **parts)
        aside = asyncio.ensure_future(meanwhile(following)) if meanwhile else None
        await following.run()
        if aside is not None:
            await aside
        return following

    return virtually(go)


def becomes(word: str, after: int) -> Callable[[str, int], Seen]:
    return lambda run_id, times: reading(run_id, word if times >= after else "running")


@pytest.mark.parametrize("word", ["completed", "failed", "cancelled", "awaiting_review"])
def test_a_run_is_read_until_it_ends_or_waits_for_a_person(word: str) -> None:
    done = follow(running(5), FakeApi(read=becomes(word, 3)))
    assert [state.value for state in done.journal.states()] == [word] * 5
    assert len(done.api.reads) == 20


def test_with_nothing_open_it_ends_at_once() -> None:
    assert follow(FakeJournal.of(3), FakeApi()).seconds == 0.0


def test_readings_of_one_run_back_off_to_half_a_minute() -> None:
    done = follow(running(1), FakeApi(read=becomes("completed", 30)))
    times = [at for at, _ in done.api.reads]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] < 2.0
    assert all(later >= earlier - 0.01 for earlier, later in itertools.pairwise(pauses))
    assert LONGEST_PAUSE / 2 <= pauses[-1] <= LONGEST_PAUSE + 1


def test_many_runs_that_last_are_no_storm_of_readings_and_each_has_its_turn() -> None:
    api = FakeApi(read=becomes("completed", 2), latency=0.001)
    done = follow(running(3_000), api, readers=32)
    times = [at for at, _ in done.api.reads]
    in_vain = 2 * 3_000
    assert len(times) == in_vain + 3_000
    assert done.seconds >= in_vain / 200 * 0.98
    first = [run_id for _, run_id in done.api.reads[:3_000]]
    assert len(set(first)) >= 2_500  # the oldest first: none is read again and again before the others


def test_runs_that_have_ended_are_read_as_fast_as_they_can_be() -> None:
    done = follow(running(3_000), FakeApi(latency=0.001), readers=32)
    assert done.seconds < 1.0


def test_no_more_connections_are_used_than_the_readings_need() -> None:
    done = follow(running(60), FakeApi(latency=0.05), readers=8, rate=5)
    assert len(done.api.reads) == 60
    assert len(done.api.used) <= 2


@pytest.mark.parametrize(("lasting", "most_readings", "most_seconds"), [(0, 1.0, 0.8), (3, 6.0, 30.0)])
def test_an_eager_one_ends_soon_where_runs_do_and_reads_little_more_where_they_last(
    lasting: int, most_readings: float, most_seconds: float
) -> None:
    async def add(following: Following) -> None:
        following.follower.expect_more(True)
        for position in range(100):
            following.journal.rows[position].state = State.RUNNING
            following.follower.add(OpenRun(position, f"run_{position}", State.RUNNING))
            await asyncio.sleep(0.004)
        following.follower.expect_more(False)

    journal = FakeJournal([FakeRow(position, State.READY, f"run_{position}") for position in range(100)])
    done = follow(journal, FakeApi(read=becomes("completed", lasting)), add, eager=True, readers=20)
    assert done.journal.states() == [State.COMPLETED] * 100
    assert len(done.api.reads) <= most_readings * 100
    assert done.seconds < most_seconds


def test_a_run_that_waits_for_a_review_is_not_followed() -> None:
    journal = FakeJournal([FakeRow(0, State.AWAITING_REVIEW, "run_0")])

    async def add(following: Following) -> None:
        following.follower.add(OpenRun(0, "run_0", State.AWAITING_REVIEW))

    assert follow(journal, FakeApi(), add).api.reads == []


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_ends_the_following(code: int) -> None:
    done = follow(running(40), FakeApi(read=lambda *_: status(code)), readers=4)
    assert done.follower.broken is not None and done.follower.broken.code == "key-refused"
    assert len(done.api.reads) <= 4
    assert set(done.journal.states()) == {State.RUNNING}


@pytest.mark.parametrize("trouble", [status(404), status(500, b""), status(200, b"<html>"), unreached(), status(429)])
def test_other_troubles_are_borne(trouble: Seen) -> None:
    done = follow(
        running(3), FakeApi(read=lambda run_id, times: trouble if times < 4 else reading(run_id, "completed"))
    )
    assert done.journal.states() == [State.COMPLETED] * 3
    assert done.follower.broken is None


def test_a_pace_that_a_429_slowed_comes_back() -> None:
    troubles = [status(429)] * 6

    def read(run_id: str, _times: int) -> Seen:
        return troubles.pop() if troubles else reading(run_id, "completed")

    done = follow(running(400), FakeApi(read=read), rate=5.0, readers=4)
    last = [at for at, _ in done.api.reads][-50:]
    assert (last[-1] - last[0]) / 49 == pytest.approx(0.2, rel=0.05)


def test_a_status_word_that_is_not_known_counts_as_running() -> None:
    words = ["thinking", "completed"]
    done = follow(running(1), FakeApi(read=lambda run_id, times: reading(run_id, words[times])))
    assert done.journal.states() == [State.COMPLETED]


def test_a_step_is_kept_and_told_once_for_each_change() -> None:
    words = ["pending", "pending", "running", "running", "completed"]
    done = follow(running(1), FakeApi(read=lambda run_id, times: reading(run_id, words[times])))
    assert [after for _, _, after in done.watch.steps] == [State.PENDING, State.RUNNING, State.COMPLETED]


def test_runs_that_are_added_while_it_follows_are_followed_too() -> None:
    journal = running(1)

    async def add(following: Following) -> None:
        following.follower.expect_more(True)
        for position in range(1, 30):
            await asyncio.sleep(7.0)
            journal.rows.append(FakeRow(position, State.RUNNING, f"run_{position}"))
            following.follower.add(OpenRun(position, f"run_{position}", State.RUNNING))
        following.follower.expect_more(False)

    done = follow(journal, FakeApi(read=becomes("completed", 2)), add)
    assert journal.states() == [State.COMPLETED] * 30
    assert done.follower.left == 0


def test_it_waits_for_more_only_as_long_as_more_is_expected() -> None:
    async def expect(following: Following) -> None:
        following.follower.expect_more(True)
        await asyncio.sleep(50.0)
        following.follower.expect_more(False)

    assert follow(FakeJournal.of(0), FakeApi(), expect).seconds == pytest.approx(50.0, abs=0.1)


@pytest.mark.parametrize("after", [0.0, 0.01, 3.0, 100.0])
def test_an_end_is_heard_at_once_and_what_is_open_stays_open(after: float) -> None:
    async def end(following: Following) -> None:
        await asyncio.sleep(after)
        following.follower.end()

    done = follow(running(10), FakeApi(read=becomes("completed", 10**9)), end)
    assert done.seconds <= after + 0.3
    assert set(done.journal.states()) == {State.RUNNING}


def test_a_full_disk_ends_the_following_in_one_sentence() -> None:
    def failing(_what: str, position: int) -> BaseException | None:
        return Stopped("the disk is full", code="disk-full") if position == 3 else None

    journal = running(9)
    journal.failing = failing
    done = follow(journal, FakeApi())
    assert done.follower.broken == Stop("disk-full", "the disk is full")


def test_a_row_that_another_process_moved_is_let_go() -> None:
    journal = running(2)

    def read(run_id: str, times: int) -> Seen:
        journal.rows[0].state = State.CANCELLED
        return reading(run_id, "completed")

    done = follow(journal, FakeApi(read=read))
    assert journal.states() == [State.CANCELLED, State.COMPLETED]
    assert done.follower.left == 0


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_read_it_comes_to_an_end(seed: int) -> None:
    dice = random.Random(seed)

    async def later(seen: Seen) -> Seen:
        await asyncio.sleep(dice.choice([0.0, 0.0, 1.0, 40.0]))
        return seen

    def read(run_id: str, times: int) -> Any:
        word = dice.choice(["pending", "running", "completed", "failed", "odd"])
        return later(dice.choices([reading(run_id, word), status(500, b""), unreached(), status(404)], [6, 1, 1, 1])[0])

    journal = running(dice.randrange(30))
    done = follow(journal, FakeApi(read=read), readers=dice.choice([1, 2, 8]), rate=dice.choice([inf, 5.0]))
    assert done.follower.left == 0
    assert set(journal.states()) <= {State.COMPLETED, State.FAILED}


@pytest.mark.parametrize("after", [0.0, 0.02, 5.0])
def test_a_run_that_a_webhook_told_of_is_read_no_more(after: float) -> None:
    async def forget(following: Following) -> None:
        await asyncio.sleep(after)
        for position in range(5):
            following.follower.forget(position)

    done = follow(running(5), FakeApi(read=becomes("completed", 10**9)), forget)
    assert done.seconds < after + 0.3
    assert done.follower.left == 0


def test_a_run_that_is_both_open_and_added_is_followed_once() -> None:
    journal = running(1)
    journal.seconds = 1.0

    async def add(following: Following) -> None:
        following.follower.add(OpenRun(0, "run_0", State.RUNNING))

    done = follow(journal, FakeApi(), add)
    assert len(done.api.reads) == 1


@pytest.mark.parametrize(("word", "ends"), [("running", State.AWAITING_REVIEW), ("completed", State.COMPLETED)])
def test_a_reading_that_comes_late_takes_nothing_back_but_an_end_is_an_end(word: str, ends: State) -> None:
    journal = FakeJournal([FakeRow(0, State.PENDING, "run_0")])

    async def late(run_id: str) -> Seen:
        await asyncio.sleep(1.0)
        return reading(run_id, word)

    async def told(_following: Following) -> None:
        await asyncio.sleep(0.5)  # by a webhook, while the run is being read
        journal.rows[0].state = State.AWAITING_REVIEW

    done = follow(journal, FakeApi(read=lambda run_id, _: late(run_id)), told)
    assert journal.states() == [ends]
    assert (done.follower.left, len(done.api.reads)) == (0, 1)


def test_a_row_that_is_no_longer_open_is_let_go() -> None:
    journal = running(1)

    def read(run_id: str, _times: int) -> Seen:
        journal.rows[0].state = State.READY
        return reading(run_id, "pending")

    done = follow(journal, FakeApi(read=read))
    assert (journal.states(), len(done.api.reads)) == ([State.READY], 1)


def test_a_version_is_told_as_soon_as_it_is_read_and_once() -> None:
    words = ["running", "running", "running", "completed"]
    journal = running(1)
    follow(journal, FakeApi(read=lambda run_id, times: reading(run_id, words[times], "pv_1")))
    assert journal.versions == {"pv_1": 0}
    assert [what for what, _ in journal.log] == ["follow", "follow"]


def with_a_listener(
    count: int, lasting: float, told: Callable[[int], bool], *, until: float = inf, readers: int = 8
) -> Following:
    """Follow runs that begin within a minute and last so long, beside a listener that is told how some of them end."""
    journal, begun = FakeJournal(), 60.0 / count

    def ends(position: int) -> float:
        return position * begun + lasting

    def read(run_id: str, _times: int) -> Seen:
        over = asyncio.get_running_loop().time() >= ends(int(run_id.removeprefix("run_")))
        return reading(run_id, "completed" if over else "running")

    async def look(following: Following) -> None:
        following.follower.expect_more(True)
        added = heard = 0
        for look in range(100_000):
            now = look * 0.5
            while added < count and added * begun <= now:
                journal.rows.append(FakeRow(added, State.RUNNING, f"run_{added}"))
                following.follower.add(OpenRun(added, f"run_{added}", State.RUNNING))
                added += 1
            following.follower.expect_more(added < count)
            before = heard
            while heard < added and ends(heard) + 1.0 <= now:
                if told(heard) and now < until:
                    journal.rows[heard].state = State.COMPLETED
                    following.follower.forget(heard)
                heard += 1
            following.follower.hear(now < until, heard > before)
            if added == count and not following.follower.left:
                return
            await asyncio.sleep(0.5)

    done = follow(journal, FakeApi(read=read, latency=0.01), look, readers=readers, rate=200.0)
    assert set(journal.states()) == {State.COMPLETED}
    return done


@pytest.mark.parametrize("lasting", [5.0, 90.0, 600.0, 2400.0])
def test_ten_thousand_runs_of_which_webhooks_tell_cost_few_readings_however_long_they_last(lasting: float) -> None:
    done = with_a_listener(10_000, lasting, lambda _position: True)
    assert len(done.api.reads) < 100
    assert done.seconds <= 60 + lasting + 2


def test_webhooks_that_were_lost_cost_a_minute_and_their_own_readings() -> None:
    done = with_a_listener(2_000, 90.0, lambda position: position % 20 != 0)
    assert len(done.api.reads) < 100 + 100
    assert done.seconds <= 60 + 90 + 60


@pytest.mark.parametrize("lasting", [5.0, 300.0])
def test_a_listener_that_is_told_nothing_at_all_delays_the_end_by_a_minute(lasting: float) -> None:
    done = with_a_listener(2_000, lasting, lambda _position: False)
    assert done.seconds <= 60 + lasting + 100


def test_a_listener_that_goes_makes_room_for_readings() -> None:
    done = with_a_listener(500, 90.0, lambda _position: True, until=100.0)
    assert done.seconds <= 60 + 90 + 35
