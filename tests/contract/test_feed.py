"""The feed: every row once, those that came back when they are due, and no worker that sleeps while there is work."""

from __future__ import annotations

import asyncio
import random

import pytest
from fakes import FakeClock, FakeJournal, virtually

from batchrun.engine.feed import PAGE, Feed
from batchrun.engine.ports import Outgoing


def test_rows_come_in_order_page_after_page() -> None:
    async def go() -> list[int]:
        feed = Feed(FakeJournal.of(PAGE * 2 + 3), FakeClock())
        got = []
        while (row := await feed.next()) is not None:
            got.append(row.position)
            feed.done()
        return got

    assert virtually(go) == list(range(PAGE * 2 + 3))


def test_a_worker_waits_while_a_row_is_under_way_that_may_come_back() -> None:
    async def go() -> list[object]:
        feed, clock = Feed(FakeJournal.of(1), FakeClock()), FakeClock()
        row = await feed.next()
        assert row is not None
        waiting = asyncio.ensure_future(feed.next())
        await asyncio.sleep(5.0)
        assert not waiting.done()
        feed.give_back(row, 2.0)
        again = await waiting
        at = clock.monotonic()
        feed.done()
        return [again, round(at, 3), await feed.next()]

    assert virtually(go) == [Outgoing(0, 2, b"{0}"), 7.0, None]


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_close_is_never_lost_on_a_worker_that_is_looking_for_rows(seconds: float) -> None:
    """A row waits to be sent again in half a minute; the close comes while the journal is being asked for more."""

    async def go() -> float:
        clock = FakeClock()
        feed = Feed(FakeJournal.of(1, seconds=seconds), clock)
        row = await feed.next()
        assert row is not None
        feed.give_back(row, 30.0)
        looking = [asyncio.ensure_future(feed.next()) for _ in range(3)]
        await asyncio.sleep(seconds / 2)
        feed.close()
        assert await asyncio.gather(*looking) == [None] * 3
        return clock.monotonic()

    assert virtually(go) < 10.0


@pytest.mark.parametrize("seed", range(20))
def test_no_row_that_is_due_waits_for_an_idle_worker(seed: int) -> None:
    """As many workers as rows: each row has to be handed out again at the very moment at which it is due."""
    dice = random.Random(seed)

    async def go() -> list[float]:
        clock = FakeClock()
        feed = Feed(FakeJournal.of(6), clock)
        due: dict[int, float] = {}
        late: list[float] = []
        left = dict.fromkeys(range(6), 4)

        async def work() -> None:
            while (row := await feed.next()) is not None:
                late.append(clock.monotonic() - due.get(row.position, 0.0))
                await asyncio.sleep(dice.choice([0.0, 0.0, 1.0, 2.0]))
                left[row.position] -= 1
                if not left[row.position]:
                    feed.done()
                    continue
                after = dice.choice([0.0, 1.0, 1.0, 3.0])
                due[row.position] = clock.monotonic() + after
                feed.give_back(row, after)

        await asyncio.gather(*(work() for _ in range(6)))
        assert set(left.values()) == {0}
        return late

    assert max(virtually(go)) < 0.001
