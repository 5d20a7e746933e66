"""The pace that processes with one key share, over a real journal."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from batchrun.io import account_pace
from batchrun.io.account_pace import AccountPace
from batchrun.io.api_key import ApiKey
from batchrun.io.journal import Journal, open_journal

KEY, OTHER = ApiKey("rsk_sandbox_CANARY_one", "here"), ApiKey("rsk_sandbox_CANARY_two", "here")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = open_journal(tmp_path / "journal.db")
    yield journal
    journal.close()


class Lasting:
    """A connection that lasts for some time from when it was made; for ever where none is told."""

    def __init__(self, seconds: float = inf) -> None:
        self._seconds = seconds
        self._made = time.monotonic()

    def lasts(self, seconds: float) -> bool:
        return time.monotonic() + seconds - self._made <= self._seconds

    async def renew(self) -> None:
        await asyncio.sleep(0.01)
        self._made = time.monotonic()


async def turns(pace: AccountPace, count: int, workers: int = 4) -> list[float]:
    """Take so many turns with some workers; give when each was had."""
    had: list[float] = []

    async def work() -> None:
        while len(had) < count:
            had.append(0.0)
            place = len(had) - 1
            assert await pace.turn(Lasting())
            had[place] = time.time()

    await asyncio.gather(*(work() for _ in range(workers)))
    return had


def most_in(moments: list[float], seconds: float) -> int:
    return max(sum(begin <= moment < begin + seconds for moment in moments) for begin in moments)


def test_two_with_one_key_never_exceed_the_pace_together(journal: Journal) -> None:
    async def both(one: AccountPace, two: AccountPace) -> tuple[list[float], list[float]]:
        return await asyncio.gather(turns(one, 60), turns(two, 60, workers=2))

    with AccountPace(journal, KEY, 200) as one, AccountPace(journal, KEY, 200) as two:
        first, second = asyncio.run(both(one, two))
    assert most_in([*first, *second], 0.25) <= 50 + 1
    assert max([*first, *second]) - min([*first, *second]) >= 119 / 200


def test_one_that_sends_alone_has_the_whole_pace(journal: Journal) -> None:
    with AccountPace(journal, KEY, 400) as pace:
        moments = asyncio.run(turns(pace, 100))
    assert max(moments) - min(moments) < 2 * 100 / 400
    assert pace.expected(4) < 0.1


def test_one_who_waits_alone_takes_no_turns_that_others_could_have(journal: Journal) -> None:
    async def one_turn(pace: AccountPace) -> None:
        assert await pace.turn(Lasting())

    with AccountPace(journal, KEY, 2) as one, AccountPace(journal, KEY, 2) as two:
        begun = time.monotonic()
        asyncio.run(one_turn(one))
        asyncio.run(one_turn(two))  # another loop, too
        asyncio.run(one_turn(two))
    assert 1.0 <= time.monotonic() - begun < 2.0


def test_a_turn_whose_connection_does_not_last_till_then_is_kept_for_whoever_is_ready(journal: Journal) -> None:
    async def go(pace: AccountPace) -> tuple[list[bool], float]:
        await pace.turn(Lasting())
        begun = time.monotonic()
        had = [await pace.turn(Lasting(0.1)), await pace.turn(Lasting(0.1)), await pace.turn(Lasting())]
        return had, time.monotonic() - begun

    with AccountPace(journal, KEY, 2) as pace:
        had, seconds = asyncio.run(go(pace))
    assert had == [False, False, True]
    assert seconds < 0.75


def test_connections_that_are_renewed_while_they_wait_lose_no_turn(journal: Journal) -> None:
    async def turn(pace: AccountPace) -> int:
        connection, renewals = Lasting(0.3), 0
        while not await pace.turn(connection):
            await connection.renew()
            renewals += 1
        return renewals

    async def go(pace: AccountPace) -> list[int]:
        return await asyncio.gather(*(turn(pace) for _ in range(8)))

    with AccountPace(journal, KEY, 5) as pace:
        begun = time.monotonic()
        renewals = asyncio.run(go(pace))
    assert sum(renewals) > 0
    assert time.monotonic() - begun < 8 / 5 + 0.3


def test_another_key_has_a_pace_of_its_own(journal: Journal) -> None:
    async def both(one: AccountPace, two: AccountPace) -> None:
        await asyncio.gather(turns(one, 3, 1), turns(two, 3, 1))

    with AccountPace(journal, KEY, 10) as one, AccountPace(journal, OTHER, 10) as two:
        begun = time.monotonic()
        asyncio.run(both(one, two))
    assert time.monotonic() - begun < 0.5


def test_the_journal_holds_no_key(journal: Journal) -> None:
    with AccountPace(journal, KEY, 100) as pace:
        asyncio.run(turns(pace, 1))
    assert not any(b"CANARY" in path.read_bytes() for path in journal.path.parent.iterdir() if path.is_file())


def test_a_clock_that_is_set_back_while_turns_are_leased_stands_nobody_still(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go(pace: AccountPace) -> None:
        await pace.turn(Lasting(), waiting=4)  # so that three more are leased, and not used yet
        monkeypatch.setattr(account_pace.time, "time", lambda real=time.time: real() - 3600)
        async with asyncio.timeout(5):
            await turns(pace, 5)

    with AccountPace(journal, KEY, 20) as pace:
        begun = time.monotonic()
        asyncio.run(go(pace))
    assert time.monotonic() - begun >= 3 / 20


def test_a_journal_that_is_gone_leaves_each_with_the_pace_of_its_own(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "gone" / "journal.db")
    journal.close()
    with AccountPace(journal, KEY, 100) as pace:
        shutil.rmtree(tmp_path / "gone")
        begun = time.monotonic()
        asyncio.run(turns(pace, 20))
    assert time.monotonic() - begun >= 19 / 100
